"""The centre as on many machines: `cgii serve` and `cgii work` twice each, over shared servers."""

import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

from cgii.base.settings import Settings
from tests.ports import free_port
from tests.process import START_SECONDS, clean_environment, is_ready, run_command

SERVES, WORKS = ("serve 1", "serve 2"), ("work 1", "work 2")


class Part:
    """One process; `url` is where it listens, empty for a worker."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name.replace(' ', '-')}.log"
        self.url = ""
        self._environment = dict(environment)
        if name in SERVES:
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            self._environment["CGII_PORT"] = str(port)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `wait` says when it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cgii", self.name.split()[0]],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def wait(self) -> None:
        """Wait until it answers; a worker has nothing to answer with and only has to live."""
        deadline = time.monotonic() + START_SECONDS
        while self.url and not is_ready(self.url):
            assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.tail()}"
            assert self.is_alive(), f"{self.name} ended:\n{self.tail()}"
            time.sleep(0.05)
        assert self.is_alive(), f"{self.name} ended:\n{self.tail()}"

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def tail(self) -> str:
        """The end of what it logged."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""


class ScaledSet:
    """Four processes that share a record, an index, a broker and a data folder."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.settings = Settings(data=data, **settings)
        self.environment = {
            **clean_environment(),
            "CGII_DATA": str(data),
            **{f"CGII_{name.upper()}": value for name, value in settings.items()},
        }
        self.parts = {name: Part(name, data.parent, self.environment) for name in (*SERVES, *WORKS)}
        self._turn = count()

    @property
    def url(self) -> str:
        """The address of one of the `serve`, in turn, as a balancer gives them out."""
        return self.parts[SERVES[next(self._turn) % len(SERVES)]].url

    def command(self, *arguments: str) -> str:
        """Run another `cgii` command on the same record; what it printed."""
        done = run_command(self.environment, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def start(self) -> "ScaledSet":
        """Start all and wait until they are ready."""
        for part in self.parts.values():
            part.start()
        for part in self.parts.values():
            part.wait()
        return self

    def kill(self) -> None:
        """kill -9 to all."""
        for part in self.parts.values():
            part.kill()
