"""A real sensor with a real centre: invited, signing, configured from afar, killed in between."""

import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.process import RunningCentre, clean_environment
from tests.waiting import PATIENCE_SECONDS, until

LINE = "<13>Nov 29 10:00:00 srv app: linea {}"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    found = RunningCentre(tmp_path_factory.mktemp("centre") / "data").start()
    yield found
    found.stop()


class Sensor:
    """`cgii collect` in a folder of its own."""

    def __init__(self, folder: Path, centre: RunningCentre, more: str = "") -> None:
        self.folder = folder
        self.config = folder / "sensor.toml"
        self.config.write_text(f'centre = "{centre.url}"\n{more}')
        self.environment = clean_environment() | {"COLUMNS": "200"}
        self.process: subprocess.Popen[bytes] | None = None

    def enrol(self, invitation: str) -> subprocess.CompletedProcess[str]:
        file = self.folder / "invitation"
        file.write_text(invitation)
        return subprocess.run(
            [*self._command("enrol"), "--invitation-file", str(file)],
            env=self.environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS,
            check=False,
        )  # fmt: skip

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command(), env=self.environment, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "cgii", "collect", *words, "--config", str(self.config)]


@pytest.fixture
def sensor(tmp_path: Path, centre: RunningCentre) -> Iterator[Sensor]:
    found = Sensor(tmp_path, centre, f'pushed_paths = ["{tmp_path}"]\n')
    yield found
    found.kill()


def line_of(centre: RunningCentre, name: str) -> str:
    listed = centre.command("sensor", "list").splitlines()
    return next(line for line in listed if line.startswith(name))


def test_a_sensor_is_invited_configured_from_afar_and_survives_a_kill(
    centre: RunningCentre, sensor: Sensor, tmp_path: Path
) -> None:
    invitation = centre.command("sensor", "add", "lejano")
    done = sensor.enrol(invitation)
    assert done.returncode == 0, done.stderr
    assert "Inscrito como lejano" in done.stdout
    key = tmp_path / "spool" / "key.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = sensor.enrol(invitation)
    assert (again.returncode, "ya se usó" in again.stderr) == (2, True)

    log, port = tmp_path / "app.log", free_port()
    inputs = tmp_path / "inputs.toml"
    inputs.write_text(f'syslog_tcp_port = {port}\n[[follow]]\nsource = "syslog"\npath = "{log}"\n')
    centre.command("sensor", "configure", "lejano", "--file", str(inputs))
    sensor.start()
    log.write_text(LINE.format(1) + "\n")
    until(lambda: "1 eventos" in line_of(centre, "lejano"), "the followed line arrives")
    assert "cola 0" in line_of(centre, "lejano")

    sensor.kill()
    with log.open("a") as file:
        file.write(LINE.format(2) + "\n")
    sensor.start()  # with the inputs that it kept
    until(lambda: "2 eventos" in line_of(centre, "lejano"), "the second line arrives, once")
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall((LINE.format(3) + "\n").encode())
    until(lambda: "3 eventos" in line_of(centre, "lejano"), "syslog arrives")

    centre.command("sensor", "revoke", "lejano")
    with log.open("a") as file:
        file.write(LINE.format(4) + "\n")
    until(lambda: any((tmp_path / "spool").glob("*.seg")), "the line waits on disk")
    assert "3 eventos" in line_of(centre, "lejano")


def test_inputs_that_cannot_be_are_told_and_the_own_ones_stay(
    centre: RunningCentre, tmp_path: Path
) -> None:
    port = free_port()
    sensor = Sensor(tmp_path, centre, f"syslog_tcp_port = {port}\n")
    assert sensor.enrol(centre.command("sensor", "add", "prudente")).returncode == 0
    inputs = tmp_path / "inputs.toml"
    inputs.write_text('[[follow]]\nsource = "syslog"\npath = "/etc/shadow"\n')
    centre.command("sensor", "configure", "prudente", "--file", str(inputs))
    sensor.start()
    try:
        until(lambda: "pushed_paths" in line_of(centre, "prudente"), "the reason is told")
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall((LINE.format(1) + "\n").encode())
        until(lambda: " 0 eventos" not in line_of(centre, "prudente"), "its own input is open")
    finally:
        sensor.kill()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("syslog_udp_port = 99999\n", "syslog_udp_port"),
        ('centre = "https://otro.example"\n', "no se conoce esta clave"),
        ("syslog_udp_port =\n", "TOML"),
        ('[[follow]]\nsource = "linux_aut"\npath = "/x"\n', "Parecidas: linux_auth"),
        ('[[follow]]\nsource = "noexiste"\npath = "/x"\n', "No hay una fuente «noexiste»"),
    ],
)
def test_wrong_inputs_are_refused_where_they_are_written(
    centre: RunningCentre, tmp_path: Path, text: str, why: str
) -> None:
    inputs = tmp_path / "inputs.toml"
    inputs.write_text(text)
    told = centre.fails("sensor", "configure", "nadie", "--file", str(inputs))
    assert why in told.stderr


def test_a_sensor_that_was_never_enrolled_says_what_to_do(
    centre: RunningCentre, tmp_path: Path
) -> None:
    sensor = Sensor(tmp_path, centre)
    done = subprocess.run(
        sensor._command(), env=sensor.environment, capture_output=True, text=True,
        timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "cgii collect enrol" in " ".join(done.stderr.split())
