"""`cgii tuning` and what it does to the path from a batch to the desk."""

from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from cgii.base.errors import CgiiError
from cgii.base.settings import load
from cgii.centre import build as build_centre
from cgii.cli.app import build
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.detection import RuleTuning
from cgii.model.event import Origin, Raw
from cgii.pipeline import take

RUNNER = CliRunner()
RULE = """\
title: Cualquier falla
id: any-failure
name: any_failure
status: test
tags: [attack.t1110]
logsource: {product: linux, service: sshd}
detection: {sel: {result: failed}, condition: sel}
level: medium
"""
MANY = """\
---
title: Tres fallas
id: three-failures
correlation:
  type: event_count
  rules: [any_failure]
  group-by: [user]
  timespan: 1h
  condition: {gte: 3}
  generate: true
level: high
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A centre's data folder and a site with one rule and a correlation over it."""
    monkeypatch.setenv("CGII_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CGII_SITE", str(tmp_path / "site"))
    folder = tmp_path / "site" / "rules" / "sigma"
    folder.mkdir(parents=True)
    (folder / "any.yml").write_text(RULE + MANY)
    return tmp_path


def command(*arguments: str) -> str:
    done = RUNNER.invoke(build("tuning"), ["tuning", *arguments])
    if done.exception is not None:
        raise done.exception
    return done.output


def send(first: int, users: str) -> dict[str, int]:
    """Alerts on the desk by rule after a batch of failed logins of these users."""
    centre = build_centre(load())
    raws = [
        Raw(first + n, f"<38>1 2026-11-20T03:{first + n:02d}:00-04:00 srv sshd 1 - - Failed "
            f"password for {user} from 203.0.113.9 port 1 ssh2".encode())
        for n, user in enumerate(users)
    ]  # fmt: skip
    take(centre, Origin("linux_auth", "syslog", "1"), raws)
    with centre.database.reading() as session:
        found = session.execute(
            select(AlertGroup.rule_id, func.count(AlertRow.id))
            .join(AlertRow, AlertRow.group_id == AlertGroup.id)
            .where(AlertGroup.rule_id.in_(["any-failure", "three-failures"]))
            .group_by(AlertGroup.rule_id)
        ).all()
    centre.close()
    return {str(rule): int(count) for rule, count in found}


def hidden() -> list[int]:
    centre = build_centre(load())
    with centre.database.reading() as session:
        counts = session.scalars(select(RuleTuning.hidden_count).order_by(RuleTuning.id)).all()
    centre.close()
    return list(counts)


def test_watch_then_enforce_then_end() -> None:
    output = command("exclude", "any_failure", "--condition", "user: a", "--reason", "copias")
    assert output.startswith("Ajuste 1 en observación: Cualquier falla.")
    assert "0 de 0 alertas" in output
    assert send(0, "aab") == {"any-failure": 3}
    assert hidden() == [2]
    assert "habría ocultado 2. copias" in command("list")

    assert "en vigor" in command("enforce", "1")
    assert send(3, "aab") == {"any-failure": 4}
    assert hidden() == [2]

    assert "terminó" in command("end", "1")
    assert send(6, "a") == {"any-failure": 5, "three-failures": 1}
    assert command("list") == ""
    assert "terminado" in command("list", "--all")


def test_a_suppression_hides_alerts_and_correlations_go_on_counting() -> None:
    send(0, "c")
    output = command(
        "suppress", "any-failure", "--key", "source.ip=203.0.113.9", "--reason", "prueba",
        "--days", "5", "--enforce",
    )  # fmt: skip
    assert "en los últimos 30 días" in output.lower()
    assert send(1, "aaa") == {"any-failure": 1, "three-failures": 1}
    assert hidden() == [3]


def test_the_same_batch_again_counts_nothing_twice() -> None:
    command("off", "any_failure", "--reason", "mudanza", "--enforce")
    assert send(0, "ab") == {}
    assert send(0, "ab") == {}
    assert hidden() == [2]


def test_a_level_is_that_of_the_desk() -> None:
    command("level", "any_failure", "low", "--reason", "ruidosa", "--enforce")
    send(0, "a")
    centre = build_centre(load())
    with centre.database.reading() as session:
        assert session.scalars(select(AlertGroup.level)).all() == ["low"]
    centre.close()


def test_export_and_import(place: Path) -> None:
    command("level", "any_failure", "low", "--reason", "ruidosa")
    path = place / "tuning.yml"
    path.write_text(command("export"))
    assert "0 ajustes agregados, 1 dejados." in command("import", str(path))
    command("end", "1")
    assert "1 ajustes agregados, 0 dejados." in command("import", str(path))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("off", "nothing", "--reason", "x"), "No hay una regla «nothing»"),
        (("exclude", "three-failures", "--condition", "a: 1", "--reason", "x"), "ajustar así"),
        (("exclude", "any_failure", "--condition", "a|b: 1", "--reason", "x"), "desconocido"),
        (("suppress", "any_failure", "--key", "x", "--reason", "x", "--days", "1"), "campo=valor"),
        (("level", "any_failure", "alto", "--reason", "x"), "«alto» no existe"),
        (("off", "any_failure", "--reason", "x", "--owner", "no@ex.bo"), "no@ex.bo"),
        (("off", "any_failure", "--reason", " "), "motivo"),
        (("end", "7"), "No hay un ajuste 7"),
        (("enforce", "7"), "No hay un ajuste 7"),
    ],
)
def test_bad_input_is_one_sentence_and_sets_nothing(
    arguments: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(CgiiError) as caught:
        command(*arguments)
    assert reason in str(caught.value)
    assert command("list", "--all") == ""
