"""What the centre pushed is on disk, whole, within what the sensor's own file allows."""

from pathlib import Path

import pytest

from cgii.base.errors import Invalid
from cgii.collect.config import SensorConfig, read_inputs
from cgii.collect.definition import load_definitions
from cgii.collect.pushed import Pushed

SOURCE = (Path(__file__).parents[3] / "collectors" / "syslog.yml").read_text(encoding="utf-8")


def config(**given: object) -> SensorConfig:
    return SensorConfig.model_validate({"centre": "https://centro.example", **given})


def test_inputs_are_known_after_a_restart(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    assert (pushed.inputs_version, pushed.inputs_text) == ("", "")
    pushed.problem = "de antes"
    pushed.keep_inputs("v1", "syslog_udp_port = 5514\n")
    assert pushed.problem == ""
    again = Pushed(tmp_path)
    assert (again.inputs_version, again.inputs_text) == ("v1", "syslog_udp_port = 5514\n")


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"version": 1}', b"\xff\xfe"])
def test_damaged_inputs_are_asked_for_again(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "inputs.json").write_bytes(text)
    assert Pushed(tmp_path).inputs_version == ""


def test_sources_replace_each_other_as_a_whole(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    assert pushed.site is None
    pushed.keep_sources("v1", {"uno.yml": SOURCE, "dos.yml": SOURCE})
    pushed.keep_sources("v2", {"syslog.yml": SOURCE})
    assert pushed.sources_version == "v2"
    assert pushed.site is not None
    assert [path.name for path in (pushed.site / "collectors").iterdir()] == ["syslog.yml"]
    assert load_definitions(pushed.site).rejected == ()


@pytest.mark.parametrize(
    "name", ["../x.yml", "/etc/x.yml", "x.txt", "a/b.yml", "", "X" * 90 + ".yml"]
)
def test_a_source_cannot_lie_elsewhere(tmp_path: Path, name: str) -> None:
    pushed = Pushed(tmp_path / "pushed")
    with pytest.raises(Invalid):
        pushed.keep_sources("v1", {name: SOURCE})
    assert not list(tmp_path.rglob("*.y*ml"))
    assert pushed.sources_version == ""


def test_pushed_inputs_take_the_place_of_the_own_ones() -> None:
    own = config(syslog_tcp_port=1, spool_mib_max=20)
    found = own.with_inputs(read_inputs("syslog_udp_port = 5514\n"))
    assert (found.syslog_udp_port, found.syslog_tcp_port) == (5514, None)
    assert (found.centre, found.spool_mib_max) == (own.centre, 20)


def test_files_lie_in_the_folders_that_the_machine_allows(tmp_path: Path) -> None:
    allowed, link = tmp_path / "logs", tmp_path / "logs" / "link"
    allowed.mkdir()
    link.symlink_to("/etc")
    own = config(pushed_paths=(allowed,))
    text = '[[follow]]\nsource = "syslog"\npath = "{}"\n'
    own.with_inputs(read_inputs(text.format(allowed / "a.log")))
    for path in ("/etc/shadow", allowed / ".." / "x", link / "shadow", tmp_path / "logs2" / "a"):
        with pytest.raises(Invalid, match="pushed_paths"):
            own.with_inputs(read_inputs(text.format(path)))
    with pytest.raises(Invalid, match="ninguna carpeta"):
        config(pushed_paths=()).with_inputs(read_inputs(text.format(allowed / "a.log")))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("syslog_udp_port = 0\n", "syslog_udp_port"),
        ('spool = "/tmp"\n', "no se conoce esta clave"),
        ("x", "TOML"),
        ("[[follow]]\n", "falta"),
    ],
)
def test_what_is_no_input_is_refused_with_its_name(text: str, why: str) -> None:
    with pytest.raises(Invalid) as told:
        read_inputs(text)
    assert why in str(told.value)
