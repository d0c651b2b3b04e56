"""Windows in the data base: loaded, saved, pruned."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.detect.advance import advance
from cgii.detect.examine import Losses
from cgii.detect.hits import Hit, micros
from cgii.detect.terms import Terms
from cgii.detect.window_rows import (
    due_windows,
    load_windows,
    note_losses,
    prune_windows,
    save_windows,
)
from cgii.detect.windows import Window, WindowKey
from cgii.model.alerts import CorrelationLoss, CorrelationWindow
from cgii.store.database import Database
from tests.unit.detect.build import NOON

KEEP = {"r": 300, "slow": 18_000}  # seconds


def window(minutes: float = 0) -> Window:
    at = micros(NOON + timedelta(minutes=minutes))
    made = Window()
    advance(made, [Hit(at, "e1", "s", None)], Terms(60, "event_count", (("gte", 1),)))
    return made


def key(value: str, rule: str = "r", entity: int | None = None) -> WindowKey:
    return WindowKey(rule, entity, (value,))


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(CorrelationWindow)) or 0


def test_windows_come_back_as_they_were_saved(database: Database) -> None:
    windows = {key("a"): window(), key("b", entity=7): window(3)}
    with database.transaction() as session:
        save_windows(session, windows, now=NOON, keep_seconds=KEEP)
    with database.transaction() as session:
        assert load_windows(session, [*windows, key("missing")]) == windows
        row = session.scalars(select(CorrelationWindow).order_by(CorrelationWindow.last_at)).all()
        assert row[1].key == [7, "b"]
        assert row[1].last_at == NOON + timedelta(minutes=3)


def test_saving_again_replaces(session: Session) -> None:
    save_windows(session, {key("a"): window()}, now=NOON, keep_seconds=KEEP)
    later = NOON + timedelta(hours=1)
    again = load_windows(session, [key("a")])[key("a")]
    moved = replace(window(9), is_stored=again.is_stored)
    save_windows(session, {key("a"): moved}, now=later, keep_seconds=KEEP)
    assert load_windows(session, [key("a")]) == {key("a"): window(9)}
    assert session.scalars(select(CorrelationWindow.updated_at)).all() == [later]


def test_a_window_that_cannot_be_read_begins_anew(session: Session) -> None:
    save_windows(session, {key("a"): window()}, now=NOON, keep_seconds=KEEP)
    for text in ('{"v":1,"hits":[]}', '{"v":2}', "[]", "x"):
        session.execute(update(CorrelationWindow).values(state=text))
        found = load_windows(session, [key("a")])
        assert found == {key("a"): Window()}
        assert found[key("a")].is_stored


def test_more_keys_than_one_query_takes_are_loaded(session: Session) -> None:
    windows = {key(str(n)): window(n / 10) for n in range(1_203)}
    save_windows(session, windows, now=NOON, keep_seconds=KEEP)
    session.flush()  # count asks the data base
    assert load_windows(session, windows) == windows


def test_windows_go_when_they_can_no_longer_matter(session: Session) -> None:
    windows = {key("old"): window(), key("new"): window(60), key("b", "slow"): window()}
    save_windows(session, windows, now=NOON, keep_seconds=KEEP)
    assert prune_windows(session, now=NOON + timedelta(minutes=60)) == 0  # at the full hour
    assert prune_windows(session, now=NOON + timedelta(minutes=61)) == 1
    kept = load_windows(session, windows)
    assert {one.values[0] for one in kept} == {"new", "b"}


def test_many_old_windows_go_in_parts(session: Session) -> None:
    windows = {key(str(n)): window() for n in range(5)}
    save_windows(session, windows, now=NOON, keep_seconds=KEEP)
    later = NOON + timedelta(hours=2)
    assert [prune_windows(session, now=later, most=2) for _ in range(4)] == [2, 2, 1, 0]


def test_old_events_that_came_just_now_keep_their_window(session: Session) -> None:
    save_windows(session, {key("a"): window(-60 * 24 * 365)}, now=NOON, keep_seconds=KEEP)
    assert prune_windows(session, now=NOON + timedelta(minutes=1)) == 0
    assert prune_windows(session, now=NOON + timedelta(hours=2)) == 1


def test_a_rule_that_is_gone_keeps_its_windows_as_long_as_any_may(session: Session) -> None:
    save_windows(session, {key("a", "gone"): window()}, now=NOON, keep_seconds=KEEP)
    assert prune_windows(session, now=NOON + timedelta(days=30)) == 0
    assert prune_windows(session, now=NOON + timedelta(days=32)) == 1


def test_windows_that_time_decides_are_found_once_nobody_spoke_for_long(
    session: Session,
) -> None:
    terms = Terms(60, "silence", (("gte", 1),))
    made = Window()
    advance(made, [Hit(micros(NOON), "e1", "s", None)], terms)
    save_windows(session, {key("a", entity=3): made}, now=NOON, keep_seconds=KEEP)
    session.flush()  # the query below sees rows only

    def due(minutes: float) -> list[WindowKey]:
        at = NOON + timedelta(minutes=minutes)
        return due_windows(session, now=at, waits={("r", ""): 300}, limit=10)

    assert due(5.9) == []  # a minute of silence, five of tolerance
    assert due(6) == [key("a", entity=3)]
    for other in (("x", ""), ("r", "newer")):
        later = NOON + timedelta(hours=1)
        assert due_windows(session, now=later, waits={other: 300}, limit=10) == []
    again = load_windows(session, [key("a", entity=3)])
    save_windows(session, again, now=NOON + timedelta(minutes=5), keep_seconds=KEEP)
    assert due(9.9) == []  # something came to it only just now
    assert due(10) == [key("a", entity=3)]


def test_losses_add_up(session: Session) -> None:
    losses = Losses(Counter(r=2), Counter(s=1), Counter(r=5))
    note_losses(session, losses, now=NOON)
    note_losses(session, losses, now=NOON + timedelta(hours=1))
    row = session.get_one(CorrelationLoss, "r")
    assert (row.late_count, row.evicted_count, row.missing_count) == (4, 0, 10)
    assert row.last_at == NOON + timedelta(hours=1)
    assert session.get_one(CorrelationLoss, "s").evicted_count == 2


def test_the_windows_of_one_rule_are_bounded(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WINDOW_KEYS_MAX", 2)
    for n in range(4):
        save_windows(
            session, {key(str(n)): window(n)}, now=NOON + timedelta(seconds=n), keep_seconds=KEEP
        )
    save_windows(session, {key("x", "other"): window()}, now=NOON, keep_seconds=KEEP)
    session.flush()  # the deletion works on rows
    assert prune_windows(session, now=NOON) == 2
    kept = load_windows(session, [*(key(str(n)) for n in range(4)), key("x", "other")])
    assert {k.values[0] for k in kept} == {"2", "3", "x"}
    assert count(session) == 3
