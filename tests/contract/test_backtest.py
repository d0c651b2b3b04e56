"""A back-test gives the same answer whichever store has the events."""

import json
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cgii.backtest import Backtest, backtest, company_of, rules_in_text
from cgii.base.settings import load
from cgii.centre import Centre, build
from cgii.collect.normalize import normalize
from cgii.model.event import Event, Origin, Raw
from cgii.store import event_slices
from cgii.store.events import EventQuery, open_events
from tests import servers
from tests.event_oracle import make_event
from tests.make import NOW
from tests.ports import free_port

pytestmark = pytest.mark.elasticsearch

START, END = NOW, NOW + timedelta(days=40)  # over the turn of a month
PORTS = """title: Puertos altos
id: 6f1f9d0e-6c60-4f4c-9a4e-0f3f3b0a7a11
level: low
logsource: {product: linux, service: sshd}
detection: {s: {src_port|gte: 4010}, condition: s}
"""
NAMES = """title: Órdenes que no se esperan
id: 6f1f9d0e-6c60-4f4c-9a4e-0f3f3b0a7a12
level: high
logsource: {product: windows, category: process_creation}
detection:
  s: {CommandLine|contains: ['úSUARIO', 'certutil 7']}
  f: {CommandLine|re: '.*9$'}
  condition: s and not f
"""


def events_of(centre: Centre) -> list[Event]:
    """Failed log-ins and started programs on 40 days, as their sources' definitions read them."""
    logins, programs = [], []
    for day in range(0, 40, 3):
        begin = START + timedelta(days=day, hours=2)
        for number in range(25):
            at = begin + timedelta(seconds=2 * number, microseconds=number % 3)
            logins.append(
                f"{at.isoformat()} srv01 sshd[7]: Failed password for root from "
                f"203.0.113.{day % 2} port {4000 + number} ssh2"
            )
            programs.append(
                json.dumps(
                    {
                        "Channel": "Microsoft-Windows-Sysmon/Operational",
                        "EventID": 1,
                        "TimeCreated": at.isoformat(),
                        "Computer": "pc1",
                        "Image": "C:\\Windows\\certutil.exe",
                        "CommandLine": f"certutil {number} usuario",
                    }
                )
            )
    found: list[Event] = []
    for source, lines in (("linux_auth", logins), ("windows_events", programs)):
        raws = [Raw(number, line.encode()) for number, line in enumerate(lines)]
        for place in range(0, len(raws), 60):  # batches come as time goes by, also in December
            part = raws[place : place + 60]
            received_at = START + (END - START) * (place / len(raws))
            read = normalize(
                Origin(source, source, "1"), part, centre.definitions, received_at=received_at
            )
            assert not read.rejected
            found += read.events
    return found


@pytest.fixture(scope="module")
def centres(
    elasticsearch_server: servers.SearchServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Centre]]:
    """Two centres with the same events, one in files and one in indices."""
    url = f"{elasticsearch_server.url}/t{secrets.token_hex(6)}"
    both = [build(load(data=tmp_path_factory.mktemp("data"), events=given)) for given in ("", url)]
    events = events_of(both[0])
    for centre in both:
        assert centre.events.write(events) == len(events)
    yield both
    for centre in both:
        centre.close()
    servers.drop_indices(url)
    servers.drop_templates(url)


def told(found: Backtest) -> dict[str, Any]:
    """All of an answer but how long it took."""
    return found.to_json() | {"seconds": 0}


@pytest.mark.parametrize("text", [PORTS, NAMES], ids=["numbers", "texts"])
def test_a_rule_finds_the_same(centres: list[Centre], text: str) -> None:
    answers = []
    for centre in centres:
        rules, rule_id = rules_in_text(centre, text)
        answers.append(told(backtest(centre, rules, start=START, end=END, rule_id=rule_id)))
    assert answers[0] == answers[1]
    assert answers[0]["alerts"] > 10
    assert answers[0]["is_whole"]


def test_a_correlation_finds_the_same_in_small_slices_too(
    centres: list[Centre], monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = centres[0].content.rules
    counting = [one for one in rules.correlations if one.name == "ssh_brute_force"]
    assert counting
    whole: dict[str, Any] = {}
    for slice_events in (event_slices.SLICE_EVENTS, 30):
        monkeypatch.setattr(event_slices, "SLICE_EVENTS", slice_events)
        for rule in counting:
            company = company_of(rules, rule.id)
            answers = [
                told(backtest(centre, company, start=START, end=END, rule_id=rule.id))
                for centre in centres
            ]
            assert answers[0] == answers[1], rule.name
            assert whole.setdefault(rule.id, answers[0]) == answers[0]
    assert any(answer["alerts"] for answer in whole.values())


def test_hunting_gives_the_same_pages(centres: list[Centre]) -> None:
    for text in ("failed", "usuario", "source.ip:203.0.113.0/24", "CommandLine:/.*[13579] .*/"):
        pages = []
        for centre in centres:
            query = EventQuery(text, start=START, end=END, size=500)
            found = {event.id: event for event in centre.events.search(query).events}
            pages.append((found, centre.events.histogram(query), centre.events.count(query)))
        assert pages[0] == pages[1]
        assert pages[0][2] > 100


def test_the_doctor_names_the_store(centres: list[Centre], tmp_path: Path) -> None:
    from cgii.cli.doctor import _events
    from cgii.web.health import problems

    assert "(SQLite)" in _events(centres[0]).sentence
    found = _events(centres[1])
    assert found.is_good
    assert "(Elasticsearch 8." in found.sentence
    assert problems(centres[1]) == []
    left = open_events("", tmp_path / "events")
    left.write([make_event(1)])
    left.close()
    moved = build(load(data=tmp_path, events=centres[1].settings.events))
    assert not _events(moved).is_good
    assert "no ven los archivos de 2026-11" in _events(moved).sentence
    assert "cgii move-events" in _events(moved).sentence
    moved.close()
    gone = build(load(data=tmp_path, events=f"http://127.0.0.1:{free_port()}/cgii"))
    assert not _events(gone).is_good
    assert "no responde" in _events(gone).sentence
    assert "events: no answer" in problems(gone)
    gone.close()
