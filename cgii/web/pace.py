"""Slows a person down who asks faster than people do (a script with their cookie)."""

from datetime import datetime
from threading import Lock

from starlette.exceptions import HTTPException

from cgii.base import limits

TOO_MANY_REQUESTS = 429


class Pace:
    """Counts requests per person and minute in this process."""

    def __init__(self) -> None:
        self._minute = 0
        self._counts: dict[int, int] = {}
        self._lock = Lock()

    def step(self, user_id: int, now: datetime) -> None:
        """Count one request. Raises an answer with status 429 past the limit."""
        minute = int(now.timestamp()) // 60
        with self._lock:
            if minute != self._minute:
                self._minute, self._counts = minute, {}
            count = self._counts[user_id] = self._counts.get(user_id, 0) + 1
        if count > limits.REQUESTS_PER_MINUTE_MAX:
            raise HTTPException(
                TOO_MANY_REQUESTS,
                "Demasiadas solicitudes en un minuto. Espere un momento.",
                headers={"Retry-After": "60"},
            )
