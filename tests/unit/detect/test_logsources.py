"""Which events a rule's logsource means, with the table that is shipped."""

from pathlib import Path

import pytest

from cgii.detect.detector import Detector
from cgii.detect.logsources import load_logsources
from cgii.detect.ruleset import load_rules
from cgii.model.event import LogSource
from tests.unit.detect.build import event, fires, rule_text, rules

SYSMON = "Microsoft-Windows-Sysmon/Operational"
WINDOWS = LogSource("windows")


def meant(logsource: str, fields: dict[str, object], source: LogSource) -> bool:
    return fires("sel: {x: 1}", {"x": 1, **fields}, logsource=logsource, seen_as=source)


@pytest.mark.parametrize(
    ("logsource", "fields", "source", "expected"),
    [
        ("{product: windows, service: security}", {"Channel": "Security"}, WINDOWS, True),
        ("{product: windows, service: security}", {"Channel": "System"}, WINDOWS, False),
        ("{product: windows, category: process_creation}",
         {"Channel": SYSMON, "EventID": 1}, WINDOWS, True),
        ("{product: windows, category: process_creation}",
         {"Channel": SYSMON, "EventID": "1"}, WINDOWS, True),
        ("{product: windows, category: process_creation}",
         {"Channel": "Security", "EventID": 4688}, WINDOWS, True),
        ("{product: windows, category: process_creation}",
         {"Channel": "Application", "EventID": 1}, WINDOWS, False),
        ("{product: windows, category: process_creation}", {},
         LogSource("windows", "process_creation"), True),
        ("{product: windows, category: process_creation, service: sysmon}",
         {"Channel": SYSMON, "EventID": 1}, WINDOWS, True),
        ("{product: windows, category: process_creation, service: sysmon}",
         {"Channel": "Security", "EventID": 4688}, WINDOWS, False),
        ("{product: windows}", {"Channel": "Anything"}, WINDOWS, True),
        ("{product: linux}", {"Channel": "Security"}, WINDOWS, False),
        ("{product: linux, service: auth}", {}, LogSource("linux", "", "sshd"), True),
        ("{product: linux, service: sshd}", {"program": "sshd"},
         LogSource("linux", "", "auth"), True),
        ("{product: linux, service: sshd}", {"program": "cron"},
         LogSource("linux", "", "auth"), False),
        ("{category: dns}", {}, LogSource("zeek", "", "dns"), True),
        ("{category: dns}", {}, LogSource("suricata", "", "dns"), True),
        ("{category: dns}", {}, LogSource("zeek", "", "http"), False),
        ("{category: webserver}", {}, LogSource("", "webserver"), True),
        ("{product: apache, category: webserver}", {}, LogSource("", "webserver"), False),
        ("{product: WINDOWS, service: Security}", {"Channel": "security"},
         LogSource("Windows"), True),
        ("{}", {}, LogSource("acme", "x", "y"), True),
        ("{}", {}, LogSource(), True),
    ],
)  # fmt: skip
def test_logsources(
    logsource: str, fields: dict[str, object], source: LogSource, expected: bool
) -> None:
    assert meant(logsource, fields, source) is expected


@pytest.mark.parametrize(
    ("logsource", "source", "expected"),
    [
        ("{product: acme, service: login}", LogSource("acme"), True),
        ("{product: acme, service: login}", LogSource("acme", "", "mail"), False),
        ("{product: acme}", LogSource("other"), False),
        ("{category: proxy}", LogSource(), True),
    ],
)
def test_what_an_unknown_producer_does_not_say_keeps_no_rule_away(
    logsource: str, source: LogSource, expected: bool
) -> None:
    assert meant(logsource, {}, source) is expected


def test_renamed_fields_are_found_where_the_producer_keeps_them() -> None:
    rule = "sel: {Image|endswith: cmd.exe}"
    source = "{product: windows, category: process_creation}"
    audit = {"Channel": "Security", "EventID": 4688, "NewProcessName": r"C:\cmd.exe"}
    assert fires(rule, audit, logsource=source, seen_as=WINDOWS)
    own = {**audit, "Image": "other"}
    assert not fires(rule, own, logsource=source, seen_as=WINDOWS)


def test_a_rename_is_for_its_own_logsource_alone() -> None:
    audit = {"Channel": "Security", "EventID": 4688, "NewProcessName": r"C:\cmd.exe"}
    rule = "sel: {Image|endswith: cmd.exe}"
    source = "{product: windows, service: security}"
    assert not fires(rule, audit, logsource=source, seen_as=WINDOWS)


def test_a_field_that_tells_the_class_is_still_compared_exactly() -> None:
    text = rule_text(
        "sel: {EventID: [4624, 4625]}\nno: {EventID|endswith: '5'}\ncondition: sel and not no",
        logsource="{product: windows, service: security}",
    )
    detector = Detector(rules(text))
    seen = [
        event({"Channel": "Security", "EventID": i}, number=i, logsource=WINDOWS)
        for i in (4624, 4625, 4626)
    ]
    assert [match.event.fields["EventID"] for match in detector.match(seen)] == [4624]


def test_the_site_may_bring_its_own_table(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "logsources.yml").write_text(
        "producers: [{product: acme}]\n"
        "sources:\n"
        "- logsource: {product: acme, category: login}\n"
        "  events: [{when: {kind: login}, fields: {user: usr}}]\n"
        "- logsource: {product: bad}\n"
        "  events: []\n"
    )
    table = load_logsources(tmp_path)
    assert len(table.meanings) == 1
    assert [error.line for error in table.rejected] == [5]
    loaded = load_rules(tmp_path, builtin=False)
    assert [error.place for error in loaded.rejected] == [f"{folder / 'logsources.yml'}:5"]


def test_a_field_may_tell_the_class_of_one_event_and_be_renamed_in_another(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "logsources.yml").write_text(
        "producers: [{product: acme}]\n"
        "sources:\n"
        "- logsource: {product: acme, category: login}\n"
        "  events: [{when: {old: 1}, fields: {kind: k2}}, {when: {kind: [login, out]}}]\n"
    )
    (folder / "sigma").mkdir()
    source = "{product: acme, category: login}"
    (folder / "sigma" / "r.yml").write_text(rule_text("sel: {kind: login}", logsource=source))
    detector = Detector(load_rules(tmp_path))
    acme = LogSource("acme")
    seen = [{"kind": "login"}, {"kind": "out"}, {"old": 1, "k2": "login"}, {"k2": "login"}]
    found = detector.match([event(f, number=n, logsource=acme) for n, f in enumerate(seen)])
    assert [m.event.fields for m in found if m.rule.id == "prueba"] == [seen[0], seen[2]]


def test_the_shipped_table_has_no_errors() -> None:
    assert load_logsources().rejected == ()
