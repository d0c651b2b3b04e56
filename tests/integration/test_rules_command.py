"""`cgii rules` as people run it: sets in, coverage out, deeds in the trail, tuning kept."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cgii.base.settings import load
from cgii.centre import build
from cgii.detect import tuning
from cgii.model.records import AuditEntry

PUBLIC = Path(__file__).parents[3] / "shared" / "data" / "sigma-rules.tar.gz"
RULE = """title: Regla {n}
id: 7c7e2f6a-55a5-4a54-9a0b-6f2f3b6a9c0{n}
level: {level}
status: test
tags: [attack.execution, attack.t1059]
logsource: {{product: windows, category: process_creation}}
detection: {{s: {{Image|endswith: '\\{value}.exe'}}, condition: s}}
"""


def cgii(data: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cgii", *map(str, arguments)],
        capture_output=True, text=True, timeout=600, check=False,
        env={"CGII_DATA": str(data), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done


def as_json(data: Path, *arguments: object) -> list[dict[str, Any]]:
    return [json.loads(one) for one in cgii(data, *arguments, "--json").stdout.splitlines()]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    path = tmp_path / "Otro-Conjunto.zip"
    pack(path, {"a.yml": (1, "high", "uno"), "b.yml": (2, "low", "dos")})
    return path


def pack(path: Path, rules: dict[str, tuple[int, str, str]]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("LICENSE", "Condiciones de uso")
        for name, (number, level, value) in rules.items():
            archive.writestr(name, RULE.format(n=number, level=level, value=value))


def test_a_set_is_imported_used_and_taken_out(data: Path, origin: Path, tmp_path: Path) -> None:
    [told] = as_json(data, "rules", "import", origin)
    assert (told["set"]["name"], told["set"]["rules"]) == ("otro-conjunto", 2)
    assert told["set"]["licences"] == ["LICENSE"]
    assert told["coverage"]["logsources"] == [
        {"logsource": "windows/process_creation", "rules": 2, "sources": ["windows_events"]}
    ]
    log = tmp_path / "x.jsonl"
    log.write_text(
        '{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Image":"C:\\\\uno.exe",'
        '"TimeCreated":"2026-09-14T12:00:00Z"}\n'
    )
    assert [one["rule"]["title"] for one in as_json(data, "scan", log)] == ["Regla 1"]

    listed = as_json(data, "rules", "list", "--contains", "Regla", "--min-level", "high")
    assert [one["title"] for one in listed] == ["Regla 1"]
    assert "otro-conjunto" in cgii(data, "rules", "list", "--sets").stdout
    assert "endswith" in cgii(data, "rules", "show", "Regla 2").stdout

    assert "2 reglas" in cgii(data, "rules", "remove", "otro-conjunto").stdout
    assert as_json(data, "rules", "list", "--contains", "Regla 1") == []


def test_deeds_stand_in_the_trail_and_tuning_outlives_an_update(data: Path, origin: Path) -> None:
    cgii(data, "migrate")
    cgii(data, "rules", "import", origin, "--name", "otros")
    centre = build(load(data=data))
    with centre.database.transaction() as session:
        act = centre.act(session)
        for number in (1, 2):
            tuning.switch_off(
                act, f"7c7e2f6a-55a5-4a54-9a0b-6f2f3b6a9c0{number}", reason="ruido",
                until=None, is_watching=False,
            )  # fmt: skip
    pack(origin, {"a.yml": (1, "high", "otro"), "c.yml": (3, "high", "tres")})

    [told] = as_json(data, "rules", "update", "otros")
    assert [[one["title"] for one in told[word]] for word in ("new", "changed", "gone")] == [
        ["Regla 3"],
        ["Regla 1"],
        ["Regla 2"],
    ]
    assert told["tuned_and_gone"] == ["7c7e2f6a-55a5-4a54-9a0b-6f2f3b6a9c02"]
    cgii(data, "rules", "remove", "otros")

    with centre.database.reading() as session:
        assert len(tuning.active_tuning(session, centre.clock())) == 2
        deeds = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    centre.close()
    assert [one for one in deeds if one.startswith("rules.")] == [
        "rules.imported",
        "rules.updated",
        "rules.removed",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("import", "/nada/de/nada"), "No existe"),
        (("import", __file__), "no es una carpeta"),
        (("import", str(Path(__file__).parents[1] / "samples" / "manual")), "ninguna regla"),
        (("update", "nada"), "No hay un conjunto"),
        (("remove", "../x"), "No hay un conjunto"),
        (("coverage", "nada"), "No hay un conjunto"),
        (("show", "nada"), "No hay una regla"),
        (("list", "--min-level", "alto"), "No existe «alto»"),
    ],
)
def test_what_cannot_be_done_is_answered_with_a_sentence(
    data: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in cgii(data, "rules", *arguments, code=2).stderr


@pytest.mark.skipif(not PUBLIC.is_file(), reason="the public rules are not beside this clone")
def test_the_public_rules_are_imported_and_only_those_without_values_are_refused(
    data: Path,
) -> None:
    [told] = as_json(data, "rules", "import", PUBLIC)

    assert told["set"]["rules"] + told["set"]["refused"] >= 3_750
    assert set(told["coverage"]["reasons"]) <= {"marcador sin valores en este sitio"}
    assert told["set"]["licences"] == ["LICENSE"]
    assert len(told["coverage"]["techniques"]) > 300
