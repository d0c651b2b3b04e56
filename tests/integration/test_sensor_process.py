"""A sensor as a process, killed at any moment, its centre away: it loses nothing it has kept."""

import contextlib
import gzip
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cgii.collect.spool import HEAD
from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS, until

CAP_NET_RAW = 1 << 13
GIVING = ("setpriv", "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw")
LINE = "<13>Nov 20 10:00:00 srv app: linea {number}"
# A packed file is read at once, not after it was unchanged for a while: kills meet its reading.
SOON_SETTLED = """
from cgii.base import limits
limits.WHOLE_SETTLED_SECONDS = 0
from cgii.cli.app import main
main()
"""


class Centre:
    """Keeps what it says 200 to, by the identity of each record; `is_up` is set by the test."""

    def __init__(self) -> None:
        self.is_up = threading.Event()
        self.kept: dict[tuple[str, str, int], str] = {}
        self.twice: list[tuple[str, str, int]] = []
        centre = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if centre.is_up.is_set():
                    centre.keep(json.loads(gzip.decompress(body)))
                answer = b'{"events": 0}'
                self.send_response(200 if centre.is_up.is_set() else 503)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *given: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def keep(self, batch: dict[str, Any]) -> None:
        for number, text in enumerate(batch["records"], start=batch["seq"]):
            identity = (batch["stream"], batch["epoch"], number)
            if self.kept.setdefault(identity, text) != text:
                self.twice.append(identity)

    def count(self, mark: str) -> int:
        return sum(mark in text for text in list(self.kept.values()))

    @property
    def texts(self) -> set[str]:
        return set(self.kept.values())


@pytest.fixture
def centre() -> Iterator[Centre]:
    found = Centre()
    yield found
    found.server.shutdown()
    found.server.server_close()


