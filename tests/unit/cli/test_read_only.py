"""A data folder that may not be written ends a command with a sentence, and `doctor` names it."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cgii.base.settings import load
from cgii.centre import build
from cgii.cli.app import main

CAPABILITIES_VERSION = 0x20080522
DAC = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: modes do not bind root
COMMANDS = (
    ["export"],
    ["verify-audit"],
    ["migrate"],
    ["sensor", "list"],
    ["replay-rejects", "linux_auth"],
)


@contextmanager
def bound_by_modes() -> Iterator[None]:
    """Let this thread be stopped by a folder's mode, also where it is root."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the higher bits
    assert libc.capget(header, sets) == 0
    before = sets[0]
    sets[0] = before & ~DAC
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = before
        assert libc.capset(header, sets) == 0


@pytest.fixture(params=["empty", "used", "lock", "away"])
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder that was never used, one that was, one in which only the lock is not ours, none."""
    data = tmp_path / "data"
    monkeypatch.setenv("CGII_DATA", str(data))
    shut = tmp_path if request.param == "away" else data
    if request.param == "empty":
        data.mkdir()
    elif request.param != "away":
        build(load()).close()
    if request.param == "lock":
        shut = data / "cgii.sqlite.lock"
    shut.chmod(0o500)
    yield data
    shut.chmod(0o700)


def _end(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> int:
    monkeypatch.setattr(sys, "argv", ["cgii", *command])
    with bound_by_modes(), pytest.raises(SystemExit) as ended:
        main()
    return int(str(ended.value.code))


def test_the_centre_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    tmp_path.chmod(0o500)
    assert _end(monkeypatch, ["run"]) == 2
    assert f"cgii: No se puede usar {tmp_path / 'counters'}" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_with_the_sentence(
    folder: Path,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _end(monkeypatch, command) == 2
    assert f"cgii: No se puede usar {folder}" in capsys.readouterr().err


def test_the_doctor_names_it_and_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _end(monkeypatch, ["doctor"]) == 1
    told = capsys.readouterr().out
    assert f"FALTA  arranque: No se puede usar {folder}" in told
    assert "correo: " in told
    assert "disco: " in told


def test_an_empty_key_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret").touch()
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["cgii", "verify-audit"])
    with pytest.raises(SystemExit):
        main()
    assert f"cgii: {tmp_path / 'secret'} está vacío" in capsys.readouterr().err
