"""A thread of the sensor that talks with the centre until it is told to stop."""

import threading
from abc import ABC, abstractmethod

from cgii.base import limits


class Background(ABC):
    """Does `_run` beside the rest; `_run` looks at `_stop`, and waits with it."""

    def __init__(self, name: str) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is on its way."""
        self.ask_to_stop()
        self._thread.join(limits.SEND_TIMEOUT_SECONDS)

    def ask_to_stop(self) -> None:
        """As `stop`, without waiting for it."""
        self._stop.set()

    @abstractmethod
    def _run(self) -> None: ...
