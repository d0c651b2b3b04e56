"""Lists of indicators on both databases: taken in, confirmed, brought up to date, retired."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cgii.base.errors import Invalid
from cgii.detect.indicator_files import Line
from cgii.detect.indicator_lists import (
    ListForm,
    Taken,
    close_list,
    look_up,
    open_list,
    prune_indicators,
    retire_list,
    take_lines,
    take_list,
)
from cgii.detect.indicator_rows import confirm, indicators_revision, load_indicators
from cgii.detect.indicators import IndicatorTable, Suspect
from cgii.model.event import Event, LogSource
from cgii.model.indicators import Indicator, IndicatorList
from cgii.store.act import Act
from cgii.store.database import Database
from tests.make import NOW, make_act

BAD = ListForm("c2", "Servidores de mando", level="high", tags=("rsit.malicious-code.c2-server",))
HARMLESS = ListForm("inocuos", is_warning=True)


def lines(*texts: str) -> list[Line]:
    return [Line(number, text) for number, text in enumerate(texts, 1)]


def event(at: Any = NOW, **ecs: Any) -> Event:
    return Event(
        id="e" * 32, at=at, received_at=NOW, source="web_access", logsource=LogSource(),
        fields={}, ecs={name.replace("_", "."): value for name, value in ecs.items()}, original="",
    )  # fmt: skip


def found(act: Act, one: Event) -> list[tuple[str, str]]:
    known = load_indicators(act.session, now=NOW)
    findings = confirm(act.session, list(known.suspects([one])), now=NOW)
    return sorted((finding.list_name, finding.value) for finding in findings)


def test_a_list_is_taken_in_and_found(record: Database) -> None:
    with record.transaction() as session:
        act = make_act(session)
        before = indicators_revision(session)
        taken = take_list(act, BAD, lines("203.0.113.9", "malo[.]example", "???"), days=30)
        assert (taken.named, taken.added, taken.refused) == (2, 2, 1)
        assert taken.problems[0].startswith("3: ")
        assert indicators_revision(session) != before
    with record.transaction() as session:
        act = make_act(session)
        assert found(act, event(source_ip="203.0.113.9")) == [("c2", "203.0.113.9")]
        assert found(act, event(url_domain="x.malo.example")) == [("c2", "malo.example")]
        assert found(act, event(source_ip="203.0.113.10")) == []
    with record.reading() as session:
        row = session.scalars(select(Indicator).where(Indicator.value == "203.0.113.9")).one()
        assert (row.hit_count, row.last_hit_at) == (1, NOW)


def test_an_expired_value_is_found_only_in_events_of_its_time(record: Database) -> None:
    with record.transaction() as session:
        act = make_act(session)
        take_list(act, BAD, lines("203.0.113.9"), days=1)
        row = session.scalars(select(Indicator)).one()
        row.expires_at = NOW - timedelta(days=1)
        session.flush()  # the look-up reads it from the database
        assert found(act, event(source_ip="203.0.113.9")) == []
        late = event(NOW - timedelta(days=2), source_ip="203.0.113.9")
        assert found(act, late) == [("c2", "203.0.113.9")]
        assert prune_indicators(session, now=NOW) == 0
        assert prune_indicators(session, now=NOW + timedelta(days=60)) == 1
        assert session.scalars(select(IndicatorList)).one().indicator_count == 0


def test_what_a_warning_list_names_raises_no_alert(record: Database) -> None:
    with record.transaction() as session:
        act = make_act(session)
        take_list(act, HARMLESS, lines("203.0.113.0/24"))
        taken = take_list(act, BAD, lines("203.0.113.9", "198.51.100.7"))
        assert taken.warned == 1
        both = event(source_ip="203.0.113.9", destination_ip="198.51.100.7")
        assert found(act, both) == [("c2", "198.51.100.7")]


def test_a_list_brought_up_to_date_forgets_what_it_no_longer_names(record: Database) -> None:
    with record.transaction() as session:
        take_list(make_act(session), BAD, lines("203.0.113.9", "203.0.113.10"))
    with record.transaction() as session:
        later = make_act(session, now=NOW + timedelta(days=1))
        target, taken = open_list(later, BAD), Taken()
        take_lines(
            later, target, lines("203.0.113.10", "203.0.113.11"),
            taken=taken, warned=IndicatorTable(),
        )  # fmt: skip
        close_list(later, target, taken, unseen_since=later.now)
        assert (taken.added, taken.known, taken.removed) == (1, 1, 1)
        assert target.indicator_count == 2
        assert [row.value for row in look_up(session, "203.0.113.9")] == []


def test_a_retired_list_finds_nothing_and_may_come_back(record: Database) -> None:
    with record.transaction() as session:
        act = make_act(session)
        take_list(act, BAD, lines("203.0.113.9"))
        target = session.scalars(select(IndicatorList)).one()
        with pytest.raises(Invalid):
            retire_list(act, target, reason=" ")
        retire_list(act, target, reason="La fuente cerró")
        assert found(act, event(source_ip="203.0.113.9")) == []
        take_list(act, BAD, lines("203.0.113.9"))
        assert found(act, event(source_ip="203.0.113.9")) == [("c2", "203.0.113.9")]


def test_a_look_up_tells_every_row_that_a_value_meets(record: Database) -> None:
    with record.transaction() as session:
        act = make_act(session)
        take_list(act, BAD, lines("203.0.113.0/24", "malo.example", "2001:db8::/32", "a" * 32))
        assert [row.value for row in look_up(session, "203.0.113.77")] == ["203.0.113.0/24"]
        assert [row.value for row in look_up(session, "http://x.malo[.]example/a")] == [
            "malo.example"
        ]
        assert [row.value for row in look_up(session, "http://203.0.113.5/")] == ["203.0.113.0/24"]
        assert [row.value for row in look_up(session, "2001:db8::5")] == ["2001:db8::/32"]
        assert [row.value for row in look_up(session, "A" * 32)] == ["a" * 32]


@pytest.mark.parametrize(
    "form", [ListForm("Con Espacios"), ListForm("x" * 61), ListForm("c2", level="gravísimo")]
)
def test_a_list_that_says_nonsense_of_itself_is_refused(record: Database, form: ListForm) -> None:
    with record.transaction() as session, pytest.raises(Invalid):
        take_list(make_act(session), form, lines("203.0.113.9"))


def test_a_list_without_any_value_is_refused(record: Database) -> None:
    with record.transaction() as session, pytest.raises(Invalid, match="ningún indicador"):
        take_list(make_act(session), BAD, lines("hola", "mundo"))


def test_a_suspicion_that_the_record_does_not_know_is_dropped(record: Database) -> None:
    with record.transaction() as session:
        chance = Suspect(event(), "source.ip", "1.2.3.4", (("ip", "1.2.3.4"),), ())
        assert confirm(session, [chance], now=NOW) == []
