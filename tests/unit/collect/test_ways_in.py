"""What sensor.toml and the settings name becomes inputs, or a sentence about what is wrong."""

import asyncio
from pathlib import Path

import pytest

from cgii.base.errors import Invalid
from cgii.base.settings import Settings
from cgii.collect import ways_in
from cgii.collect.config import check_inputs, read_config, read_inputs
from cgii.collect.definition import load_definitions
from cgii.collect.input_config import FollowConfig
from cgii.collect.inputs.following import Follow
from cgii.collect.inputs.outlet import Zoned
from cgii.collect.inputs.pattern import FollowPattern
from cgii.collect.inputs.pull import Pull
from cgii.collect.inputs.syslog_tls import SyslogTls
from cgii.collect.inputs.whole import WholeFiles
from tests.unit.collect.inputs.collecting import QUICK, Kept, a_while, collecting, until

DEFINITIONS = load_definitions()


def inputs(folder: Path, text: str) -> list[object]:
    path = folder / "sensor.toml"
    path.write_text(f'centre = "https://cgii.ejemplo.bo"\n{text}')
    return list(ways_in.of_sensor(read_config(path), DEFINITIONS))


@pytest.mark.parametrize(
    ("path", "more", "kind"),
    [
        ("/var/log/auth.log", "", Follow),
        ("/var/log/*.log", "", FollowPattern),
        ("/var", "", FollowPattern),
        ("/var/log/*.gz", "", WholeFiles),
        ("/srv/events.json", "whole = true", WholeFiles),
    ],
)
def test_a_path_tells_how_it_is_followed(
    tmp_path: Path, path: str, more: str, kind: type[object]
) -> None:
    (found,) = inputs(tmp_path, f'[[follow]]\nsource = "syslog"\npath = "{path}"\n{more}')
    assert type(found) is kind


def test_an_input_may_have_a_zone(tmp_path: Path) -> None:
    found = inputs(
        tmp_path,
        'syslog_zone = "UTC"\nsyslog_tls_port = 6514\n'
        'syslog_tls_certificate = "/c.pem"\nsyslog_tls_key = "/c.key"\n'
        '[[follow]]\nsource = "syslog"\npath = "/a.log"\nzone = "America/Lima"\n'
        '[[pull]]\nsource = "zeek_json"\nurl = "https://api.ejemplo.bo/x"\nzone = "Asia/Tokyo"\n',
    )
    zones = {type(one.inner): one.zone for one in found if isinstance(one, Zoned)}
    assert zones == {Follow: "America/Lima", Pull: "Asia/Tokyo", SyslogTls: "UTC"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[follow]]\nsource = 'syslog'\npath = '/a'\n[[follow]]\nsource = 'syslog'\n",
         "no es válido: follow n.º 2, path: falta."),
        ("[[pull]]\nsource = 'zeek_json'\nurl = 'http://10.0.0.1/x'\nnetworks = ['10.0.0.1/8']\n",
         "pull n.º 1, networks n.º 1: debe ser una red, como 10.20.0.0/16"),
        ("[[imap]]\nhost = 'imaps://x'\nuser = 'r'\npassword_file = '/c'\n",
         "imap n.º 1, host: debe ser un nombre o una dirección"),
        ("syslog_tls_port = 6514\n", "no es válido: syslog_tls_port pide"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_told_with_its_place(
    tmp_path: Path, text: str, why: str
) -> None:
    with pytest.raises(Invalid) as told:
        inputs(tmp_path, text)
    assert why in str(told.value)


def test_a_file_that_another_editor_wrote_is_read_or_its_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sensor.toml"
    path.write_bytes(b'\xef\xbb\xbfcentre = "https://cgii.ejemplo.bo"\r\n')
    assert read_config(path).centre == "https://cgii.ejemplo.bo"
    path.write_bytes(b'centre = "https://cgii.ejemplo.bo"\n# ma\xf1ana\n')
    with pytest.raises(Invalid, match=r"no está en UTF-8 \(línea 2\); guárdelo"):
        read_config(path)


@pytest.mark.parametrize("name", ["Bolivia", "America", "../UTC", "UTC-4"])
def test_a_zone_that_there_is_not_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    follow = f'[[follow]]\nsource = "syslog"\npath = "/a.log"\nzone = "{name}"'
    for text in (f'syslog_zone = "{name}"', follow):
        with pytest.raises(Invalid, match=r"zone: No existe la zona horaria .*America/La_Paz"):
            inputs(tmp_path, text)
        with pytest.raises(Invalid, match="zone: No existe la zona horaria"):
            check_inputs(text, DEFINITIONS)


def test_pushed_inputs_without_a_zone_leave_the_sensors_own(tmp_path: Path) -> None:
    path = tmp_path / "sensor.toml"
    path.write_text('centre = "https://cgii.ejemplo.bo"\nsyslog_zone = "UTC"\n')
    own = read_config(path)

    assert own.with_inputs(read_inputs("syslog_udp_port = 5514")).syslog_zone == "UTC"
    assert own.with_inputs(read_inputs('syslog_zone = "Asia/Tokyo"')).syslog_zone == "Asia/Tokyo"


def test_every_kind_of_input_may_be_named_together(tmp_path: Path) -> None:
    found = inputs(
        tmp_path,
        'syslog_tls_port = 6514\nsyslog_tls_certificate = "/c.pem"\nsyslog_tls_key = "/c.key"\n'
        '[[evtx]]\nfolder = "/srv/evtx"\n'
        '[[pull]]\nsource = "zeek_json"\nurl = "https://api.ejemplo.bo/x"\n'
        '[[imap]]\nhost = "correo.ejemplo.bo"\nuser = "r"\npassword_file = "/clave"\n',
    )
    assert sorted(type(one).__name__ for one in found) == [
        "EventLogs", "Mailbox", "Pull", "SyslogTls",
    ]  # fmt: skip


def test_tls_without_a_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="syslog_tls_certificate"):
        inputs(tmp_path, "syslog_tls_port = 6514")
    with pytest.raises(Invalid, match="_CERTIFICATE"):
        list(ways_in.tls_of_centre(Settings(syslog_tls_port=6514), DEFINITIONS))


def test_the_centre_listens_with_tls_when_it_is_told_to() -> None:
    files = {"syslog_tls_certificate": Path("c"), "syslog_tls_key": Path("k")}
    (found,) = ways_in.tls_of_centre(
        Settings(syslog_tls_port=6514, syslog_host="0.0.0.0", **files), DEFINITIONS
    )
    assert isinstance(found, SyslogTls)
    assert (found.host, found.port) == ("0.0.0.0", 6514)
    assert list(ways_in.tls_of_centre(Settings(), DEFINITIONS)) == []


def test_a_folder_that_is_mounted_later_is_read_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in QUICK.items():
        monkeypatch.setattr(f"cgii.base.limits.{name}", value)
    kept, folder = Kept(tmp_path), tmp_path / "logs"
    (late,) = inputs(tmp_path, f'[[follow]]\nsource = "syslog"\npath = "{folder}"')
    assert isinstance(late, Follow)

    async def run() -> None:
        async with collecting(kept, late):
            await a_while()
            folder.mkdir()
            (folder / "a.log").write_text("one\n")
            await until(lambda: kept.texts == ["one"], "the line arrives")

    asyncio.run(run())


def test_a_path_that_cannot_be_looked_at_is_a_file_for_now() -> None:
    assert not FollowConfig(source="syslog", path=Path("/" + "x" * 300)).is_pattern
