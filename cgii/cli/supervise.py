"""Starts the processes of `cgii run`, starts the dead ones again, and ends them together."""

import ctypes
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from threading import Event
from time import monotonic

from cgii.base.logs import logger

log = logger("run")
PARENT = "CGII_PARENT_PID"
PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 0.2
STOP_SECONDS = 10  # a child that has not ended by then is killed; nothing acknowledged is lost
QUIET_SECONDS = 30  # a child that lived this long starts again at once
BACKOFF_SECONDS_MAX = 10.0


def die_with_parent() -> None:
    """Let the kernel end this process when the one that started it dies, even by kill -9."""
    parent = os.environ.get(PARENT)
    if not parent:
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before we asked
        sys.exit(1)


@dataclass
class Child:
    """One kept process: its arguments after `python -m cgii`, and how it fared."""

    name: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait_seconds: float = 0.5
    next_start: float = 0.0
    restarts: int = field(default=0)

    def start(self) -> None:
        """Start the process."""
        environment = os.environ | {PARENT: str(os.getpid())}
        command = [sys.executable, "-m", "cgii", *self.arguments]
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
        self.started = monotonic()

    def look(self) -> None:
        """Notice that it ended, and start it again when its wait is over."""
        if self.process is not None:
            if self.process.poll() is None:
                return
            long_lived = monotonic() - self.started > QUIET_SECONDS
            self.wait_seconds = (
                0.5 if long_lived else min(self.wait_seconds * 2, BACKOFF_SECONDS_MAX)
            )
            log.warning("process ended", child=self.name, status=self.process.returncode)
            self.next_start = monotonic() + self.wait_seconds
            self.process = None
            self.restarts += 1
        if monotonic() >= self.next_start:
            self.start()


def keep(children: list[Child], stop: Event) -> None:
    """Keep the children running until `stop` is set, then end them."""
    while not stop.is_set():
        for child in children:
            child.look()
        stop.wait(LOOK_SECONDS)
    end(children)


def end(children: list[Child]) -> None:
    """End all that run, and wait for them."""
    for child in children:
        if child.process is not None:
            child.process.terminate()
    deadline = monotonic() + STOP_SECONDS
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.1, deadline - monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
