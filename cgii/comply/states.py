"""The states of a plan, which may follow which, and who may touch it."""

from collections.abc import Mapping

from cgii.base.clock import local
from cgii.base.errors import Conflict, NotAllowed, NotFound
from cgii.base.labels import label
from cgii.model.plans import Plan
from cgii.store.act import Act

TRANSITIONS: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"ready"}),
    "ready": frozenset({"approved", "draft"}),
    "approved": frozenset({"filed", "draft"}),
    "filed": frozenset({"in_review"}),
    "in_review": frozenset({"observed", "decided"}),
    "observed": frozenset({"answered"}),
    "answered": frozenset({"in_review"}),
    "decided": frozenset({"valid", "draft"}),  # draft: returned or rejected, to be amended
    "valid": frozenset({"expired", "superseded", "revoked"}),
    "expired": frozenset(),
    "superseded": frozenset(),
    "revoked": frozenset(),
}
EDITABLE = frozenset({"draft", "observed"})


def can_move(state: str, to: str) -> bool:
    """Whether the table allows this step."""
    return to in TRANSITIONS[state]


def move(act: Act, plan: Plan, to: str) -> None:
    """Put a locked plan into another state; raises Conflict where the table does not allow it."""
    if not can_move(plan.state, to):
        raise Conflict(
            "El plan está «{state}» y no puede pasar a «{to}».",
            state=label("plans.states", plan.state),
            to=label("plans.states", to),
        )
    plan.state = to
    plan.updated_at = act.now


def lock(act: Act, plan: Plan) -> None:
    """Take the plan's row until the transaction ends, with its newest values.

    What another transaction committed meanwhile is seen, so a state is checked on what is true.
    """
    act.session.refresh(plan, with_for_update=True)


def require_state(plan: Plan, *states: str) -> None:
    """Raise Conflict unless the plan is in one of the states."""
    if plan.state not in states:
        raise Conflict(
            "El plan está «{state}»; esta acción no corresponde a ese estado.",
            state=label("plans.states", plan.state),
        )


def require_editable(plan: Plan) -> None:
    """Raise Conflict unless the entity may change the plan's content now."""
    if plan.state not in EDITABLE:
        raise Conflict(
            "El plan está «{state}» y su contenido no se puede modificar.",
            state=label("plans.states", plan.state),
        )


def require_member(act: Act, entity_id: int) -> None:
    """Hide what belongs to another entity from an entity's person."""
    if act.user is not None and act.user.entity_id not in (None, entity_id):
        raise NotFound("No existe ese plan.")


def require_centre(act: Act) -> None:
    """Refuse an entity's person what only the centre does."""
    if act.user is not None and act.user.entity_id is not None:
        raise NotAllowed("Solo el CGII puede revisar y decidir un plan.")


def year_of(act: Act) -> int:
    """The year in La Paz when the act happens: documents are numbered by it."""
    return local(act.now).year
