"""`cgii scan` as people run it: real files in, alerts and figures out, sentences when it cannot."""

import csv
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REAL = Path(__file__).parents[3] / "shared" / "data"
needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="the public log collections are not beside this clone (shared/data)"
)
ATTACKER = "203.0.113.77"
SHAPES = Path(__file__).parents[1] / "samples" / "scan"
CERTUTIL = SHAPES / "certutil.yml"
LINES = {  # of the one record in each sample that the rule is about
    "datos_con_nombre.json": 1,
    "evento_en_una_linea.json": 1,
    "evento_unico.json": 1,
    "eventos_envueltos.json": 42,
    "exportado_de_busqueda.jsonl": 1,
    "exportado_de_powershell.json": 2,
    "lineas.jsonl": 2,
    "lista.json": 41,
    "lista_en_una_linea.json": 1,
    "nombres_con_punto.jsonl": 1,
    "numerados.txt": 42,
    "plano_event_code.jsonl": 1,
    "plano_sin_canal.jsonl": 1,
    "seguidos.json": 40,
    "texto_y_atributos.json": 1,
    "valor_y_calificador.json": 1,
    "winlogbeat.jsonl": 1,
    "winlogbeat_antiguo.jsonl": 1,
    "winlogbeat_nombres_con_punto.jsonl": 1,
}


