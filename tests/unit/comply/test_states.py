"""Plans move along the table of states and nowhere else."""

from itertools import product

import pytest
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, NotAllowed, NotFound
from cgii.comply.plans import open_plan
from cgii.comply.states import TRANSITIONS, can_move, move, require_centre, require_member
from cgii.model.people import Role
from cgii.model.plans import PLAN_STATES
from tests.make import NOW, make_act, make_user
from tests.make_plans import make_cast


def test_the_table_knows_every_state_and_only_those() -> None:
    assert set(TRANSITIONS) == set(PLAN_STATES)
    assert set().union(*TRANSITIONS.values()) <= set(PLAN_STATES)


def test_every_state_can_be_reached_from_the_draft() -> None:
    reached, fresh = {"draft"}, {"draft"}
    while fresh:
        fresh = set().union(*(TRANSITIONS[state] for state in fresh)) - reached
        reached |= fresh
    assert reached == set(PLAN_STATES)


def test_every_step_outside_the_table_is_refused(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    for state, to in product(PLAN_STATES, PLAN_STATES):
        plan.state = state
        if can_move(state, to):
            move(cast.officer, plan, to)
            assert plan.state == to
        else:
            with pytest.raises(Conflict):
                move(cast.officer, plan, to)
            assert plan.state == state


def test_a_refused_step_is_told_in_words(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    with pytest.raises(Conflict) as caught:
        move(cast.officer, plan, "valid")
    assert str(caught.value) == "El plan está «En elaboración» y no puede pasar a «Vigente»."


def test_a_stranger_sees_nothing_and_the_system_sees_all(session: Session) -> None:
    stranger = make_act(session, make_user(session, Role.OFFICER))
    assert stranger.now == NOW
    with pytest.raises(NotFound):
        require_member(stranger, stranger.user.entity_id + 1 if stranger.user else 0)
    require_member(make_act(session), 1)
    require_member(make_act(session, make_user(session, Role.REVIEWER)), 1)


def test_an_entity_does_not_do_what_the_centre_does(session: Session) -> None:
    with pytest.raises(NotAllowed):
        require_centre(make_act(session, make_user(session, Role.MAE)))
    require_centre(make_act(session, make_user(session, Role.REVIEWER)))
