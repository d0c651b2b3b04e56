"""YAML becomes documents that know their lines; what is broken is listed, not raised."""

from pathlib import Path

import pytest

from cgii.base.errors import ContentError
from cgii.detect.rule_files import Document, parse_documents, read_documents, rule_files


def one(text: str) -> Document:
    (document,) = parse_documents(text, "x.yml")
    assert isinstance(document, Document), document
    return document


def error(text: str) -> ContentError:
    found = parse_documents(text, "x.yml")[-1]
    assert isinstance(found, ContentError)
    return found


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("true", True), ("0123", "0123"), ("22:30", "22:30"),
        ("2026-11-20", "2026-11-20"), ("1e5", "1e5"), ("0x10", 16), ("-5", -5), ("4.5", 4.5),
        ("null", None), ("", None), ("~", None), ("'5'", "5"), ("1_000", "1_000"),
    ],
)  # fmt: skip
def test_plain_scalars_are_what_they_look_like(written: str, value: object) -> None:
    found = one(f"a: {written}").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_documents_know_their_lines_and_their_own_text() -> None:
    first, second = parse_documents("a: 1\nb:\n  c: 2\n---\nd: 3\n", "x.yml")
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.line, second.line) == (1, 5)
    assert first.data["b"].lines == {"c": 3}
    assert first.text == "a: 1\nb:\n  c: 2\n"
    assert second.text == "d: 3\n"


def test_an_empty_document_is_no_document() -> None:
    assert parse_documents("", "x.yml") == []


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: [1, 2\n", 3, "YAML mal formado"),
        ("a: 1\na: 2\n", 2, "repetida"),
        ("- a\n", 1, "se esperaba un mapa"),
        ("a: !!python/object:os.system x\n", 1, "YAML mal formado"),
        ("[a, b]: 1\n", 1, "clave"),
        ("a: *nobody\n", 1, "YAML mal formado"),
    ],
)
def test_what_is_wrong_has_its_line(text: str, line: int, reason: str) -> None:
    found = error(text)
    assert found.line == line
    assert reason in found.reason


def test_a_bad_document_does_not_hide_the_one_before() -> None:
    found = parse_documents("a: 1\n---\nb: 1\nb: 2\n---\nc: 1\n", "x.yml")
    assert [type(item) for item in found] == [Document, ContentError, Document]


def test_deep_nesting_is_an_error_of_the_file(tmp_path: Path) -> None:
    assert "YAML mal formado" in error("a: " + "[" * 5000 + "]" * 5000).reason


def test_files_that_cannot_be_read_are_listed(tmp_path: Path) -> None:
    latin, big = tmp_path / "l.yml", tmp_path / "b.yml"
    latin.write_bytes("a: ñ".encode("latin-1"))
    big.write_bytes(b"a: " + b"x" * (1024 * 1024))
    reasons = [str(read_documents(path)[0]) for path in (latin, big, tmp_path / "none.yml")]
    assert "UTF-8" in reasons[0]
    assert "pesa" in reasons[1]
    assert "no se puede leer" in reasons[2]


def test_a_byte_order_mark_is_no_part_of_the_rule(tmp_path: Path) -> None:
    path = tmp_path / "r.yml"
    path.write_bytes(b"\xef\xbb\xbftitle: x\n")
    (document,) = read_documents(path)
    assert isinstance(document, Document)
    assert document.data["title"] == "x"


def test_folders_are_walked_in_order(tmp_path: Path) -> None:
    for name in ("b/2.yml", "a/1.yaml", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a: 1")
    assert [path.name for path in rule_files([tmp_path])] == ["1.yaml", "2.yml"]