def scan(
    *arguments: object, code: int = 0, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command; whatever happens, it never shows a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "cgii", "scan", *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done


def alerts(*arguments: object, code: int = 0) -> list[dict[str, Any]]:
    """What --json prints."""
    return [json.loads(line) for line in scan(*arguments, "--json", code=code).stdout.splitlines()]


def figures(text: str) -> dict[str, float]:
    """What --stats prints: name → figure."""
    found = {name: float(value) for name, value in re.findall(r"([a-z ]+?) (\d+)\b(?!\.)", text)}
    pace = re.search(r"([\d,]+) eventos/s", text)
    seconds = re.search(r"([\d.]+) s\b", text)
    assert pace, text
    assert seconds, text
    names = {name.strip(): value for name, value in found.items()}
    return names | {"pace": float(pace[1].replace(",", "")), "seconds": float(seconds[1])}


def failed_logins(count: int, *, attacker: str = ATTACKER, minute: int = 0) -> str:
    return "".join(
        f"Nov 22 10:{minute:02d}:{second:02d} srv01 sshd[77]: Failed password for root "
        f"from {attacker} port {4000 + second} ssh2\n"
        for second in range(count)
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "auth.log"
    path.write_text(failed_logins(8))
    return path


def test_a_correlation_is_told_once_with_its_last_figures(log: Path) -> None:
    [alert] = alerts(log)

    assert alert["rule"]["kind"] == "correlation"
    assert alert["key"] == {"source.ip": ATTACKER}
    assert alert["event_count"] == 8
    assert alert["file"] == str(log)
    assert alert["line"] == 8
    assert "Failed password" in alert["original"]


def test_alerts_of_single_events_come_before_those_of_correlations(tmp_path: Path) -> None:
    both = tmp_path / "auth.log"
    root = (
        "Nov 22 10:09:00 srv01 sshd[78]: Accepted password for root "
        f"from {ATTACKER} port 9 ssh2: x\n"
    )
    both.write_text(failed_logins(8) + root)

    kinds = [alert["rule"]["kind"] for alert in alerts(both)]

    assert set(kinds) == {"sigma", "correlation"}
    assert kinds == sorted(kinds, reverse=True)


def test_an_event_that_comes_late_takes_back_the_alert_it_moves(tmp_path: Path) -> None:
    """The fifth event, in the order they come, is not the fifth in time."""
    lines = failed_logins(12).splitlines(keepends=True)
    ordered, mixed = tmp_path / "ordered.log", tmp_path / "mixed.log"
    # Batches of a thousand: the first lines of time come in the second batch.
    noise = [
        f"Nov 22 10:00:30 srv01 sshd[9]: Received disconnect from 192.0.2.{n % 250} port 22:11: x\n"
        for n in range(1_000)
    ]
    ordered.write_text("".join(lines + noise))
    mixed.write_text("".join(lines[6:] + noise + lines[:6]))

    told = [(alert["time"], alert["event_count"]) for alert in alerts(mixed)]
    assert told == [(alert["time"], alert["event_count"]) for alert in alerts(ordered)]
    assert len(told) == 1


def test_the_table_names_the_file_and_line_whole(log: Path) -> None:
    long = log.with_name("registro-de-autenticacion-del-servidor-de-aplicaciones-01.log")
    log.rename(long)

    table = scan(long).stdout
    assert f"{long.name}:8" in table
    assert f"source.ip={ATTACKER}" in table


def test_what_stands_in_a_log_commands_no_terminal(tmp_path: Path) -> None:
    hostile = tmp_path / "access.log"
    hostile.write_text(
        f'{ATTACKER} - - [22/Nov/2026:10:00:00 -0400] "GET /?q=1%27%20OR%20%271%27=%271 HTTP/1.1" '
        '200 5 "-" "\x1b[2J[bold red]sqlmap/1.8"\n'
    )

    done = scan(hostile)
    assert "\x1b" not in done.stdout
    assert ATTACKER in done.stdout


def test_stats_stand_on_standard_error(log: Path) -> None:
    done = scan(log, "--stats", "--json")

    found = figures(done.stderr)
    assert (found["eventos"], found["rechazos"], found["coincidencias"]) == (8, 0, 1)
    assert found["reglas"] >= 12
    assert found["reglas rechazadas"] == 0
    assert found["pace"] > 0
    assert len(done.stdout.splitlines()) == 1


def test_a_folder_is_read_whole_and_packed_files_too(log: Path, tmp_path: Path) -> None:
    inner = tmp_path / "viejos"
    inner.mkdir()
    other = failed_logins(6, attacker="198.51.100.9", minute=30)
    inner.joinpath("auth.log.1.gz").write_bytes(gzip.compress(other.encode()))

    keys = {alert["key"]["source.ip"] for alert in alerts(tmp_path)}
    assert keys == {ATTACKER, "198.51.100.9"}


def test_own_rules_alone(log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "reglas"
    folder.mkdir()
    folder.joinpath("propia.yml").write_text(
        "title: Puerto 4003\nid: 6f1f9d0e-6c60-4f4c-9a4e-0f3f3b0a7a11\nlevel: low\n"
        "logsource:\n  product: linux\n  service: auth\n"
        "detection:\n  s:\n    source.port: 4003\n  condition: s\n"
    )
    folder.joinpath("rota.yml").write_text("title: Rota\ndetection: [\n")

    done = scan(log, "--no-builtin", "--rules", folder, "--json", "--stats")
    [alert] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (alert["rule"]["title"], alert["line"]) == ("Puerto 4003", 4)
    assert "regla rechazada" in done.stderr
    assert "rota.yml" in done.stderr
    assert figures(done.stderr)["reglas rechazadas"] == 1


def test_a_missing_file_is_told_and_the_others_are_read(log: Path, tmp_path: Path) -> None:
    done = scan(tmp_path / "nada.log", log, code=1)

    assert "nada.log: El archivo no existe." in done.stderr
    assert ATTACKER in done.stdout


def test_what_is_no_log_is_told_with_the_sources_there_are(tmp_path: Path) -> None:
    path = tmp_path / "foto.bin"
    path.write_bytes(bytes(range(256)) * 40)

    done = scan(path, code=1)
    assert "No se reconoce el formato de foto.bin" in done.stderr
    assert "linux_auth" in done.stderr
    assert "Ninguna regla coincide." in done.stdout


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    tmp_path.joinpath("vacio.log").touch()

    assert "está vacío" in scan(tmp_path / "vacio.log", code=1).stderr


def test_no_usable_rule_ends_with_a_sentence(log: Path) -> None:
    assert "ninguna regla" in scan(log, "--no-builtin", code=2).stderr


def test_a_missing_rules_folder_ends_with_a_sentence(log: Path, tmp_path: Path) -> None:
    assert "No existe" in scan(log, "--rules", tmp_path / "nada", code=2).stderr


def test_an_unknown_source_ends_with_the_ones_there_are(log: Path) -> None:
    assert "linux_auth" in scan(log, "--format", "nada", code=2).stderr


def test_every_shape_of_a_windows_event_meets_its_rule_once() -> None:
    found = alerts(SHAPES, "--no-builtin", "--rules", CERTUTIL, code=1)  # one file is the rule

    told = {(Path(one["file"]).name, one["line"]) for one in found}
    assert told == set(LINES.items())
    assert len(found) == len(LINES)
    assert {one.name for one in SHAPES.iterdir()} == {*LINES, CERTUTIL.name}
    for one in found:
        assert one["rule"]["id"] == "0b7e2f6a-55a5-4a54-9a0b-6f2f3b6a9c01"
        assert (one["rule"]["title"], one["rule"]["level"]) == ("Descarga con certutil", "high")
        assert one["time"].startswith("2026-09-14T12:15:20")
        assert {each["field"] for each in one["matched"]} == {"Image", "CommandLine"}


def test_several_processes_tell_the_same_as_one(log: Path, tmp_path: Path) -> None:
    for number in range(6):
        more = failed_logins(7, attacker=f"198.51.100.{number}", minute=number)
        tmp_path.joinpath(f"auth-{number}.log").write_text(more)
    large = tmp_path / "grande.log"  # it is cut into parts
    large.write_text("".join(failed_logins(9, minute=n % 60) for n in range(6_000)))

    one = scan(tmp_path, "--json", "--stats")
    three = scan(tmp_path, "--json", "--stats", "--jobs", 3)
    assert three.stdout == one.stdout
    assert one.stdout
    kept = {"eventos", "rechazos", "coincidencias", "reglas"}
    assert {name: figures(three.stderr)[name] for name in kept} == {
        name: figures(one.stderr)[name] for name in kept
    }


def test_files_in_any_order_give_a_correlation_its_events_in_time(tmp_path: Path) -> None:
    first, second = tmp_path / "b.log", tmp_path / "a.log"
    first.write_text(failed_logins(8))
    second.write_text(failed_logins(8, minute=40))

    assert len(alerts(first, second)) == len(alerts(second, first)) == 2


def test_standard_input_is_read_like_a_file(log: Path) -> None:
    text = log.read_text()

    for name in ("-", "/dev/stdin"):
        [alert] = [json.loads(one) for one in scan(name, "--json", given=text).stdout.splitlines()]
        assert (alert["file"], alert["line"]) == ("/dev/stdin", 8)


def test_csv_has_one_line_per_alert_and_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(
        f'{ATTACKER} - - [22/Nov/2026:10:00:00 -0400] "GET /?q=1%27%20OR%20%271%27=%271 HTTP/1.1" '
        '200 5 "-" "=cmd|calc"\n'
    )

    rows = list(csv.DictReader(scan(path, "--csv").stdout.splitlines()))
    assert rows
    assert {row["line"] for row in rows} == {"1"}
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())


def test_a_minimal_level_hides_what_is_below_it(log: Path) -> None:
    assert alerts(log, "--level", "high")
    assert alerts(log, "--level", "critical") == []
    assert "informational" in scan(log, "--level", "alto", code=2).stderr


def test_the_table_ends_with_what_it_means_in_attack(log: Path) -> None:
    shown = scan(log).stdout

    assert "ATT&CK, tácticas: Acceso a credenciales 1" in shown
    assert "T1110.001" in shown


def test_one_way_of_output_at_a_time(log: Path) -> None:
    assert "no ambos" in scan(log, "--json", "--csv", code=2).stderr


def test_a_device_is_no_file_of_records() -> None:
    assert "No es un archivo" in scan("/dev/zero", code=1).stderr


def test_a_line_of_many_megabytes_is_a_reject(log: Path) -> None:
    log.write_text("x" * 12_000_000 + "\n" + failed_logins(8))

    done = scan(log, "--format", "linux_auth", "--stats", "--json")
    assert figures(done.stderr)["rechazos"] == 1
    assert len(done.stdout.splitlines()) == 1


def test_a_file_that_may_not_be_read_is_told(log: Path) -> None:
    log.chmod(0)
    if os.access(log, os.R_OK):
        pytest.skip("this user may read every file")
    assert "No se puede abrir" in scan(log, code=1).stderr


def test_a_reader_that_goes_away_ends_the_scan_quietly(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_text(
        "".join(failed_logins(9, attacker=f"10.0.{n // 250}.{n % 250}") for n in range(4_000))
    )
    command = f"{sys.executable} -m cgii scan {path} --json | head -c 10"

    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=600)
    assert done.stderr == ""


@needs_real
def test_the_public_ssh_log_names_its_brute_force_sources() -> None:
    found = alerts(REAL / "logs" / "OpenSSH_2k.log")

    brute = {
        a["key"]["source.ip"] for a in found if a["rule"]["title"] == "Fuerza bruta contra SSH"
    }
    assert {"183.62.140.253", "187.141.143.180", "103.99.0.122", "112.95.230.3"} <= brute
    assert all(alert["line"] and alert["original"] for alert in found)


@needs_real
def test_the_public_event_logs_name_the_cleared_log() -> None:
    logs = sorted((REAL / "evtx").glob("*.evtx"))
    done = scan(*logs, "--json", "--stats")

    titles = [json.loads(line)["rule"]["title"] for line in done.stdout.splitlines()]
    assert any("borrado (evento 104)" in title for title in titles)
    assert any("seguridad de Windows borrado" in title for title in titles)
    assert figures(done.stderr)["rechazos"] == 0


def test_a_file_of_which_nothing_can_be_read_is_no_clean_result(tmp_path: Path) -> None:
    other = tmp_path / "otro.log"
    other.write_text("nadie conoce esta línea\n" * 7)

    done = scan(other, "--format", "microsoft_iis", code=1)
    assert done.stdout.strip() == "No se pudo leer ningún registro."
    assert "otro.log: No se pudo leer ninguno de sus registros (7)" in done.stderr
    assert "Sin leer: 7 de 7 registros." in done.stderr
    assert "otro.log:1)" in done.stderr


def test_records_that_could_not_be_read_are_told_beside_what_was_found(log: Path) -> None:
    with log.open("a") as file:
        file.write("sin fecha ni hora\n")

    for form in ((), ("--json",), ("--csv",), ("--jobs", "2")):
        done = scan(log, "--format", "linux_auth", *form)
        assert "Sin leer: 1 de 9 registros." in done.stderr
        assert "auth.log:9" in done.stderr


def test_nothing_is_told_of_records_when_all_were_read(log: Path) -> None:
    assert "Sin leer" not in scan(log).stderr


def test_an_archive_that_unpacks_to_no_line_is_no_clean_result(tmp_path: Path) -> None:
    bomb = tmp_path / "auth.log.gz"
    bomb.write_bytes(gzip.compress(bytes(64 * 1024 * 1024)))

    done = scan(bomb, "--format", "linux_auth", code=1)
    assert "Registro demasiado largo: 1" in done.stderr


def test_headings_alone_are_no_records_that_could_not_be_read(tmp_path: Path) -> None:
    log = tmp_path / "trafico.csv"
    log.write_text("# exportado del cortafuegos\n")

    done = scan(log, "--format", "paloalto_panos")
    assert done.stdout.strip() == "Ninguna regla coincide."
