"""Starts `cgii run` as a real process on free loopback ports, waits for it, kills it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.ports import free_port

START_SECONDS = 240  # a busy machine starts ten things at once


def clean_environment() -> dict[str, str]:
    """Ours, without settings of a centre."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CGII_")}


def is_ready(url: str) -> bool:
    """Whether a centre there says that it is."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=30) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def processor_seconds(pid: int) -> float:
    """What a process has taken of the processor since it was started."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def run_command(
    environment: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run `cgii` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cgii", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


class RunningCentre:
    """One centre on this machine; the data stays when the process is killed."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.port = free_port()
        self.syslog_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data.parent / f"{data.name}.log"
        self.environment = {
            **clean_environment(),
            "CGII_DATA": str(data),
            "CGII_PORT": str(self.port),
            "CGII_PUBLIC_URL": self.url,
            "CGII_SYSLOG_UDP_PORT": str(self.syslog_port),
            "CGII_SYSLOG_TCP_PORT": str(self.syslog_port),
            **{f"CGII_{name.upper()}": value for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> str:
        """Run another `cgii` command on the same data; what it printed."""
        done = run_command(self.environment, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def fails(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `cgii` command that must end with a sentence, not a traceback."""
        done = run_command(self.environment, *arguments)
        assert done.returncode != 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def children(self) -> dict[str, int]:
        """The processes it started: name → process id."""
        assert self.process is not None
        found = {}
        for pid in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            for child in pid.read_text().split():
                with contextlib.suppress(OSError):  # it ended meanwhile
                    words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
                    found[words[3] if len(words) > 3 else words[0]] = int(child)
        return found

    def start(self, *arguments: str) -> "RunningCentre":
        """Start it and wait until it is ready to answer."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cgii", "run", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait()
        return self

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Wait until it is ready."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                break
            if self.is_ready():
                return
            time.sleep(0.05)
        raise AssertionError("the centre did not start:\n" + self.tail())

    def wait_for_syslog(self) -> "RunningCentre":
        """Wait until its collector listens: a datagram that comes earlier is lost."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                # UDP is opened before TCP.
                with socket.create_connection(("127.0.0.1", self.syslog_port), timeout=30):
                    return self
            except OSError:
                assert time.monotonic() < deadline, "nobody listens for syslog:\n" + self.tail()
                time.sleep(0.05)

    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        return is_ready(self.url)

    def processor_seconds(self, child: str) -> float:
        """What a child has taken of the processor since it was started."""
        return processor_seconds(self.children()[child])

    def tail(self) -> str:
        """The end of what it logged."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def kill(self) -> None:
        """kill -9: the parent at once, and the kernel takes its children along."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Ask it to end, as Ctrl+C does."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None
