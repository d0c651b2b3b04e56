"""Lists of incidents say of many rows what the verbs say of one."""

from datetime import timedelta
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request

from cgii.model.deadlines import Deadline
from cgii.model.incidents import SEVERITIES, Incident, Observable
from cgii.model.people import Role
from cgii.model.registry import Table
from cgii.respond.lifecycle import status
from cgii.store.database import Database
from cgii.web.incident_lists import DUE, RANK, STATUS, archive_list, desk_list
from cgii.web.tables import show
from cgii.web.visible import visible
from tests.make import NOW, make_entity, make_incident, make_user

STAMPS = ("acknowledged", "triaged", "contained", "eradicated", "recovered", "resolved", "closed")


def asked(query: str) -> Request:
    """A request with this query."""
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/incidentes",
            "query_string": quote(query, safe="=&%").encode(),
            "headers": [],
            "server": ("127.0.0.1", 8000),
            "scheme": "http",
        }
    )


def found(session: Session, query: str) -> list[str]:
    """Titles of the archive's rows for this query, in order."""
    user = make_user(session, Role.ANALYST)
    request = asked(query)
    listing = archive_list(session, user, entities=request.query_params.getlist("entity"))
    shown = show(session, listing, visible(user, Incident), request)
    return [row.title for row in shown.rows]


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(STAMPS)),
            st.sampled_from(["", "entity", "third_party"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_the_state_in_a_list_is_the_state_of_the_row(
    cases: list[tuple[set[str], str, bool]],
) -> None:
    database = Database("sqlite:///:memory:", pool_size=1)
    try:
        Table.metadata.create_all(database.engine)
        with database.transaction() as session:
            owner = make_user(session)
            for stamps, waiting, owned in cases:
                make_incident(
                    session,
                    waiting_for=waiting,
                    owner_id=owner.id if owned else None,
                    **{f"{stage}_at": NOW for stage in stamps},
                )
            for incident, said in session.execute(select(Incident, STATUS)):
                assert said == status(incident)
    finally:
        database.close()


def test_severities_order_by_weight_not_by_letter(session: Session) -> None:
    for severity in ("medio", "critico", "bajo", "muy_alto", "alto"):
        make_incident(session, severity=severity)

    ordered = session.scalars(select(Incident.severity).order_by(RANK)).all()

    assert tuple(ordered) == SEVERITIES


def test_what_owes_nothing_comes_after_what_is_due(session: Session) -> None:
    make_incident(session, title="nada", next_due_at=None)
    make_incident(session, title="después", next_due_at=NOW + timedelta(hours=2))
    make_incident(session, title="antes", next_due_at=NOW)

    assert list(session.scalars(select(Incident.title).order_by(DUE))) == [
        "antes",
        "después",
        "nada",
    ]


def test_a_search_finds_number_title_entity_and_an_exact_observable(session: Session) -> None:
    entity = make_entity(session, name="Ministerio Ñandú", acronym="MÑ")
    case = make_incident(session, title="Caso buscado", entity_id=entity.id)
    make_incident(session, title="otro")
    session.add(Observable(incident_id=case.id, kind="ip", value="203.0.113.7", added_at=NOW))

    for words in (case.code, "buscado", "Ñandú", "203.0.113.7"):
        assert found(session, f"q={words}") == ["Caso buscado"], words
    assert found(session, "q=203.0.113") == []
    assert found(session, "q=%25") == []


def test_the_filter_of_attention_tells_met_missed_and_running_apart(session: Session) -> None:
    for title, met, missed, ended in (
        ("a tiempo", NOW, None, NOW),
        ("tarde", NOW, NOW, NOW),
        ("vencido", None, NOW, None),
        ("corre", None, None, None),
    ):
        case = make_incident(session, title=title)
        session.add(
            Deadline(
                incident_id=case.id, policy_id="x", policy={}, regime="centre",
                stage="acknowledged", party="centre", label="x", started_at=NOW, due_at=NOW,
                met_at=met, missed_at=missed, ended_at=ended, warned=[],
            )
        )  # fmt: skip

    assert found(session, "attended=a_tiempo") == ["a tiempo"]
    assert sorted(found(session, "attended=fuera")) == ["tarde", "vencido"]
    assert found(session, "attended=abierto") == ["corre"]
    assert len(found(session, "attended=abierto&attended=fuera")) == 3


def test_days_are_la_paz_days_and_both_ends_count(session: Session) -> None:
    # 02:00 UTC on the 21st is still the 20th in La Paz.
    make_incident(session, title="noche", received_at=NOW.replace(day=21, hour=2))
    make_incident(session, title="día", received_at=NOW.replace(day=21, hour=14))

    assert found(session, "received_desde=2026-11-20&received_hasta=2026-11-20") == ["noche"]
    assert found(session, "received_desde=2026-11-21") == ["día"]
    assert len(found(session, "received_desde=nunca&received_hasta=0000-99-99")) == 2


def test_an_entity_without_open_cases_can_still_be_asked_for(session: Session) -> None:
    entity = make_entity(session)
    make_incident(session, title="viejo", entity_id=entity.id, closed_at=NOW)

    assert found(session, f"entity={entity.code}") == ["viejo"]


def test_the_desk_offers_the_owner_only_where_owners_differ(session: Session) -> None:
    user = make_user(session)
    names = [one.key for one in desk_list(session, user, has_owner=False).filters]

    assert "owner" not in names
    assert "owner" in [one.key for one in desk_list(session, user, has_owner=True).filters]
