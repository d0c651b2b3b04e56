"""Back-tests over stored events: the same with and without narrowing; the command and the job."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgii.backtest import Backtest, backtest, company_of, rules_for, rules_in_text
from cgii.base.errors import Invalid, NotFound
from cgii.base.settings import load
from cgii.centre import Centre, build
from cgii.collect.normalize import normalize
from cgii.detect.ruleset import load_rules
from cgii.model.event import Origin, Raw
from cgii.store import event_slices
from cgii.store.queue import enqueue
from cgii.worker import run_one
from tests.make import NOW

START, END = NOW, NOW + timedelta(days=3)
SYSMON = "Microsoft-Windows-Sysmon/Operational"
RULE = """title: Puerto {port}
id: 6f1f9d0e-6c60-4f4c-9a4e-0f3f3b0a7a11
level: low
logsource: {{product: linux, service: sshd}}
detection: {{s: {{src_port: {port}}}, condition: s}}
"""


def failed_login(at: datetime, number: int, address: str) -> str:
    return (
        f"{at.isoformat()} srv01 sshd[7]: Failed password for root from {address} "
        f"port {4000 + number} ssh2"
    )


def windows(at: datetime, event_id: int, **data: Any) -> str:
    channel = SYSMON if event_id < 100 else "Security"
    return json.dumps(
        {"Channel": channel, "EventID": event_id, "TimeCreated": at.isoformat(), "Computer": "pc1"}
        | data
    )


def store(centre: Centre, source: str, lines: list[str]) -> None:
    raws = [Raw(number, line.encode()) for number, line in enumerate(lines)]
    read = normalize(Origin(source, source, "1"), raws, centre.definitions, received_at=END)
    assert not read.rejected
    centre.events.write(read.events)


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """Three days: 20 failed log-ins in a minute of each, and Windows events of several kinds."""
    centre = build(load(data=tmp_path_factory.mktemp("data")))
    logins, others = [], []
    for day in range(3):
        begin = START + timedelta(days=day, hours=2)
        address = f"203.0.113.{day % 2}"
        logins += [failed_login(begin + timedelta(seconds=2 * n), n, address) for n in range(20)]
        for n in range(30):
            at = begin + timedelta(minutes=n)
            others += [
                windows(at, 1, Image="C:\\Windows\\certutil.exe", CommandLine=f"certutil {n}"),
                windows(at, 4688, NewProcessName="C:\\Windows\\certutil.exe"),
                windows(at, 22, QueryName="x.example"),
                windows(at, 4625, TargetUserName="root", IpAddress="203.0.113.9"),
            ]
    store(centre, "linux_auth", logins)
    store(centre, "windows_events", others)
    centre.events.write(  # of a source that is known no more, and says nothing of itself
        [
            replace_source(event)
            for event in normalize(
                Origin("syslog", "old", "1"),
                [Raw(0, failed_login(START, 5, "198.51.100.1").encode())],
                centre.definitions,
                received_at=END,
            ).events
        ]
    )
    yield centre
    centre.close()


def replace_source(event: Any) -> Any:
    event.source = "una_de_antes"
    return event


def found(centre: Centre, wanted: str, **given: Any) -> Backtest:
    return backtest(centre, rules_for(centre, wanted), start=START, end=END, **given)


def facts(one: Backtest) -> tuple[object, ...]:
    return one.alerts, one.matches, one.days, one.groups, one.samples


def test_a_correlation_gives_its_alerts_by_day_and_key(centre: Centre) -> None:
    one = found(centre, "ssh_brute_force")

    assert (one.kind, one.alerts, one.matches) == ("correlation", 3, 60)
    assert [count for _, count in one.days if count] == [1, 1, 1]
    assert [(dict(group.key)["source.ip"], group.count) for group in one.groups] == [
        ("203.0.113.0", 2),
        ("203.0.113.1", 1),
    ]
    assert one.events < 100  # the store left the Windows events out
    assert one.is_whole
    assert one.until == END
    assert "20" in one.samples[0].summary


def test_a_text_that_is_not_saved_can_be_tried(centre: Centre) -> None:
    rules, rule_id = rules_in_text(centre, RULE.format(port=4003))
    one = backtest(centre, rules, start=START, end=END, rule_id=rule_id)

    assert (one.alerts, one.title) == (3, "Puerto 4003")
    assert len(one.samples) == 3
    assert centre.events.get(one.samples[0].event_id) is not None


def test_a_text_that_changes_a_rule_in_force_is_tried_in_its_place(centre: Centre) -> None:
    rule = centre.content.rules.by_id[rules_for(centre, "ssh_brute_force").correlations[0].id]
    changed = rule.text.replace("Fuerza bruta", "Otra fuerza")
    assert changed != rule.text

    rules, rule_id = rules_in_text(centre, changed)
    one = backtest(centre, rules, start=START, end=END, rule_id=rule_id)
    assert (one.rule_id, one.alerts) == (rule.id, 3)
    assert one.title.startswith("Otra fuerza")


@pytest.mark.parametrize("text", ["", "title: x", "title: [", RULE.format(port="{a: 1}")])
def test_a_text_that_is_no_rule_is_answered_with_a_sentence(centre: Centre, text: str) -> None:
    with pytest.raises(Invalid, match="La regla no se puede usar"):
        rules_in_text(centre, text)


def test_an_unknown_rule_and_an_empty_interval_are_answered(centre: Centre) -> None:
    with pytest.raises(NotFound):
        rules_for(centre, "nada")
    with pytest.raises(Invalid, match="vacío"):
        backtest(centre, rules_for(centre, "ssh_brute_force"), start=END, end=START)


def test_the_interval_counts_from_its_start_and_before_its_end(centre: Centre) -> None:
    rules, rule_id = rules_in_text(centre, RULE.format(port=4003))
    at = START + timedelta(hours=2, seconds=6)

    def alerts(start: datetime, end: datetime) -> int:
        return backtest(centre, rules, start=start, end=end, rule_id=rule_id).alerts

    assert alerts(at, at + timedelta(microseconds=1)) == 1
    assert alerts(at - timedelta(microseconds=1), at) == 0
    assert alerts(at + timedelta(microseconds=1), at + timedelta(seconds=1)) == 0


@pytest.mark.parametrize(
    "name", sorted({rule.name for rule in load_rules().all if rule.name})[:400]
)
def test_narrowing_never_changes_what_a_shipped_rule_finds(centre: Centre, name: str) -> None:
    narrowed, whole = found(centre, name), found(centre, name, query="")

    assert facts(narrowed) == facts(whole)
    assert narrowed.events <= whole.events == 421


LOGSOURCES = st.fixed_dictionaries(
    {},
    optional={
        "product": st.sampled_from(["windows", "linux", "zeek", "otra"]),
        "category": st.sampled_from(["process_creation", "dns_query", "authentication"]),
        "service": st.sampled_from(["security", "sysmon", "sshd", "auth"]),
    },
)
ITEMS = st.dictionaries(
    st.sampled_from(["EventID", "Channel", "program", "Image|endswith", "src_port|gte"]),
    st.sampled_from([1, 4688, "4625", SYSMON, "sshd", "\\certutil.exe", 4010]),
    min_size=1,
    max_size=2,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(logsource=LOGSOURCES, one=ITEMS, other=ITEMS, shape=st.sampled_from(
    ["one", "one or other", "one and other", "one and not other", "not one"]
))  # fmt: skip
def test_narrowing_never_changes_what_any_rule_finds(
    centre: Centre, logsource: dict[str, str], one: Any, other: Any, shape: str
) -> None:
    text = json.dumps(
        {
            "title": "x", "id": "r1", "logsource": logsource, "level": "low",
            "detection": {"one": one, "other": other, "condition": shape},
        }
    )  # fmt: skip
    try:
        rules, rule_id = rules_in_text(centre, text)
    except Invalid:
        return  # a number where a text is due
    narrowed = backtest(centre, rules, start=START, end=END, rule_id=rule_id)
    whole = backtest(centre, rules, start=START, end=END, rule_id=rule_id, query="")

    assert facts(narrowed) == facts(whole)


def test_slices_of_any_size_give_every_event_once_and_in_order(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = facts(found(centre, "ssh_brute_force"))
    for size in (1, 7, 60):
        monkeypatch.setattr(event_slices, "SLICE_EVENTS", size)
        assert facts(found(centre, "ssh_brute_force")) == whole


def test_a_reader_of_one_entity_learns_nothing_of_others(centre: Centre) -> None:
    assert found(centre, "ssh_brute_force", entity_ids=frozenset({1})).events == 0


def test_the_job_tells_how_far_it_is_and_keeps_the_result(centre: Centre) -> None:
    arguments = {"start": START.isoformat(), "end": END.isoformat()}
    with centre.database.transaction() as session:
        good = enqueue(session, "backtest", now=NOW, rule_id="ssh_brute_force", **arguments)
        bad = enqueue(session, "backtest", now=NOW, rule_id="nada", **arguments)
        text = enqueue(session, "backtest", now=NOW, text=RULE.format(port=4003), **arguments)
    for _ in range(3):
        assert run_one(centre, "prueba")

    with centre.database.reading() as session:
        jobs = [session.get(type(good), one.id) for one in (good, bad, text)]
        assert [job.state for job in jobs if job] == ["done", "parked", "done"]
        result = jobs[0].result["backtest"] if jobs[0] else {}
        assert (result["alerts"], result["groups"][0]["key"]) == (3, {"source.ip": "203.0.113.0"})
        assert "nada" in (jobs[1].last_error if jobs[1] else "")


def test_a_job_that_is_asked_to_stop_keeps_what_it_has(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_slices, "SLICE_EVENTS", 10)
    stopped = found(centre, "ssh_brute_force", progress=lambda percent, text: percent > 30)

    assert not stopped.is_whole
    assert START < stopped.until < END
    assert 0 < stopped.alerts < 3


def run(data: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cgii", "backtest", *map(str, arguments)],
        capture_output=True, text=True, timeout=600, check=False,
        env={"CGII_DATA": str(data), "PATH": "/usr/bin:/bin", "COLUMNS": "120"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_command_prints_a_table_or_json(centre: Centre, tmp_path: Path) -> None:
    data = centre.settings.data
    path = tmp_path / "propia.yml"
    path.write_text(RULE.format(port=4003))

    shown = run(data, "ssh_brute_force", "--from", "2026-11-20", "--to", "2026-11-23").stdout
    assert "3 alertas" in shown
    assert "source.ip=203.0.113.0" in shown
    assert "█" in shown
    told = json.loads(run(data, path, "--from", "2026-11-20", "--json").stdout)
    assert (told["alerts"], told["title"]) == (3, "Puerto 4003")
    assert "ninguna alerta" in run(data, path, "--from", "2026-11-01", "--to", "2026-11-02").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nada",), "No hay una regla"),
        (("ssh_brute_force", "--from", "ayer"), "no es una fecha"),
        (("ssh_brute_force", "--from", "2026-11-23", "--to", "2026-11-20"), "vacío"),
    ],
)
def test_what_cannot_be_asked_is_answered_with_a_sentence(
    centre: Centre, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in run(centre.settings.data, *arguments, code=2).stderr


def test_only_the_rule_and_what_it_counts_are_examined() -> None:
    rules = load_rules()
    [rule] = [one for one in rules.correlations if one.name == "ssh_brute_force"]
    company = company_of(rules, rule.id)

    assert {one.id for one in company.all} == {rule.id, *rule.rule_ids}
