"""Wrong settings are told in sentences that name them, and never show what they were set to."""

import sys
from pathlib import Path

import pytest

from cgii.base.errors import Invalid
from cgii.base.settings import Settings, load
from cgii.cli.app import main

SECRET = "TopSecret99"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that `CGII_CONFIG` names; the test writes it."""
    path = tmp_path / "cgii.toml"
    monkeypatch.setenv("CGII_CONFIG", str(path))
    return path


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("EVENTS_KEEP_DAYS", "0", "un número entero de 1 a 36500"),
        ("EVENTS_KEEP_DAYS", SECRET, "un número entero de 1 a 36500"),
        ("EVENTS_KEEP_DAYS", "9999999", "un número entero de 1 a 36500"),
        ("EVENTS_KEEP_GIB", "nan", "un número de 0 a 1048576"),
        ("EVENTS_KEEP_GIB", "inf", "un número de 0 a 1048576"),
        ("INGEST_RECORDS_PER_SECOND", "9" * 400, "un número entero de 1 a 1000000"),
        ("DEMO", SECRET, "`true` o `false`"),
        ("LOG_LEVEL", SECRET, "uno de DEBUG, INFO, WARNING, ERROR"),
        ("FOLLOW", SECRET, "una lista JSON de textos"),
        ("FOLLOW", "3", "una lista JSON de textos"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, wanted: str
) -> None:
    monkeypatch.setenv(f"CGII_{name}", value)

    with pytest.raises(Invalid) as refused:
        load()

    assert f"CGII_{name} debe ser {wanted}" in str(refused.value)
    assert value not in str(refused.value) or value == "0"
    assert refused.value.__suppress_context__


def test_every_number_has_an_upper_limit() -> None:
    numbers = [
        name for name, one in Settings.model_fields.items() if one.annotation in (int, float)
    ]
    endless = [
        name
        for name in numbers
        if not any(hasattr(one, "le") for one in Settings.model_fields[name].metadata)
    ]

    assert numbers
    assert endless == []


def test_a_variable_that_is_almost_a_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CGII_EVENT_KEEP_DAYS", SECRET)
    monkeypatch.setenv("CGII_OF_ANOTHER_PROGRAM", "1")

    with pytest.raises(Invalid) as refused:
        load()

    told = str(refused.value)
    assert "CGII_EVENT_KEEP_DAYS no es un ajuste; ¿quiso decir CGII_EVENTS_KEEP_DAYS?" in told
    assert "ANOTHER" not in told
    assert SECRET not in told


def test_all_faults_of_a_file_are_told_at_once(file: Path) -> None:
    file.write_text(f'mail_pasword = "{SECRET}"\nport = "{SECRET}"\nlluvia = 1\n')

    with pytest.raises(Invalid) as refused:
        load()

    told = str(refused.value)
    assert f"«mail_pasword», en {file}, no es un ajuste; ¿quiso decir «mail_password»?" in told
    assert f"«port», en {file}, debe ser un número entero de 1 a 65535." in told
    assert f"«lluvia», en {file}, no es un ajuste." in told
    assert SECRET not in told


@pytest.mark.parametrize("written", [f'host = "x"\nmail_password = "{SECRET}\n', "port =\xa08000"])
def test_a_file_that_is_no_toml_is_told_with_its_line(file: Path, written: str) -> None:
    file.write_bytes(written.encode("latin-1"))

    with pytest.raises(Invalid) as refused:
        load()

    assert f"{file}, el archivo que nombra CGII_CONFIG, no es TOML" in str(refused.value)
    assert ("desde la línea 2" in str(refused.value)) == (SECRET in written)
    assert SECRET not in str(refused.value)


def test_a_file_that_is_not_there_is_not_taken_for_an_empty_one(file: Path) -> None:
    with pytest.raises(Invalid, match=f"No se puede leer {file}, .* CGII_CONFIG"):
        load()


@pytest.mark.parametrize(
    "address",
    [SECRET, f"mysql://u:{SECRET}@h/d", f"postgresql://u:{SECRET}@h:{SECRET}/d", "sqlite:record"],
)
@pytest.mark.parametrize("command", [["entity", "list"], ["doctor"]])
def test_a_command_ends_with_the_sentence(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    address: str,
) -> None:
    """Also of what only the one who uses a setting can tell."""
    file.write_text(f'data = "{file.parent}"\ndatabase = "{address}"\n')
    monkeypatch.setattr(sys, "argv", ["cgii", *command])

    with pytest.raises(SystemExit) as ended:
        main()

    told = "".join(capsys.readouterr())
    assert ended.value.code == (1 if command == ["doctor"] else 2)
    assert "CGII_DATABASE no es la dirección" in told
    assert SECRET not in told


def test_a_command_with_a_wrong_setting_ends_as_other_errors_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CGII_PORT", SECRET)
    monkeypatch.setattr(sys, "argv", ["cgii", "entity", "list"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("cgii: CGII_PORT debe ser un número entero de 1 a")
