"""Rule files: shipped, the site's above them, others beside; each set has a name of its own."""

from pathlib import Path

import pytest

from cgii.base import limits
from cgii.detect.yara_child import Bounds
from cgii.detect.yara_library import YaraLibrary
from cgii.detect.yara_rules import load_sources
from tests.yara_samples import RULE


def write(folder: Path, name: str, text: str) -> Path:
    """A file of rules."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_of_the_site_stands_above_ours_and_an_empty_one_hides_it(tmp_path: Path) -> None:
    shipped = {file.namespace for file in load_sources().files}
    write(tmp_path, "rules/yara/php_web_shells.yar", RULE)
    write(tmp_path, "rules/yara/defacement.yar", "")
    write(tmp_path, "rules/yara/propias/nueva.yar", RULE.replace("marked", "nueva"))

    files = {file.namespace: file for file in load_sources(tmp_path).files}

    assert files["php_web_shells"].text == RULE
    assert files.keys() == shipped - {"defacement"} | {"propias/nueva"}
    assert all(file.is_own for file in files.values())


def test_files_of_one_name_have_namespaces_of_their_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write(tmp_path / folder, "x.yar", RULE)
    sources = load_sources(extra=[tmp_path / "a", tmp_path / "b", tmp_path / "a"], builtin=False)
    assert [file.namespace for file in sources.files] == ["x", "x~2"]
    assert not any(file.is_own for file in sources.files)


def test_the_version_changes_with_any_text(tmp_path: Path) -> None:
    path = write(tmp_path, "x.yar", RULE)
    before = load_sources(extra=[path], builtin=False).version
    assert load_sources(extra=[path], builtin=False).version == before
    path.write_text(RULE + " ")
    assert load_sources(extra=[path], builtin=False).version != before


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"YARA\0\0", "compiladas"), (b"x" * (limits.YARA_FILE_BYTES_MAX + 1), "pesa más")],
)
def test_what_is_no_text_or_too_long_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "x.yar").write_bytes(data)
    sources = load_sources(extra=[tmp_path], builtin=False)
    assert sources.files == ()
    assert reason in sources.rejected[0].reason


def test_a_changed_file_holds_at_once(tmp_path: Path) -> None:
    pytest.importorskip("yara", reason="yara-python is not installed")
    path = write(tmp_path, "rules/yara/nueva.yar", RULE)
    library = YaraLibrary(tmp_path, Bounds())
    before = library.compiled()
    assert library.compiled() is before
    path.write_text(RULE.replace("marked", "otra"))
    assert {"nueva/otra"} == {one.id for one in library.compiled().rules} - {
        one.id for one in before.rules
    }
