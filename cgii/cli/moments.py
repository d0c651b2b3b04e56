"""Moments as people write them after `--from` and `--to`."""

from datetime import datetime, timedelta

from cgii.base import clock
from cgii.base.errors import Invalid

DAY_CHARS = 10  # of 2026-11-22
YEARS = range(1970, 2200)  # further away no zone, day or pause can be added


def moment_in(text: str, option: str, *, day_ends: bool) -> datetime:
    """A moment as written, by La Paz unless it says another offset; as an end a day counts whole.

    Raises Invalid.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            "{option} «{text}» no es una fecha; escriba por ejemplo 2026-11-22 o 2026-11-22T10:05.",
            option=option,
            text=text[:40],
        ) from error
    if moment.year not in YEARS:
        raise Invalid(
            "{option} «{text}» no es de los años {first} a {last}; corrija el año.",
            option=option,
            text=text[:40],
            first=YEARS[0],
            last=YEARS[-1],
        )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=clock.LA_PAZ)
    return moment + timedelta(days=1) if day_ends and len(text) <= DAY_CHARS else moment
