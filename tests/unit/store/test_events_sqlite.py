"""What is special about events in SQLite: files, damage, readers beside writers, time limits."""

import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from cgii.base import limits
from cgii.base.counters import EVENT_FILES_SET_ASIDE, EVENTS_UNREADABLE, total
from cgii.base.errors import Invalid, Unavailable
from cgii.model.event import Event
from cgii.store import events_month
from cgii.store.events import EventQuery, open_events
from cgii.store.events_month import SLOT_BITS, path_of
from cgii.store.query_times import milliseconds
from tests.event_oracle import NOON, make_event


def test_only_sqlite_is_known_so_far(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refusal:
        open_events("mongodb://user:word@host", tmp_path)
    assert "word" not in str(refusal.value)


def test_each_month_of_receipt_has_its_file(tmp_path: Path) -> None:
    store = open_events("", tmp_path)
    store.write([make_event(1), make_event(2, received_at=NOON + timedelta(days=20))])
    assert events_month.months(tmp_path) == ["2026-11", "2026-12"]
    assert store.count(EventQuery()) == 2


@pytest.mark.parametrize(
    "damage", [b"this is no database" * 500, b"SQLite format 3\0" + b"\xff" * 9000, b""]
)
def test_a_damaged_month_is_set_aside_and_told(tmp_path: Path, damage: bytes) -> None:
    store = open_events("", tmp_path)
    store.write([make_event(1), make_event(2, at=NOON - timedelta(days=40))])
    store.close()
    path_of(tmp_path, "2026-11").write_bytes(damage)
    store = open_events("", tmp_path)
    assert [event.id for event in store.search(EventQuery()).events] == [make_event(2).id]
    assert len(store.stats().set_aside) == 1
    assert store.write([make_event(1)]) == 1
    assert store.count(EventQuery()) == 2


def test_a_month_damaged_inside_is_set_aside_while_writing(tmp_path: Path) -> None:
    store = open_events("", tmp_path)
    store.write([make_event(seq) for seq in range(500)])
    store.close()
    path = path_of(tmp_path, "2026-11")
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)  # the first page stays whole
    path.write_bytes(content)
    store = open_events("", tmp_path)
    assert store.write([make_event(1)]) == 1
    assert store.stats().set_aside
    assert store.get(make_event(1).id) is not None


def damaged(folder: Path) -> list[Event]:
    """An event of each of two months, the first of which is damaged."""
    events = [make_event(1, at=NOON - timedelta(days=30)), make_event(2)]
    store = open_events("", folder)
    store.write(events)
    store.close()
    path_of(folder, "2026-10").write_bytes(b"this is no database" * 500)
    return events


def test_what_an_answer_lacks_is_told_for_the_months_that_it_is_about(tmp_path: Path) -> None:
    damaged(tmp_path)
    store = open_events("", tmp_path)
    before = total(EVENT_FILES_SET_ASIDE)
    assert store.count(EventQuery()) == 1
    assert total(EVENT_FILES_SET_ASIDE) - before == 1
    (gap,) = store.gaps(EventQuery("linux_auth"))
    assert gap.month == "2026-10"
    assert (tmp_path / gap.file).exists()
    assert store.gaps(EventQuery("@timestamp:<2026-10-02")) == (gap,)
    assert store.gaps(EventQuery(start=NOON - timedelta(days=1))) == ()
    assert store.gaps(EventQuery(end=NOON - timedelta(days=60))) == ()


def test_a_file_that_was_set_aside_has_the_retention_of_its_month(tmp_path: Path) -> None:
    _, newest = damaged(tmp_path)
    store = open_events("", tmp_path)
    assert store.count(EventQuery()) == 1
    (gap,) = store.gaps(EventQuery())
    for ending in ("-wal", "-shm"):
        (tmp_path / f"{gap.file}{ending}").write_bytes(b"x" * 1_000)
    whole = store.stats().size_bytes
    assert whole >= 9_500 + 2_000  # the damaged bytes and what lies beside them
    assert store.prune(NOON.replace(month=10)) == 0
    assert store.stats().set_aside == (gap.file,)
    assert store.prune(NOON) == 0  # no event of it was counted any more
    assert store.stats().set_aside == ()
    assert store.gaps(EventQuery()) == ()
    assert not list(tmp_path.glob(f"{gap.file}*"))
    assert store.get(newest.id) == newest


def test_files_that_were_set_aside_give_way_when_there_is_no_room(tmp_path: Path) -> None:
    damaged(tmp_path)
    store = open_events("", tmp_path)
    store.write([make_event(3, at=NOON - timedelta(days=30))])  # beside the damaged one
    room = store.stats().size_bytes
    assert store.shrink(room, NOON) == 0
    assert store.shrink(room - 1, NOON) == 1
    assert store.stats().set_aside == ()
    assert store.count(EventQuery()) == 1


