"""What the centre pushed is on disk, whole, within what the sensor's own file allows."""

from pathlib import Path

import pytest

from cgii.base.errors import Invalid
from cgii.collect.config import SensorConfig, read_inputs
from cgii.collect.pushed import Pushed

V1, V2 = "a" * 32, "b" * 32
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


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "sources" / "collectors").iterdir())


def test_sources_replace_each_other_as_a_whole(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    assert pushed.sources_version == ""
    assert "linux_auth" in pushed.definitions(None).by_name  # ours
    pushed.keep_sources(V1, {"uno.yml": SOURCE, "dos.yml": SOURCE})
    pushed.keep_sources(V2, {"syslog.yml": SOURCE})
    assert pushed.sources_version == V2
    assert names(tmp_path) == ["syslog.yml"]
    assert pushed.definitions(None).rejected == ()
    assert not (tmp_path / "sources.old").exists()


def test_a_pushed_source_that_only_a_newer_version_understands_leaves_ours_in_use(
    tmp_path: Path,
) -> None:
    pushed = Pushed(tmp_path)
    newer = SOURCE + "\nsomething_new: true\n"
    pushed.keep_sources(V1, {"microsoft_exchange.yml": newer, "solo_suya.yml": newer})
    found = pushed.definitions(None)
    assert found.shape_of("microsoft_exchange").heads is not None
    assert "solo_suya" not in found.by_name
    assert {Path(one.path).name for one in found.rejected} == {
        "microsoft_exchange.yml",
        "solo_suya.yml",
    }


@pytest.mark.parametrize(
    "name", ["../x.yml", "/etc/x.yml", "x.txt", "a/b.yml", "", "X" * 90 + ".yml"]
)
def test_a_source_cannot_lie_elsewhere_and_takes_no_other_along(tmp_path: Path, name: str) -> None:
    pushed = Pushed(tmp_path / "pushed")
    pushed.keep_sources(V1, {name: SOURCE, "Mi_Fuente.bak.yml": SOURCE, "grande.yml": "x" * 10**6})
    assert [path.name for path in tmp_path.rglob("*.y*ml")] == ["Mi_Fuente.bak.yml"]
    assert pushed.sources_version == V1


@pytest.mark.parametrize("version", [b"", b"\0" * 32, b"\xff", b"v1"])
def test_a_damaged_version_is_none(tmp_path: Path, version: bytes) -> None:
    pushed = Pushed(tmp_path)
    pushed.keep_sources(V1, {"syslog.yml": SOURCE})
    (tmp_path / "sources" / "version").write_bytes(version)
    assert pushed.sources_version == ""


def test_a_failure_is_told_of_its_own_version_only(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    pushed.keep_inputs("v2", "x = 1\n")
    pushed.fail("v1", "de antes")
    assert pushed.problem == ""
    pushed.fail("v2", "el puerto está ocupado")
    assert pushed.problem == "el puerto está ocupado"


def test_the_place_to_listen_stays_unless_it_is_chosen() -> None:
    own = config(host="0.0.0.0", syslog_tcp_port=5514)
    assert own.with_inputs(read_inputs("syslog_udp_port = 5514\n")).host == "0.0.0.0"
    assert own.with_inputs(read_inputs('host = "10.0.0.1"\n')).host == "10.0.0.1"


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
    own.with_inputs(read_inputs(text.format(allowed / "*.log")))
    for path in (
        *("/etc/shadow", allowed / ".." / "x", link / "shadow", tmp_path / "logs2" / "a"),
        *(allowed / "**", allowed / "**" / "x", allowed / "*" / "x.log", link / "*"),
    ):
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
        ('[[follow]]\nsource = ""\npath = "/x"\n', "vacío"),
        ('syslog_udp_port = "x"\n', "número entero"),
        ("syslog_udp_port = 99999\n", "65535 o menos"),
        ("syslog_udp_port =\n", "línea 1"),
    ],
)
def test_what_is_no_input_is_refused_with_its_name(text: str, why: str) -> None:
    with pytest.raises(Invalid) as told:
        read_inputs(text)
    assert why in str(told.value)
