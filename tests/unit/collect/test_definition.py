"""Definitions are read whole, and every mistake is told with its line."""

from pathlib import Path

import pytest

from cgii.base import limits
from cgii.collect.definition import load_definitions, read_definition
from cgii.collect.files import read_records
from cgii.collect.line_patterns import any_of, compile_pattern, literal_prefix
from cgii.collect.normalize import normalize
from cgii.model.event import Origin
from tests.make import NOW

GOOD = """\
name: demo_app
title: Programa
description: Un programa de prueba.
parser: patterns
time:
  - {field: when, format: iso}
logsource: {product: demo}
patterns:
  - name: line
    regex: '^(?P<when>\\S+) (?P<user>\\w+)$'
"""


def site(tmp_path: Path, text: str, name: str = "demo_app") -> Path:
    folder = tmp_path / "collectors"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return tmp_path


def problems(tmp_path: Path, text: str) -> list[tuple[int | None, str]]:
    found = load_definitions(site(tmp_path, text))
    assert "demo_app" not in found.by_name
    return [(problem.line, problem.reason) for problem in found.rejected]


def test_shipped_definitions_are_all_good() -> None:
    found = load_definitions()
    assert found.rejected == ()
    assert "linux_auth" in found.by_name
    assert found.by_program["sshd"] == "linux_auth"


def test_a_sites_definition_stands_beside_ours(tmp_path: Path) -> None:
    found = load_definitions(site(tmp_path, GOOD))
    assert found.rejected == ()
    assert {"demo_app", "linux_auth"} <= set(found.by_name)
    assert found.by_name["demo_app"].title == "Programa"


def test_a_sites_definition_replaces_ours_of_the_same_name(tmp_path: Path) -> None:
    found = load_definitions(site(tmp_path, GOOD.replace("demo_app", "syslog"), "syslog"))
    assert found.by_name["syslog"].parser == "patterns"


def test_a_wrong_definition_hides_no_other(tmp_path: Path) -> None:
    found = load_definitions(site(tmp_path, "name: [1,"))
    assert len(found.rejected) == 1
    assert "linux_auth" in found.by_name


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("parser: patterns", "parser: magic"), 4, "magic"),
        (("format: iso", "format: iso9"), 6, "iso9"),
        (("name: demo_app", "name: other"), 1, "demo_app"),
        (("(?P<user>", "(?P<user"), 10, "RE2"),
        (("^(?P<when>\\S+)", "^(?P<when>(?=x)\\S+)"), 10, "RE2"),
        (("logsource: {product: demo}", "logsource: {produkt: demo}"), 7, "produkt"),
        (("title: Programa", "titel: Programa"), 2, "titel"),
        (("title: Programa", "title: [a]"), 2, "texto"),
        (("title: Programa", "title: a\nzone: Marte/Olimpo"), 3, "Marte"),
        (("title: Programa", "title: a\necs: {a: {from: b, as: c}}"), 3, "«c»"),
        (("title: Programa", "title: a\necs: {a: {as: ip}}"), 3, "from"),
        (("title: Programa", "title: a\ntitle: b"), 3, "dos veces"),
        (("title: Programa", "title: a\noptions: {speed: 9}"), 3, "speed"),
        (("    regex", "    extra: 1\n    regex"), 10, "extra"),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, said: str
) -> None:
    assert change[0] in GOOD
    found = problems(tmp_path, GOOD.replace(*change))
    assert any(line == at and said in reason for at, reason in found), found


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("format: iso", "format: x").replace("parser: patterns", "parser: y")
    assert len(problems(tmp_path, text)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b",
        "just text",
        "a: &x [1]\nb: *x",
        "\t: {",
        "name: !!python/object:os.x {}",
        "1: 2",
    ],
)
def test_what_is_no_definition_is_rejected_not_raised(tmp_path: Path, text: str) -> None:
    path = tmp_path / "demo_app.yml"
    path.write_text(text, encoding="utf-8")
    definition, found = read_definition(path)
    assert definition is None
    assert found


def test_bytes_that_are_no_text_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "demo_app.yml"
    path.write_bytes(b"\xff\xfe\x00")
    assert read_definition(path)[1]


@pytest.mark.parametrize(
    ("regex", "prefix"),
    [
        (r"^Failed (\S+)", "Failed "),
        (r"^new user: name=", "new user: name="),
        (r"^\(to (\S+)", "(to "),
        (r"^abc?d", "ab"),
        (r"^abc*", "ab"),
        (r"^abc{0,2}", "ab"),
        (r"^abc+", "abc"),
        (r"^a|^b", ""),
        (r"^(?:a|b)c", ""),
        (r"^x(?:a|b)c", "x"),
        (r"^x[|]y", "x"),
        (r"abc", ""),
        (r"^\d+", ""),
        (r"(?i)^abc", ""),
    ],
)
def test_a_prefix_is_only_taken_where_every_match_begins_with_it(regex: str, prefix: str) -> None:
    compile_pattern(regex)
    assert literal_prefix(regex) == prefix


def test_many_patterns_are_tried_at_once_unless_they_are_too_many() -> None:
    some = any_of(["^a|b", "c$"])
    assert [bool(some(line)) for line in (b"a", b"b", b"xb", b"c", b"cx")] == [
        True, True, False, True, False,
    ]  # fmt: skip
    assert any_of(["a" * limits.REGEX_CHARS_MAX, "b"])(b"anything")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("record: {begins: '('}", "RE2 no acepta el patrón"),
        ("record: {}", "«record» necesita un patrón"),
        ("record: {begins: '^x', continues: never}", "«never» no existe"),
        ("heading: {lines: []}", "«heading» necesita un patrón"),
        ("heading: {lines: ['^#'], more: 1}", "clave desconocida «more»"),
        ("record: [x]", "se esperaban claves y valores"),
        ("record: {begins: '^x'}\nheading: {lines: '^#'}", "no van juntos"),
    ],
)
def test_how_lines_make_records_is_checked(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in " ".join(said for _, said in problems(tmp_path, GOOD + text + "\n"))


def test_records_of_several_lines_are_for_patterns_only(tmp_path: Path) -> None:
    text = GOOD.replace("parser: patterns", "parser: syslog_lines") + "record: {begins: '^x'}\n"

    assert "«patterns»" in problems(tmp_path, text)[0][1]


def test_a_record_of_several_lines_is_read_from_a_file(tmp_path: Path) -> None:
    found = load_definitions(site(tmp_path, GOOD + "record: {continues: indented}\n"))
    path = tmp_path / "demo.log"
    path.write_text("2026-11-20T10:00:00Z ana\n  at x\n  at y\n\n2026-11-20T10:00:01Z luis\n")
    raws = list(read_records(path, "demo_app", found))
    read = normalize(Origin("demo_app", "s", "1"), raws, found, received_at=NOW)

    assert [event.fields.get("continued") for event in read.events] == ["  at x\n  at y", None]
    assert [event.ecs["log.file.line"] for event in read.events] == [1, 5]
    assert read.events[0].original.count("\n") == 2