@pytest.mark.parametrize("body", [b"\0", b"5", b"{}", b'{"ecs":1}', None])
def test_an_unreadable_document_is_counted_and_passed_over(
    tmp_path: Path, body: bytes | None
) -> None:
    events = [make_event(seq, ecs={"user.name": "ana"}, fields={"x": seq}) for seq in range(9)]
    store = open_events("", tmp_path)
    store.write(events)
    db = sqlite3.connect(path_of(tmp_path, "2026-11"))
    if body is None:
        db.execute("DELETE FROM document WHERE number = 5")
    else:
        db.execute("UPDATE document SET body = ? WHERE number = 5", (body,))
    db.commit()
    db.close()
    rest = [event for event in events if event.fields["x"] != 4]
    page = store.search(EventQuery(size=5))
    assert (len(page.events), page.unreadable) == (4, 1)
    assert [*page.events, *store.search(EventQuery(after=page.after)).events] == rest[::-1]
    before = total(EVENTS_UNREADABLE)
    assert list(store.scan(EventQuery())) == rest
    assert total(EVENTS_UNREADABLE) - before == 1
    assert store.count(EventQuery("x:>=0")) == len(store.search(EventQuery("x:*")).events) == 8
    assert sum(one.count for one in store.top_values(EventQuery(), "x")) == 8
    assert store.get_many(event.id for event in events) == {one.id: one for one in rest}


def three_months(folder: Path) -> list[Event]:
    """An event of each of three months; what stood for the first month is a folder afterwards."""
    days = (NOON - timedelta(days=60), NOON - timedelta(days=30), NOON)
    events = [make_event(seq, at=day) for seq, day in enumerate(days)]
    store = open_events("", folder)
    store.write(events)
    store.close()
    path = path_of(folder, "2026-09")
    path.unlink()
    path.mkdir()
    return events


def test_a_file_that_cannot_be_used_blocks_only_questions_about_its_month(tmp_path: Path) -> None:
    _, older, newest = three_months(tmp_path)
    store = open_events("", tmp_path)
    since = EventQuery(start=NOON - timedelta(days=40))
    assert [event.id for event in store.search(since).events] == [newest.id, older.id]
    assert list(store.scan(since)) == [older, newest]
    assert store.count(since) == sum(one.count for one in store.histogram(since)) == 2
    assert store.top_values(since, "source")[0].count == 2
    assert store.get(newest.id) == newest
    assert store.get_many([newest.id, "0" * 32]) == {newest.id: newest}
    stats = store.stats()
    assert (stats.events, stats.unusable) == (2, ("events-2026-09.sqlite",))


def test_a_question_that_needs_an_unusable_file_is_told_its_name(tmp_path: Path) -> None:
    lost, _, _ = three_months(tmp_path)
    store = open_events("", tmp_path)
    for ask in (
        lambda: store.search(EventQuery()),
        lambda: store.count(EventQuery("@timestamp:2026-09-23")),
        lambda: list(store.scan(EventQuery(end=NOON - timedelta(days=55)))),
        lambda: store.get(lost.id),
        lambda: store.write([lost]),
    ):
        with pytest.raises(Unavailable) as refusal:
            ask()
        assert "events-2026-09.sqlite" in str(refusal.value)


def test_other_months_are_written_beside_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    three_months(tmp_path)
    store = open_events("", tmp_path)
    late = make_event(7, at=NOON - timedelta(days=60), received_at=NOON)  # may be in the file
    edge = make_event(8, at=NOON.replace(month=10, day=1, hour=0))  # its neighbour is locked, too
    assert store.write([late, edge]) == 2
    assert store.get_many([late.id, edge.id]).keys() == {late.id, edge.id}


def test_retention_passes_over_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    _, older, newest = three_months(tmp_path)
    store = open_events("", tmp_path)
    assert store.prune(NOON) == 1
    assert store.shrink(0, NOON) == 0
    assert store.get_many([older.id, newest.id]) == {newest.id: newest}


def test_a_file_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    db = sqlite3.connect(path_of(tmp_path, "2026-11"))
    db.execute("CREATE TABLE event (something)")
    db.execute("PRAGMA user_version = 99")
    db.close()
    store = open_events("", tmp_path)
    with pytest.raises(Unavailable):
        store.write([make_event(1)])
    with pytest.raises(Unavailable):
        store.search(EventQuery())


