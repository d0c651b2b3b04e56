"""`cgii collect check` says whether everything in sensor.toml can work; `unit` how to run it."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cgii.base.errors import Invalid
from cgii.base.signatures import told_time
from cgii.collect.certificate_dates import valid_from_to
from tests.certificates import Authority
from tests.imap_server import ImapServer
from tests.make_packets import pcap
from tests.ports import free_port


class Server:
    """A centre that knows the token `bueno`, and an interface, on loopback."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.problems: dict[str, str] = {}
        server = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                is_known = self.headers["Authorization"] == "Bearer bueno"
                self.say(
                    422 if is_known else 401, json.dumps({"problems": server.problems}).encode()
                )

            def do_GET(self) -> None:
                self.say(200, json.dumps([{"n": 1}, {"n": 2}]).encode())

            def say(self, status: int, body: bytes) -> None:
                self.send_response_only(status)
                self.send_header("Cgii-Time", told_time(datetime.now(UTC) + server.ahead, ""))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *given: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.http.shutdown()
    found.http.server_close()


def command(*words: str) -> subprocess.CompletedProcess[str]:
    found = [sys.executable, "-m", "cgii", "collect", *words]
    return subprocess.run(found, capture_output=True, text=True, timeout=120)


def config(folder: Path, server: Server, *more: str, token: str = "bueno") -> Path:
    path = folder / "sensor.toml"
    lines = [f'centre = "{server.address}"', f'token = "{token}"', "spool_mib_max = 16", *more]
    path.write_text("\n".join(lines))
    return path


def test_a_sensor_that_can_work_in_every_way_is_told_so(tmp_path: Path, server: Server) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("servidor")
    imap = ImapServer(pair)
    imap.mails = {1: bytes(EmailMessage())}
    (tmp_path / "clave").write_text(imap.password)
    (tmp_path / "a.log").write_text("x\n")
    ports = [free_port(), free_port(), free_port()]
    path = config(
        tmp_path, server,
        f"syslog_udp_port = {ports[0]}\nsyslog_tcp_port = {ports[1]}\nsyslog_tls_port = {ports[2]}",
        f'syslog_tls_certificate = "{pair.certificate}"\nsyslog_tls_key = "{pair.key}"',
        f'[[follow]]\nsource = "syslog"\npath = "{tmp_path}/a.log"',
        f'[[follow]]\nsource = "syslog"\npath = "{tmp_path}/*.log"',
        f'[[follow]]\nsource = "syslog"\npath = "{tmp_path}/later.log"',
        f'[[evtx]]\nfolder = "{tmp_path}"',
        f'[[pull]]\nsource = "zeek_json"\nurl = "{server.address}/x"\nnetworks = ["127.0.0.0/8"]',
        f'[[imap]]\nhost = "localhost"\nport = {imap.port}\nuser = "reportes"\n'
        f'password_file = "{tmp_path}/clave"\nca = "{authority.file}"\nnetworks = ["127.0.0.0/8"]',
    )  # fmt: skip
    done = command("check", "--config", str(path))
    imap.close()

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("bien ") == 13
    until = datetime.now(UTC) + timedelta(days=30)
    assert f"al {until:%d/%m/%Y}" in done.stdout
    assert "2 registros" in done.stdout
    assert not (tmp_path / "spool").exists()  # it looked, and left nothing
    assert not any("FETCH" in said for said in imap.said)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path, server: Server) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("vencido", days=-1)
    server.ahead = timedelta(minutes=10)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path = config(
            tmp_path, server,
            f"syslog_tcp_port = {taken.getsockname()[1]}\nsyslog_tls_port = {free_port()}",
            f'syslog_tls_certificate = "{pair.certificate}"\nsyslog_tls_key = "{pair.key}"',
            f'[[follow]]\nsource = "nada"\npath = "{tmp_path}/no/hay/a.log"',
            '[[pull]]\nsource = "zeek_json"\nurl = "https://127.0.0.1:9/x"',
            '[[imap]]\nhost = "localhost"\nport = 9\nuser = "r"\npassword_file = "/no/hay"\n'
            'networks = ["127.0.0.0/8"]',
        )  # fmt: skip
        done = command("check", "--config", str(path))

    assert done.returncode == 1
    wrong = [line for line in done.stdout.splitlines() if line.startswith("FALTA")]
    for part in ("reloj: -", "syslog TCP", "hoy no vale", "nada: no es una fuente", "no existe",
                 "networks", "r@localhost"):  # fmt: skip
        assert any(part in line for line in wrong), (part, wrong)
    assert len(wrong) == 7


def test_files_that_are_no_captures_are_named(tmp_path: Path, server: Server) -> None:
    folder = tmp_path / "capturas"
    folder.mkdir()
    (folder / "a.pcap").write_bytes(pcap([]))
    (folder / "b.pcap.gz").write_bytes(b"\x1f\x8b")
    (folder / "notas.txt.part").write_text("x")
    path = config(tmp_path, server, f'[[pcap]]\nfolder = "{folder}"')
    assert "no son capturas" not in command("check", "--config", str(path)).stdout
    (folder / "notas.txt").write_text("hola")
    done = command("check", "--config", str(path))

    assert "4 archivos ahora; 1 no son capturas y no se leen, como notas.txt" in done.stdout
    assert done.returncode == 0


