"""What sensor.toml and the settings name becomes inputs, or a sentence about what is wrong."""

import asyncio
from pathlib import Path

import pytest

from cgii.base.errors import Invalid
from cgii.base.settings import Settings
from cgii.collect import ways_in
from cgii.collect.config import read_config
from cgii.collect.definition import load_definitions
from cgii.collect.input_config import FollowConfig
from cgii.collect.inputs.following import Follow
from cgii.collect.inputs.pattern import FollowPattern
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
