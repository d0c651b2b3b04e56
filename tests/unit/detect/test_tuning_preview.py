"""How far back tuning would have reached, asked of stored alerts; and tuning as a file."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cgii.base.errors import Invalid
from cgii.centre import Centre
from cgii.detect.alerts import single_alert
from cgii.detect.detector import Detector
from cgii.detect.tuning import active_tuning, exclude, override_level, suppress, switch_off
from cgii.detect.tuning_files import export_tuning, import_tuning
from cgii.detect.tuning_preview import Proposal, proposal_of, would_have_hidden
from cgii.respond.intake import fold_alerts
from tests.make import NOW, make_act
from tests.make_web import make_centre
from tests.unit.detect.build import event, rule_text, rules

UNTIL = NOW + timedelta(days=30)
RULES = rules(rule_text("sel: {a: 1}", more="level: high\n"))


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    """Ten alerts of one rule, one a day: odd ones of ana, the others of eva; two events gone."""
    centre = make_centre(tmp_path)
    seen = [
        event({"a": 1, "who": who}, number=n, at=NOW - timedelta(days=n), ecs={"user.name": who})
        for n, who in enumerate(("eva", "ana") * 5)
    ]
    centre.events.write(seen[:8])
    alerts = [single_alert(match) for match in Detector(RULES).match(seen)]
    with centre.database.transaction() as session:
        fold_alerts(make_act(session), alerts, centre.attributor(session))
    yield centre
    centre.close()


@pytest.mark.parametrize(
    ("proposal", "days", "expected"),
    [
        (Proposal("prueba", "off"), 30, (10, 10, 0)),
        (Proposal("prueba", "off"), 3, (4, 4, 0)),
        (Proposal("other", "off"), 30, (0, 0, 0)),
        (Proposal("prueba", "suppress", key=[["user.name", "ANA"]]), 30, (10, 5, 0)),
        (Proposal("prueba", "suppress", key=[["user.name", "x"]]), 30, (10, 0, 0)),
        (Proposal("prueba", "level", level="high"), 30, (10, 0, 0)),
        (Proposal("prueba", "level", level="low"), 30, (10, 10, 0)),
        (Proposal("prueba", "exclude", condition="who: ana"), 30, (10, 4, 2)),
        (Proposal("prueba", "exclude", condition="who: ana"), 6, (7, 3, 0)),
    ],
)
def test_stored_alerts_say_what_would_have_been_hidden(
    centre: Centre, proposal: Proposal, days: int, expected: tuple[int, int, int]
) -> None:
    with centre.database.reading() as session:
        found = would_have_hidden(
            session, proposal, events=centre.events, rules=RULES, now=NOW, days=days
        )
    assert (found.examined, found.hidden, found.unknown) == expected
    assert len(found.alert_ids) == found.hidden


@pytest.mark.parametrize(
    "proposal",
    [Proposal("prueba", "exclude", condition="{"), Proposal("gone", "exclude", condition="a: 1")],
)
def test_an_exclusion_that_cannot_be_asked_is_refused(centre: Centre, proposal: Proposal) -> None:
    with centre.database.reading() as session, pytest.raises(Invalid):
        would_have_hidden(session, proposal, events=centre.events, rules=RULES, now=NOW)


def test_tuning_survives_a_new_record_as_a_file(centre: Centre, tmp_path: Path) -> None:
    path = tmp_path / "tuning.yml"
    with centre.database.transaction() as session:
        act = make_act(session)
        common = {"reason": "porque sí", "is_watching": True}
        suppress(act, "prueba", key=[["user.name", "ana"]], until=UNTIL, **common)
        exclude(act, "prueba", condition="who: ana", until=None, **common)
        override_level(act, "prueba", level="low", until=UNTIL, **common)
        switch_off(act, "other", until=None, reason="x", is_watching=False)
        before = [proposal_of(row) for row in active_tuning(session, NOW)]
        path.write_text(export_tuning(session, NOW))
        assert import_tuning(act, path)[0] == 0  # all are there
    fresh = make_centre(tmp_path / "fresh")
    with fresh.database.transaction() as session:
        assert import_tuning(make_act(session), path) == (4, [])
        after = active_tuning(session, NOW)
        assert [proposal_of(row) for row in after] == before
        assert [row.is_watching for row in after] == [True, True, True, False]
        assert after[0].until == UNTIL
    fresh.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no es YAML"),
        ("- a", "lista «tuning»"),
        ("tuning: [{rule: r, kind: hide, reason: x}]", "Entrada 1: La clase «hide»"),
        ("tuning: [{rule: r, kind: off}]", "Entrada 1: Escriba el motivo"),
        ("tuning: [{rule: r, kind: off, reason: x, until: soon}]", "«soon» no es una fecha"),
        ("tuning: [{rule: r, kind: off, reason: x, hiden: 1}]", "no se conoce hiden"),
        ("tuning: [{rule: r, kind: suppress, key: x, reason: x, until: 2027-01-01}]", "qué clave"),
    ],
)
def test_a_wrong_file_sets_nothing_and_says_why(
    centre: Centre, tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text(text)
    with pytest.raises(Invalid) as caught, centre.database.transaction() as session:
        import_tuning(make_act(session), path)
    assert reason in str(caught.value)


def test_what_has_expired_in_a_file_is_left_out(centre: Centre, tmp_path: Path) -> None:
    path = tmp_path / "old.yml"
    path.write_text("tuning: [{rule: r, kind: off, reason: x, until: 2020-01-01}]")
    with centre.database.transaction() as session:
        added, (left_out,) = import_tuning(make_act(session), path)
    assert added == 0
    assert "ya pasó" in left_out
