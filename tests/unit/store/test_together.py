"""Threads that wait to write are written together, and none fails for another one's sake."""

import threading
from collections.abc import Sequence

import pytest

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.model.event import Event, LogSource
from cgii.store.together import Together
from tests.make import NOW
from tests.waiting import until


class Store:
    """Keeps events; the first writing waits until `go`, and a bad event spoils its transaction."""

    def __init__(self) -> None:
        self.written: list[list[str]] = []  # the ids of each transaction
        self.kept: set[str] = set()
        self.bad: set[str] = set()
        self.begun, self.go = threading.Event(), threading.Event()
        self.together = Together(self.write, threading.Lock())
        self.answers: dict[str, int | None] = {}  # None: it was refused
        self._threads: list[threading.Thread] = []

    def write(self, events: Sequence[Event]) -> set[str]:
        self.begun.set()
        assert self.go.wait(60)
        ids = [event.id for event in events]
        self.written.append(ids)
        if self.bad.intersection(ids):
            raise Unavailable("no")
        new = {*ids} - self.kept
        self.kept |= new
        return new

    def ask(self, name: str, *numbers: int) -> None:
        """In a thread of its own; returns once it waits."""

        def write() -> None:
            try:
                self.answers[name] = self.together.write(list(map(numbered, numbers)))
            except Unavailable:
                self.answers[name] = None

        waiting = len(self._threads)
        self._threads.append(threading.Thread(target=write))
        self._threads[-1].start()
        assert self.begun.wait(60)
        until(lambda: len(self.together._waiting) == waiting, f"{name} waits")

    def end(self) -> None:
        self.go.set()
        for thread in self._threads:
            thread.join(60)


def numbered(number: int) -> Event:
    return Event(f"{number:032x}", NOW, NOW, "syslog", LogSource(), {}, {}, "", None, None, ())


def sizes(store: Store) -> list[int]:
    return [len(ids) for ids in store.written]


def test_those_that_wait_go_into_one_transaction_and_each_hears_of_its_own() -> None:
    store = Store()
    store.ask("first", 1)
    store.ask("second", 2, 3)
    store.ask("third", 3, 4)
    store.ask("fourth", 1)
    store.end()

    assert sizes(store) == [1, 5]
    assert store.answers["first"] == 1
    assert store.answers["fourth"] == 0
    # Of an event that two bring, one of them is told that it was new.
    assert {store.answers["second"], store.answers["third"]} == {1, 2}


def test_who_is_refused_spoils_no_others() -> None:
    store = Store()
    store.bad = {numbered(3).id}
    store.ask("first", 1)
    store.ask("second", 2)
    store.ask("bad", 3)
    store.ask("fourth", 4)
    store.end()

    assert store.answers == {"first": 1, "second": 1, "bad": None, "fourth": 1}
    assert store.kept == {numbered(number).id for number in (1, 2, 4)}


def test_a_transaction_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BATCH_RECORDS_MAX", 3)
    store = Store()
    store.ask("first", 1)
    for number in (2, 4, 6):
        store.ask(str(number), number, number + 1)
    store.end()

    assert max(sizes(store)) <= 3
    assert store.kept == {numbered(number).id for number in range(1, 8)}
