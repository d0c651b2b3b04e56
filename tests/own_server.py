"""A server that a test run starts for itself, and may kill and start again on its files."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import NoReturn

import psycopg
import pytest
from amqp import AMQPError

from tests.waiting import until

START_SECONDS = 240  # a busy machine starts ten things at once


def missing(name: str, reason: str) -> NoReturn:
    """Skip what needs the server or tool `name`, or fail if this run must not go without it."""
    required = os.environ.get("CGII_TEST_REQUIRE", "").replace(" ", "").split(",")
    if name in required:
        pytest.fail(f"{name} is required by CGII_TEST_REQUIRE: {reason}", pytrace=False)
    pytest.skip(f"NO {name.upper()}: {reason}")


@dataclass
class Server:
    """A server and its address."""

    url: str

    @property
    def is_ours(self) -> bool:
        """Whether it may be killed: not one that the environment named."""
        return False

    def kill(self) -> None:
        """End it without warning, as a power cut does; only one that is ours."""
        raise NotImplementedError

    def start_again(self) -> None:
        """Start it on the files that it left, and wait until it answers."""
        raise NotImplementedError


class OwnServer(Server):
    """One that we start; `connect` raises while it does not answer."""

    def __init__(
        self,
        url: str,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        *,
        connect: Callable[[], object],
        environment: dict[str, str] | None = None,
        stop: signal.Signals = signal.SIGTERM,
    ) -> None:
        super().__init__(url)
        self._name, self._command, self._folder = name, command, folder
        self._connect, self._environment, self._stop = connect, environment, stop
        self._process: subprocess.Popen[bytes] | None = None
        self._has_run = False

    @property
    def is_ours(self) -> bool:
        return True

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it within the block."""
        try:
            self.start_again()
            yield
        finally:
            self._end()

    def start_again(self) -> None:
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait(self._process)

    def kill(self) -> None:
        """End the process and all that it started."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)  # it must not start another one meanwhile
        family = [self._process.pid, *_descendants(self._process.pid)]
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        until(lambda: not any(map(_is_alive, family)), f"{self._name} is dead")

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = monotonic() + START_SECONDS
        while True:
            try:
                self._connect()
                self._has_run = True
                return
            except (OSError, psycopg.OperationalError, AMQPError) as error:
                if process.poll() is None and monotonic() < deadline:
                    sleep(0.1)
                    continue
                said = (self._folder / "output").read_text(errors="replace")[-2000:]
                if self._has_run:  # nobody may skip a test because a kill did harm
                    pytest.fail(f"{self._name} does not come back ({error}):\n{said}")
                missing(self._name, f"installed, but it does not start ({error}):\n{said}")

    def _end(self) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, self._stop)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it ended meanwhile
            for child in map(int, path.read_text().split()):
                found += [child, *_descendants(child)]
    return found


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextmanager
def own_folder(name: str) -> Iterator[Path]:
    """An empty folder for a server's files, deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"cgii-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def as_owner(name: str, folder: Path) -> list[str]:
    """How to start a program as that user, who then owns the folder; nothing unless we are root."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        missing(name, f"we are root and there is no user {name} to run it")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
