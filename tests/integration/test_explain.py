"""`cgii explain` as people run it: rules, filters, correlations, tuning, and what is not there."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cgii.base import clock
from cgii.base.errors import Invalid, NotFound
from cgii.base.settings import load
from cgii.centre import build as build_centre
from cgii.cli.app import build
from cgii.detect import tuning

RUNNER = CliRunner()
FAILED = "Nov 20 14:02:11 srv-web01 sshd[811]: Failed password for ana from 203.0.113.9 port 1 ssh2"
ACCEPTED = FAILED.replace("Failed", "Accepted")
A_FILTER = """\
title: Ana se equivoca
id: ana
logsource: {product: linux}
filter: {rules: [ssh_failed_login], sel: {user: ana}, condition: not sel}
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a site and no record."""
    monkeypatch.setenv("CGII_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CGII_SITE", str(tmp_path / "site"))
    (tmp_path / "site" / "rules" / "filters").mkdir(parents=True)
    return tmp_path


def explain(*arguments: str) -> tuple[int, str]:
    done = RUNNER.invoke(build("explain"), ["explain", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_what_matched_is_told_field_by_field() -> None:
    code, output = explain("ssh_failed_login", FAILED)
    assert code == 0
    assert output.startswith("Coincide:\n")
    assert "result 'failed' — tiene 'failed'" in output


def test_what_was_missing_is_told_and_ends_with_1() -> None:
    code, output = explain("ssh_failed_login", ACCEPTED)
    assert code == 1
    assert "No coincide:\n  selection: result 'failed' — tiene 'accepted'" in output


def test_a_filter_that_hides_the_event_is_named(place: Path) -> None:
    path = place / "site" / "rules" / "filters" / "ana.yml"
    path.write_text(A_FILTER)
    code, output = explain("ssh_failed_login", FAILED)
    assert code == 1
    assert f"Coincidiría, pero lo oculta el filtro «Ana se equivoca» ({path}:1):" in output
    assert "«Ana se equivoca» sel: user no 'ana' — tiene 'ana'" in output
    assert explain("ssh_failed_login", FAILED.replace("ana", "eva"))[0] == 0


def test_a_correlation_says_which_counted_rules_match_and_under_which_key() -> None:
    code, output = explain("ssh_brute_force", FAILED)
    assert code == 0
    assert "pide >= 5 en" in output
    assert "clave source.ip: '203.0.113.9'" in output
    assert "El registro cuenta para 1 de" in output
    code, output = explain("ssh_brute_force", ACCEPTED)
    assert code == 1
    assert "El registro cuenta para 0 de" in output


def test_tuning_that_hides_a_match_is_told_with_its_reason() -> None:
    centre = build_centre(load())
    until = clock.now() + timedelta(days=5)
    with centre.database.transaction() as session:
        act = centre.act(session, via="cli")
        rule = next(r for r in centre.content.rules.single if r.name == "ssh_failed_login")
        tuning.exclude(
            act, rule.id, condition="user: ana", reason="se equivoca mucho",
            until=until, is_watching=True,
        )  # fmt: skip
        tuning.switch_off(act, rule.id, reason="en mudanza", until=None, is_watching=False)
    centre.close()
    code, output = explain("ssh_failed_login", FAILED)
    assert code == 0
    assert f"El ajuste 1 lo excluiría (en observación), hasta {until:%Y-%m-%d}: se equi" in output
    assert "El ajuste 2 apaga la regla: en mudanza" in output
    assert "ajuste 1" not in explain("ssh_failed_login", FAILED.replace("ana", "eva"))[1]


def test_without_a_record_none_is_made(place: Path) -> None:
    explain("ssh_failed_login", FAILED)
    assert not (place / "data" / "cgii.sqlite").exists()


def test_an_unknown_rule_or_an_unreadable_record_is_one_sentence() -> None:
    with pytest.raises(NotFound, match="No hay una regla"):
        explain("nothing_of_the_kind", FAILED)
    with pytest.raises(Invalid, match="no se puede leer"):
        explain("ssh_failed_login", "{", "--source", "zeek_json")