def test_a_file_of_the_version_before_is_read_and_written_on(tmp_path: Path) -> None:
    path = path_of(tmp_path, "2026-11")
    old = [make_event(seq, at=NOON + timedelta(minutes=seq)) for seq in range(9)]
    make_first_version(path, old)
    store, other = open_events("", tmp_path), open_events("", tmp_path)
    assert store.count(EventQuery()) == 9
    late = make_event(99, at=NOON + timedelta(minutes=4, seconds=1))
    assert other.write([old[3], late, make_event(100, at=NOON - timedelta(days=9))]) == 2
    assert [one.id for one in store.search(EventQuery(size=6)).events] == [
        one.id for one in (*reversed(old[5:]), late, old[4])
    ]
    assert list(store.scan(EventQuery()))[1:] == [*old[:5], late, *old[5:]]
    assert store.get_many([old[2].id, late.id]) == {old[2].id: old[2], late.id: late}
    assert {one.value: one.count for one in store.top_values(EventQuery(), "source")} == {
        old[0].source: 11
    }


def make_first_version(path: Path, events: list[Event]) -> None:
    """A month as version 1 of the tables kept it: documents under the position of their event."""
    db = events_month.connect(path)
    events_month.insert(db, events)
    db.execute("UPDATE document SET number = -number")
    for position, number in db.execute("SELECT position, kept FROM event").fetchall():
        db.execute("UPDATE document SET number = ? WHERE number = ?", (position, -number))
    db.execute("ALTER TABLE document RENAME COLUMN number TO position")
    db.execute("ALTER TABLE event DROP COLUMN kept")
    db.execute("PRAGMA user_version = 1")
    db.close()


def test_another_store_writes_on_after_a_month_was_set_aside(tmp_path: Path) -> None:
    one, other = open_events("", tmp_path), open_events("", tmp_path)
    one.write([make_event(1)])
    other.write([make_event(2)])
    for path in tmp_path.glob("events-2026-11.sqlite*"):
        path.rename(path.with_name(path.name.replace("sqlite", "sqlite.damaged-1")))
    assert one.write([make_event(3)]) == 1
    assert other.write([make_event(3), make_event(4)]) == 1
    assert other.count(EventQuery()) == 2


def test_a_month_is_deleted_while_somebody_reads_it(tmp_path: Path) -> None:
    store, other = open_events("", tmp_path), open_events("", tmp_path)
    store.write([make_event(seq) for seq in range(9)])
    assert other.count(EventQuery()) == 9
    assert store.prune(NOON + timedelta(days=40)) == 9
    assert other.count(EventQuery()) == 0
    assert list(tmp_path.iterdir()) == []
    assert other.write([make_event(1)]) == 1
    assert store.count(EventQuery()) == 1


def test_the_current_month_is_never_pruned(tmp_path: Path) -> None:
    store = open_events("", tmp_path)
    store.write([make_event(1)])
    assert store.prune(NOON + timedelta(days=8)) == 0
    assert store.prune(NOON + timedelta(days=9)) == 1  # December began


def test_a_search_that_takes_too_long_is_stopped_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_events("", tmp_path)
    store.write([make_event(seq) for seq in range(3_000)])
    monkeypatch.setattr(limits, "QUERY_SECONDS_MAX", 0)
    with pytest.raises(Unavailable) as refusal:
        store.search(EventQuery("nothing:/x.*y/"))
    assert "acorte el intervalo" in str(refusal.value)
    monkeypatch.undo()
    assert store.count(EventQuery("line")) == 3_000


def test_a_full_millisecond_goes_on_in_the_next(tmp_path: Path) -> None:
    store = open_events("", tmp_path)
    store.write([make_event(0), make_event(1, at=NOON + timedelta(milliseconds=1))])
    db = sqlite3.connect(path_of(tmp_path, "2026-11"))
    last = ((milliseconds(NOON) + 1) << SLOT_BITS) - 1
    db.execute(
        "UPDATE event SET position = ? WHERE position = ?", (last, last + 1 - (1 << SLOT_BITS))
    )
    db.commit()
    db.close()
    assert store.write([make_event(2, at=NOON), make_event(3, at=NOON)]) == 2
    assert store.write([make_event(4, at=NOON)]) == 1
    assert store.stats().events == 5
    assert store.get(make_event(3).id) is not None


def test_times_far_away_are_kept(tmp_path: Path) -> None:
    store = open_events("", tmp_path)
    early, late = NOON.replace(year=1), NOON.replace(year=9999)
    events = [make_event(1, at=early, received_at=NOON), make_event(2, at=late, received_at=NOON)]
    assert store.write(events) == 2
    found = store.search(EventQuery()).events
    assert [event.at for event in found] == [late, early]
    assert store.stats().newest is not None


def test_threads_write_and_read_one_store(tmp_path: Path) -> None:
    store = open_events("", tmp_path)
    stored: list[int] = []

    def write(begin: int) -> None:
        for seq in range(begin, begin + 40, 4):
            stored.append(store.write([make_event(one) for one in range(seq, seq + 8)]))
            assert store.search(EventQuery("line", size=3)).events

    threads = [threading.Thread(target=write, args=(begin,)) for begin in (0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(stored) == store.count(EventQuery("line")) == 84