class Sensor:
    """`cgii collect --config`, to be killed and begun again."""

    def __init__(self, folder: Path, centre: Centre) -> None:
        self.port = free_port()
        self.program = ("-m", "cgii")
        self.log = folder / "app.log"
        self.spool = folder / "spool"
        self._config = folder / "sensor.toml"
        self._config.write_text(
            f'centre = "{centre.address}"\ntoken = "x"\nsyslog_tcp_port = {self.port}\n'
            f'[[follow]]\nsource = "syslog"\npath = "{self.log}"\n'
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *through: str) -> None:
        command = [sys.executable, *self.program, "collect", "--config", str(self._config)]
        self._process = subprocess.Popen([*through, *command], stderr=subprocess.DEVNULL)
        until(self._answers, "the sensor listens")

    def capabilities(self, kind: str) -> int:
        """What the system says that it has: a bit for each."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition(f"{kind}:")[2].split()[0], 16)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def send(self, lines: list[str]) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall("".join(f"{line}\n" for line in lines).encode())

    @property
    def waiting(self) -> int:
        """How many records lie whole in its spool."""
        total = 0
        for path in self.spool.glob("*.seg"):
            try:
                data, offset = path.read_bytes(), 0
            except FileNotFoundError:  # it has just been sent
                continue
            while offset + HEAD.size <= len(data):
                _, records, size, _ = HEAD.unpack_from(data, offset)
                offset += HEAD.size + size
                total += records if offset <= len(data) else 0
        return total


@pytest.fixture
def sensor(tmp_path: Path, centre: Centre) -> Iterator[Sensor]:
    found = Sensor(tmp_path, centre)
    yield found
    found.kill()


def test_what_syslog_brought_while_the_centre_was_away_arrives_after_a_kill(
    sensor: Sensor, centre: Centre
) -> None:
    lines = [LINE.format(number=number) for number in range(300)]
    sensor.start()
    sensor.send(lines)
    until(lambda: sensor.waiting == len(lines), "all lines are on disk")
    sensor.kill()
    assert centre.kept == {}
    centre.is_up.set()
    sensor.start()

    until(lambda: len(centre.kept) == len(lines), "all lines arrive")
    until(lambda: sensor.waiting == 0, "the spool is empty")
    assert centre.texts == set(lines)


def test_no_line_of_a_file_is_passed_over_or_changed_by_kills(
    sensor: Sensor, centre: Centre
) -> None:
    written: set[str] = set()

    def write(count: int) -> None:
        with sensor.log.open("a") as file:
            for _ in range(count):
                line = LINE.format(number=len(written))
                written.add(line)
                file.write(line + "\n")
                file.flush()

    for turn in range(4):
        is_up = turn % 2 == 0
        if is_up:
            centre.is_up.set()
        else:
            centre.is_up.clear()
        before = len(centre.kept)
        sensor.start()
        write(700)
        until(lambda: len(centre.kept) > before if is_up else sensor.waiting > 0, "it goes on")  # noqa: B023
        sensor.kill()
    centre.is_up.set()
    sensor.start()

    until(lambda: centre.texts >= written, "every line arrives")
    assert centre.twice == []
    assert len(centre.kept) == len(written)


class Numbers(BaseHTTPRequestHandler):
    """An interface that gives ten numbered records a page, from `since`; there are 400."""

    def do_GET(self) -> None:
        since = int(self.path.partition("since=")[2] or 0)
        shown = [f"pull {number}" for number in range(since, min(since + 10, 400))]
        body = json.dumps({"items": shown, "next": since + len(shown)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *given: Any) -> None:
        pass


def test_patterns_packed_files_and_interfaces_lose_nothing_to_kills(
    sensor: Sensor, centre: Centre
) -> None:
    interface = ThreadingHTTPServer(("127.0.0.1", 0), Numbers)
    threading.Thread(target=interface.serve_forever, daemon=True).start()
    folder = sensor.log.parent / "many"
    folder.mkdir()
    with sensor._config.open("a") as file:
        file.write(
            f'[[follow]]\nsource = "syslog"\npath = "{folder}/*.log*"\n'
            f'[[follow]]\nsource = "syslog"\npath = "{folder}/*.gz"\n'
            f'[[pull]]\nsource = "syslog"\nrecords = "items"\ncursor = "next"\n'
            f'parameter = "since"\nevery_seconds = 5\nnetworks = ["127.0.0.0/8"]\n'
            f'url = "http://127.0.0.1:{interface.server_port}/x"\n'
        )
    written = {f'"pull {number}"' for number in range(400)}
    centre.is_up.set()
    sensor.program = ("-c", SOON_SETTLED)
    for turn in range(5):
        lines = [f"{turn}/{number} log" for number in range(500)]
        packed = [f"{turn}/{number} gz" for number in range(500)]
        (folder / f"{turn}.gz").write_bytes(gzip.compress("\n".join(packed).encode()))
        mark = " gz" if turn % 2 else ""  # they come later than the others
        before = centre.count(mark)
        sensor.start()
        with (folder / "app.log").open("a") as file:
            file.writelines(f"{line}\n" for line in lines[:250])
            (folder / "app.log").rename(folder / f"app.log.{turn}")
            file.writelines(f"{line}\n" for line in lines[250:])
        written |= {*lines, *packed}
        until(lambda: centre.count(mark) > before, "something arrives")  # noqa: B023
        sensor.kill()
    sensor.start()

    until(lambda: centre.texts >= written, "everything arrives")
    interface.shutdown()
    interface.server_close()
    assert centre.texts == written
    assert centre.twice == []
    assert len(centre.kept) == len(written)


def test_a_second_sensor_on_the_same_spool_says_so(sensor: Sensor, centre: Centre) -> None:
    sensor.start()
    command = [sys.executable, "-m", "cgii", "collect", "--config", str(sensor._config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)

    assert done.returncode == 2
    assert "Otro proceso usa la cola del sensor" in done.stderr


def may_give_capabilities() -> bool:
    """Whether a process can be started here as a service with AmbientCapabilities."""
    found = shutil.which(GIVING[0])
    return found is not None and not subprocess.run([*GIVING, "true"], check=False).returncode


def test_what_a_sensor_starts_does_not_inherit_its_capabilities(sensor: Sensor) -> None:
    if not may_give_capabilities():
        pytest.skip("setpriv may give no capabilities here")
    sensor.start(*GIVING)
    assert sensor.capabilities("CapAmb") == 0
    assert sensor.capabilities("CapEff") & CAP_NET_RAW  # it opens interfaces again itself
