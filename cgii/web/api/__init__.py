"""What programs call: every router of the API is listed here once."""

from fastapi import APIRouter

from cgii.web.api import (
    alerts,
    boards,
    description,
    events,
    incidents,
    ingest,
    notices,
    sensors,
)

API: tuple[APIRouter, ...] = (
    alerts.router,
    boards.router,
    description.router,
    events.router,
    incidents.router,
    ingest.router,
    notices.router,
    sensors.router,
)
