"""Months beside one another, and in which of them a first copy of an event may be."""

from datetime import timedelta

from cgii.model.event import Event
from cgii.store.events_month import first_moment, month_of


def neighbour(month: str, step: int) -> str:
    """The month after (1) or before (-1) one such as `2026-11`."""
    begin = first_moment(month)
    return month_of(begin + timedelta(days=32) if step > 0 else begin - timedelta(days=1))


def may_be_in(other: str, event: Event, month: str) -> bool:
    """A first copy came after the event happened, or, if its clock was wrong, recently."""
    return other >= neighbour(month, -1) or other >= month_of(event.at)
