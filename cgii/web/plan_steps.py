"""Where a plan stands on its way, what is missing, and what its people should do next."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from cgii.base.clock import local
from cgii.comply.controls import Control, load_framework
from cgii.comply.failures import must_answer
from cgii.comply.plans import Missing, completeness
from cgii.comply.states import EDITABLE
from cgii.model.people import ENTITY_ROLES, Role, User
from cgii.model.plans import Plan
from cgii.web.language import gettext, ngettext

STEPS = (
    ("alcance", "Alcance y roles"),
    ("riesgos", "Activos y riesgos"),
    ("controles", "Controles"),
    ("revisar", "Revisar"),
    ("aprobar", "Aprobar"),
    ("presentar", "Presentar"),
    ("seguimiento", "Seguimiento"),
)
FILED = frozenset(
    {"filed", "in_review", "observed", "answered", "decided", "valid"}
    | {"expired", "superseded", "revoked"}
)
ENDED = frozenset({"expired", "superseded", "revoked"})


@dataclass(frozen=True)
class NextStep:
    """What a person should do now with the plan, and where."""

    text: str
    url: str = ""
    button: str = ""
    tone: str = "info"  # info warn good bad


@dataclass(frozen=True)
class ControlMark:
    """A control in the list at the left: what it lacks."""

    control: Control
    lacks: int
    is_named: bool  # an incident named it and it waits for an answer
    is_touched: bool


@dataclass(frozen=True)
class SectionProgress:
    """A section with how many of its controls are complete."""

    code: str
    title: str
    marks: tuple[ControlMark, ...]

    @property
    def total(self) -> int:
        """How many controls it has."""
        return len(self.marks)

    @property
    def complete(self) -> int:
        """How many of them lack nothing."""
        return sum(mark.lacks == 0 for mark in self.marks)


def missing_of(session: Session, plan: Plan, now: datetime) -> tuple[Missing, ...]:
    """What the plan lacks today, the incidents that it must answer included."""
    today = local(now).date()
    return completeness(plan, today=today, named=must_answer(session, plan))


def address_of(plan: Plan, missing: Missing) -> str:
    """Where what is missing is filled in."""
    if missing.control:
        return f"/planes/{plan.id}/controles/{missing.control}#f-{missing.field}"
    page = "riesgos" if missing.field.startswith(("assets", "risks")) else "alcance"
    return f"/planes/{plan.id}/{page}#f-{missing.field}"


def progress(plan: Plan, missing: tuple[Missing, ...]) -> list[SectionProgress]:
    """The sections with their controls and what each lacks."""
    counts: dict[str, int] = {}
    for item in missing:
        counts[item.control] = counts.get(item.control, 0) + 1
    named = {item.control for item in missing if item.field == "incident_answer"}
    touched = {row.control for row in plan.statements if row.applies is not None}
    return [
        SectionProgress(
            section.code,
            section.title,
            tuple(
                ControlMark(
                    control,
                    counts.get(control.code, 0),
                    control.code in named,
                    control.code in touched,
                )
                for control in section.controls
            ),
        )
        for section in load_framework(plan.framework).sections
    ]


def steps_of(
    user: User, plan: Plan, missing: tuple[Missing, ...]
) -> list[tuple[str, str, str, bool]]:
    """The stepper: key, words, address, done. Readers are led to what they may see."""
    lacks = {_step_of(item) for item in missing}
    has_passed = plan.state not in EDITABLE
    done = {
        "alcance": "alcance" not in lacks,
        "riesgos": "riesgos" not in lacks,
        "controles": "controles" not in lacks,
        "revisar": has_passed or (not lacks and plan.state == "observed"),
        "aprobar": plan.approved_at is not None,
        "presentar": plan.state in FILED - {"observed"},
        "seguimiento": False,
    }
    writes = user.role == Role.OFFICER and plan.state in EDITABLE
    return [
        (key, gettext(text), _address(plan, key, writes=writes), done[key]) for key, text in STEPS
    ]


def _step_of(missing: Missing) -> str:
    if missing.control:
        return "controles"
    return "riesgos" if missing.field.startswith(("assets", "risks")) else "alcance"


def _address(plan: Plan, key: str, *, writes: bool) -> str:
    base = f"/planes/{plan.id}"
    if key == "seguimiento":
        return base
    if key in ("alcance", "riesgos", "controles") and not writes:
        return f"{base}#{key}"
    return f"{base}/{key}"


def here_of(plan: Plan) -> str:
    """The step at which the plan as a whole stands."""
    by_state = {"draft": "controles", "ready": "aprobar", "approved": "presentar"}
    return by_state.get(plan.state, "seguimiento")


def next_step(user: User, plan: Plan | None, missing_count: int | None = None) -> NextStep:
    """What this person of an entity should do now."""
    if plan is None:
        return _without_plan(user)
    base, is_officer = f"/planes/{plan.id}", user.role == Role.OFFICER
    if plan.state == "draft" and is_officer and missing_count == 0:
        return NextStep(
            gettext("El plan está completo. Revíselo y páselo a la MAE."),
            f"{base}/revisar",
            gettext("Revisar"),
        )
    if plan.state == "draft" and is_officer and missing_count:
        return NextStep(
            ngettext("Falta completar %(num)s dato.", "Faltan %(num)s datos.", missing_count)
            % {"num": missing_count},
            f"{base}/revisar",
            gettext("Ver qué falta"),
        )
    text, page, button, tone = _BY_STATE[plan.state]
    if plan.state in _MAE_ACTS and user.role == Role.MAE:
        text, page, button, tone = _MAE_ACTS[plan.state]
        return NextStep(gettext(text), f"{base}{page}", gettext(button), tone)
    if not is_officer:
        button = "Abrir el plan"
        page = ""
    return NextStep(gettext(text), f"{base}{page}", gettext(button), tone)


def _without_plan(user: User) -> NextStep:
    text = gettext("La entidad todavía no tiene un plan (PISI).")
    if user.role == Role.OFFICER:
        return NextStep(text, "/portal/plan", gettext("Empezar el plan"), "warn")
    return NextStep(text, tone="warn")


def is_of_entity(user: User) -> bool:
    """Whether this person belongs to an entity."""
    return user.role in ENTITY_ROLES


# state → what is to be done, where, the button, the tone; for the officer, who does most of it.
_BY_STATE: dict[str, tuple[str, str, str, str]] = {
    "draft": ("El plan está en elaboración.", "/controles", "Continuar", "info"),
    "ready": ("El plan espera la aprobación de la MAE.", "/aprobar", "Ver", "info"),
    "approved": (
        "La MAE aprobó el plan. Falta presentarlo al centro.",
        "/presentar",
        "Presentar",
        "warn",
    ),
    "filed": ("El plan fue presentado y espera su revisión.", "", "Ver el plan", "good"),
    "in_review": ("El centro está revisando el plan.", "", "Ver el plan", "info"),
    "observed": (
        "El centro observó el plan. Corrija y responda cada observación.",
        "/observaciones",
        "Responder observaciones",
        "warn",
    ),
    "answered": ("El plan subsanado espera una nueva revisión.", "", "Ver el plan", "info"),
    "decided": ("El centro decidió sobre el plan.", "", "Ver el plan", "info"),
    "valid": (
        "El plan está vigente. Registre el seguimiento de cada gestión.",
        "/seguimiento",
        "Seguimiento",
        "good",
    ),
    "expired": ("La vigencia del plan terminó. Presente uno nuevo.", "", "Ver el plan", "bad"),
    "superseded": ("Un plan posterior reemplaza a este.", "", "Ver el plan", "info"),
    "revoked": ("El centro revocó este plan.", "", "Ver el plan", "bad"),
}
_MAE_ACTS: dict[str, tuple[str, str, str, str]] = {
    "ready": ("El plan espera su aprobación.", "/aprobar", "Revisar y aprobar", "warn"),
}
