"""The centre reads the definitions that it offers once, and again when one of them changed."""

import os
from pathlib import Path

import pytest

from cgii.collect.offered import OfferedSources

AT = (10**9, 10**9)  # seconds: when a file was read and written last
DEFINITION = """name: propia
title: {title}
description: Una fuente del sitio.
parser: patterns
time: [{{field: hora, format: iso}}]
time_missing: received
logsource: {{product: propia}}
ecs:
  event.kind: {{value: event}}
patterns:
  - name: todo
    regex: '^(?P<texto>.*)$'
message:
  template: "{{texto}}"
"""


def definition(title: str) -> str:
    return DEFINITION.format(title=title)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A definition of the site."""
    path = tmp_path / "collectors" / "propia.yml"
    path.parent.mkdir()
    path.write_text(definition("uno"))
    os.utime(path, AT)
    return path


def test_a_file_that_did_not_change_is_not_read_again(own: Path) -> None:
    offered = OfferedSources(own.parents[1])
    before = offered.current()
    assert before.files["propia.yml"] == definition("uno")
    assert "syslog.yml" in before.files
    own.write_text(definition("dos"))
    os.utime(own, AT)  # nobody who only looks can tell
    assert offered.current() is before


def test_what_was_written_came_or_went_is_offered_at_once(own: Path) -> None:
    offered = OfferedSources(own.parents[1])
    versions = [offered.current().version]
    own.write_text(definition("dos"))
    os.utime(own, (AT[0], AT[1] + 1))
    assert offered.current().files["propia.yml"] == definition("dos")
    versions.append(offered.current().version)
    (own.parent / "syslog.yml").touch()  # hides ours
    assert "syslog.yml" not in offered.current().files
    versions.append(offered.current().version)
    own.unlink()
    assert "propia.yml" not in offered.current().files
    versions.append(offered.current().version)
    assert len(set(versions)) == 4


def test_two_processes_give_the_same_files_the_same_version(own: Path) -> None:
    one, other = OfferedSources(own.parents[1]), OfferedSources(own.parents[1])
    assert one.current().version == other.current().version
    own.write_text(definition("otra cosa"))
    assert one.current().version == other.current().version


def test_a_name_that_is_no_utf_8_stops_nobody(own: Path) -> None:
    offered = OfferedSources(own.parents[1])
    before = offered.current()
    Path(os.fsdecode(os.fsencode(own.parent) + b"/conexi\xf3n.yml")).write_text("tres")
    assert offered.current() == before


@pytest.mark.parametrize("wrong", ["name: propia\ntitle: [", "name: otra\n", "name: propia\n"])
def test_what_is_wrong_for_now_leaves_what_it_said_before(own: Path, wrong: str) -> None:
    offered = OfferedSources(own.parents[1])
    before = offered.current()
    own.write_text(wrong)
    (own.parent / "syslog.yml").write_text(wrong)
    shipped = before.files["syslog.yml"]
    assert offered.current() == before
    assert OfferedSources(own.parents[1]).current().files.keys() == before.files.keys() - {
        "propia.yml",
        "syslog.yml",
    }
    own.write_text(definition("dos"))
    (own.parent / "syslog.yml").unlink()
    assert offered.current().files["propia.yml"] == definition("dos")
    assert offered.current().files["syslog.yml"] == shipped
