"""The only reader of the time of day, and the way times are shown to people."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

LA_PAZ = ZoneInfo("America/La_Paz")
MONTHS = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def local(moment: datetime) -> datetime:
    """The same moment on a clock in La Paz (UTC-4, no daylight saving)."""
    return moment.astimezone(LA_PAZ)


def show(moment: datetime) -> str:
    """The moment as people in Bolivia write it: `22 nov 2026, 14:05`."""
    there = local(moment)
    return f"{there.day} {MONTHS[there.month - 1]} {there.year}, {there:%H:%M}"


def parse(text: str) -> datetime:
    """Read an ISO 8601 moment; one without an offset is taken as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
