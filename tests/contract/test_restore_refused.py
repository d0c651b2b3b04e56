"""`cgii restore-events` with an index: what was refused comes back when the cause is gone."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cgii.base.errors import Invalid, Unavailable
from cgii.centre import Centre
from cgii.cli.app import build
from cgii.model.event import Event
from cgii.store.events import EventQuery, EventStore, open_events
from tests import servers
from tests.contract.test_elastic_faults import ask
from tests.event_oracle import NOON, make_event
from tests.fault_proxy import CUT_BEFORE, Proxy, fault_proxy

pytestmark = pytest.mark.elasticsearch

SITE = "_component_template/{}@custom"
MONTH = "{}-events-2026-11"
LONG = {"user": {"properties": {"name": {"type": "long"}}}}
COUNT = 600  # more than are read at once


def named(seq: int, name: str) -> Event:
    return make_event(seq, ecs={"user.name": name}, at=NOON, received_at=NOON)


def mend(url: str) -> None:
    """Have November take any name."""
    lenient = {"properties": {"user": {"properties": {"name": {"type": "long"}}}}}
    lenient["properties"]["user"]["properties"]["name"]["ignore_malformed"] = True  # type: ignore[assignment]
    ask(url, "PUT", f"{MONTH}/_mapping", lenient)


def aside(url: str) -> int:
    """How many are set aside."""
    ask(url, "POST", "{}-refused/_refresh")
    return int(ask(url, "GET", "{}-refused/_count")["count"])


@pytest.fixture
def store(
    elastic_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EventStore]:
    """The store of a centre whose site had the template make names numbers."""
    monkeypatch.setitem(Centre.__init__.__kwdefaults__, "now", lambda: NOON)
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    monkeypatch.setenv("CGII_EVENTS", elastic_url)
    ask(elastic_url, "PUT", SITE, {"template": {"mappings": {"properties": LONG}}})
    store = open_events(elastic_url, Path())
    store.write([named(0, "1")])
    yield store
    store.close()
    servers.drop_indices(elastic_url)
    ask(elastic_url, "DELETE", "_index_template/{}-events")
    ask(elastic_url, "DELETE", SITE)


@pytest.fixture
def name(elastic_url: str) -> str:
    """What the index of the refused is called."""
    return f"{elastic_url.rpartition('/')[2]}-refused"


def run(*words: str) -> Result:
    return CliRunner().invoke(build("restore-events"), ["restore-events", *words])


def test_what_was_refused_comes_back_and_is_set_aside_no_longer(
    store: EventStore, elastic_url: str, name: str
) -> None:
    refused = [named(seq, "ana") for seq in range(1, 4)]
    store.write(refused)
    doctor = CliRunner().invoke(build("doctor"), ["doctor"])
    assert f"{name} (3): corregida la causa" in doctor.stdout
    assert f"`cgii restore-events {name}`" in doctor.stdout
    mend(elastic_url)
    assert store.write(refused[:1]) == 1  # its sender came again
    done = run(name)
    assert done.exit_code == 0, done.output
    assert (
        f"{name}: 3 eventos leídos, 2 devueltos, 1 ya estaban, 0 rechazados otra vez, 0 dañados"
    ) in done.stdout
    assert store.count(EventQuery("user.name:ana")) == 3
    assert (store.stats().events, store.stats().set_aside) == (4, ())
    assert store.get_many(one.id for one in refused) == {one.id: one for one in refused}
    assert f"{name}: 0 eventos leídos, 0 devueltos" in run(name).stdout
    trail = CliRunner().invoke(build("verify-audit"), ["verify-audit"])
    assert trail.exit_code == 0, trail.output


def test_the_deed_is_in_the_audit_trail(
    store: EventStore, elastic_url: str, name: str, tmp_path: Path
) -> None:
    store.write([named(1, "ana")])
    mend(elastic_url)
    run(name)
    assert audited(tmp_path) == [
        {"damaged": 0, "index": name, "new": 1, "read": 1, "refused": 0},
    ]


def audited(data: Path) -> list[object]:
    """What the trail says of each return."""
    with contextlib.closing(sqlite3.connect(data / "cgii.sqlite")) as db:
        sql = "SELECT data FROM audit_entry WHERE action = 'events.restored'"
        return [json.loads(data) for (data,) in db.execute(sql)]


def test_what_is_refused_again_stays_and_the_rest_comes_back(
    store: EventStore, elastic_url: str, name: str
) -> None:
    store.write([named(1, "ana"), named(2, "eva")])
    other = make_event(3, at=NOON, received_at=NOON)
    kept = ask(elastic_url, "GET", f"{name}/_doc/{named(1, '').id}")["_source"]
    store.write([other])
    body = {**kept, "body": kept["body"].replace('"ana"', '"7"')}
    ask(elastic_url, "PUT", f"{name}/_doc/{named(1, '').id}?refresh=true", body)
    done = run(name)
    assert done.exit_code == 3, done.output
    assert "2 eventos leídos, 1 devueltos, 0 ya estaban, 1 rechazados otra vez" in done.stdout
    assert f"{named(2, '').id}: " in done.stderr
    assert f"sigue en {name}" in done.stderr
    assert aside(elastic_url) == 1
    assert store.get(named(2, "").id) == named(2, "eva")


def test_what_its_month_cannot_take_goes_to_the_current_one(
    store: EventStore, elastic_url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = named(1, "ana")
    store.write([refused])
    ask(elastic_url, "PUT", SITE, {"template": {}})  # mended; November was made and stays so
    later = NOON + timedelta(days=70)
    monkeypatch.setitem(Centre.__init__.__kwdefaults__, "now", lambda: later)
    done = run(name)
    assert done.exit_code == 0, done.output
    assert "1 devueltos" in done.stdout
    assert store.get(refused.id) == refused
    assert store.count(EventQuery("user.name:ana")) == 1
    assert ask(elastic_url, "GET", "{}-events-2027-01/_count")["count"] == 1
    assert store.write([refused]) == 0  # also sent again it is there once
    assert aside(elastic_url) == 0


def test_what_somebody_changed_by_hand_is_damaged_and_stays(
    store: EventStore, elastic_url: str, name: str
) -> None:
    store.write([named(1, "ana")])
    mend(elastic_url)
    for key, document in {
        "note": {"body": "{}"},
        "0" * 32: {"body": 5},
        "1" * 32: {"reason": "none"},
        "2" * 32: {"body": "{"},
    }.items():
        ask(elastic_url, "PUT", f"{name}/_doc/{key}", document)
    done = run(name)
    assert done.exit_code == 3, done.output
    assert "5 eventos leídos, 1 devueltos, 0 ya estaban, 0 rechazados otra vez, 4 dañados" in (
        done.stdout
    )
    assert aside(elastic_url) == 4


def test_a_closed_index_and_none_are_told(store: EventStore, elastic_url: str, name: str) -> None:
    ask(elastic_url, "POST", f"{name}/_close")
    done = run(name)
    assert isinstance(done.exception, Unavailable)
    assert "cerrado" in str(done.exception)
    ask(elastic_url, "DELETE", name)
    assert "0 eventos leídos" in run(name).stdout


def test_another_index_is_not_ours(store: EventStore) -> None:
    done = run("otro-refused")
    assert isinstance(done.exception, Invalid)
    assert "no en otro-refused" in str(done.exception)


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize("request_number", [1, 2, 3])
def test_a_return_that_is_killed_is_repeated(
    store: EventStore,
    elastic_url: str,
    name: str,
    tmp_path: Path,
    request_number: int,
    passed: bool,
) -> None:
    store.write([named(seq, "ana") for seq in range(1, COUNT + 1)])
    mend(elastic_url)
    with fault_proxy(elastic_url.rpartition("/")[0]) as proxy:
        _kill_at(proxy, elastic_url.rpartition("/")[2], name, request_number, passed=passed)
    ids = {named(seq, "").id for seq in range(COUNT + 1)}
    assert set(store.get_many(ids)) == ids
    done = run(name)
    assert done.exit_code == 0, done.output
    assert store.count(EventQuery()) == store.stats().events == COUNT + 1
    assert aside(elastic_url) == 0


def _kill_at(proxy: Proxy, prefix: str, name: str, number: int, *, passed: bool) -> None:
    """Run the command and kill it while its n-th bulk request is under way."""
    environment = os.environ | {"CGII_EVENTS": f"{proxy.url}/{prefix}"}
    command = [sys.executable, "-m", "cgii", "restore-events", name]
    process = subprocess.Popen(command, env=environment)

    def kill() -> None:
        if proxy.bulks == number:
            process.kill()
            process.wait()

    proxy.before = kill
    if not passed:
        proxy.faults = deque([None] * (number - 1) + [CUT_BEFORE])  # type: ignore[list-item]
    assert process.wait() == -9
