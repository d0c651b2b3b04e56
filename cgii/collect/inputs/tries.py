"""A reading that was broken off from outside, for want of memory perhaps, is worth another try."""

from cgii.base import limits


class Tries:
    """Counts the readings of each content that did not come to their end, while we run."""

    def __init__(self) -> None:
        self._failed: dict[str, int] = {}

    def another(self, name: str) -> bool:
        """Count one that was broken off; whether to try again. After a no it counts anew."""
        failed = self._failed.pop(name, 0) + 1
        if failed >= limits.CHILD_TRIES_MAX:
            return False
        self._failed[name] = failed
        return True

    def forget(self, name: str) -> None:
        """It came to its end, or is gone."""
        self._failed.pop(name, None)