def test_a_zone_that_there_is_not_is_told(tmp_path: Path, server: Server) -> None:
    done = command("check", "--config", str(config(tmp_path, server, 'syslog_zone = "La_Paz"')))

    assert done.returncode == 2
    assert "syslog_zone: No existe la zona horaria «La_Paz»" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("more", "field", "is_told"),
    [
        ('syslog_zone = "UTC"', "seq", True),
        ('syslog_zone = "UTC"', "zone", False),
        ("", "seq", False),
    ],
)
def test_a_centre_that_would_not_heed_a_zone_is_told(
    tmp_path: Path, server: Server, more: str, field: str, is_told: bool
) -> None:
    server.problems = {field: "no"}
    done = command("check", "--config", str(config(tmp_path, server, more)))

    assert done.returncode == is_told, done.stdout
    assert ("FALTA  zone: este centro es anterior" in done.stdout) == is_told


@pytest.mark.parametrize(("token", "said"), [("malo", "no reconoce"), ("bueno", "no responde")])
def test_a_centre_that_is_away_or_does_not_know_the_sensor_is_told(
    tmp_path: Path, server: Server, token: str, said: str
) -> None:
    if token == "bueno":
        server.address = f"http://127.0.0.1:{free_port()}"
    done = command("check", "--config", str(config(tmp_path, server, token=token)))

    assert done.returncode == 1
    assert said in done.stdout


def test_of_a_sensor_that_is_not_enrolled_the_centre_is_looked_for_all_the_same(
    tmp_path: Path, server: Server
) -> None:
    path = config(tmp_path, server, token="")
    there = command("check", "--config", str(path))
    server.address = f"http://127.0.0.1:{free_port()}"
    config(tmp_path, server, token="")
    away = command("check", "--config", str(path))
    config(tmp_path, server, f'ca_file = "{tmp_path}/no.pem"', token="")
    untrusted = command("check", "--config", str(path))

    assert {there.returncode, away.returncode, untrusted.returncode} == {1}
    for done in (there, away, untrusted):
        assert "FALTA  inscripción: Este sensor no está inscrito." in done.stdout
    assert ": responde\n" in there.stdout
    assert "no responde" in away.stdout
    assert "no.pem no sirve" in untrusted.stdout


def test_a_port_asked_for_twice_and_a_site_that_is_not_there_are_told(
    tmp_path: Path, server: Server
) -> None:
    port = free_port()
    path = config(
        tmp_path, server,
        f"syslog_udp_port = {port}\nsyslog_tcp_port = {port}\nnetflow_port = {port}",
        f'site = "{tmp_path}/no"',
    )  # fmt: skip
    done = command("check", "--config", str(path))

    wrong = [line for line in done.stdout.splitlines() if line.startswith("FALTA")]
    assert done.returncode == 1
    assert len(wrong) == 2
    assert f"fuentes {tmp_path}/no: no es una carpeta" in wrong[0]
    assert f"NetFlow 127.0.0.1:{port}: es el mismo puerto que el de syslog UDP" in wrong[1]


@pytest.mark.parametrize("words", [["check"], ["enrol"], []])
@pytest.mark.parametrize("text", [None, "nada"])
def test_an_authority_that_is_no_certificate_is_told_in_a_sentence(
    tmp_path: Path, server: Server, words: list[str], text: str | None
) -> None:
    ca = tmp_path / "ca.pem"
    if text is not None:
        ca.write_text(text)
    (tmp_path / "invitacion").write_text("x")
    path = config(tmp_path, server, f'ca_file = "{ca}"')
    more = ["--invitation-file", str(tmp_path / "invitacion")] if words == ["enrol"] else []
    done = command(*words, "--config", str(path), *more)

    assert done.returncode == (1 if words == ["check"] else 2)
    assert f"{ca} no sirve como certificado de una autoridad" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_queue_is_told_and_one_at_work_is_left_alone(tmp_path: Path, server: Server) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "0000000001.seg").write_bytes(bytes(14 << 20))
    done = command("check", "--config", str(config(tmp_path, server)))

    assert done.returncode == 1
    assert "casi llena" in done.stdout
    assert (spool / "0000000001.seg").stat().st_size == 14 << 20


def test_a_sensor_that_is_running_has_its_ports_itself(tmp_path: Path, server: Server) -> None:
    port = free_port()
    path = config(tmp_path, server, f"syslog_tcp_port = {port}")
    running = subprocess.Popen(
        [sys.executable, "-m", "cgii", "collect", "--config", str(path)], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(6_000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            threading.Event().wait(0.02)
        done = command("check", "--config", str(path))
    finally:
        running.terminate()
        running.wait(60)

    assert done.returncode == 0, done.stdout
    assert "está en marcha" in done.stdout


def test_the_service_has_no_more_rights_than_its_inputs_need(
    tmp_path: Path, server: Server
) -> None:
    plain = command("unit", "--config", str(config(tmp_path, server))).stdout
    low = command("unit", "--config", str(config(tmp_path, server, "syslog_udp_port = 514"))).stdout

    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes", "KillMode=mixed",
                 "CapabilityBoundingSet=", f"ReadWritePaths=-{tmp_path}/spool"):  # fmt: skip
        assert line in plain.splitlines()
    assert "CAP_NET_RAW" not in plain + low
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in low.splitlines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there")
def test_systemd_understands_the_service(tmp_path: Path, server: Server) -> None:
    text = command("unit", "--config", str(config(tmp_path, server)), "--user", "root").stdout
    unit = tmp_path / "cgii-sensor.service"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert [line for line in done.stderr.splitlines() if "cgii-sensor" in line] == []


def test_a_path_that_systemd_would_read_otherwise_is_refused(
    tmp_path: Path, server: Server
) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    done = command("unit", "--config", str(config(folder, server)))

    assert done.returncode == 2
    assert "no puede figurar" in done.stderr


@pytest.mark.parametrize(
    "text",
    [b"", b"nada", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
     b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----"],
)  # fmt: skip
def test_what_is_no_certificate_has_no_dates(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_bytes(text)
    with pytest.raises(Invalid, match="legible"):
        valid_from_to(tmp_path / "x.pem")
