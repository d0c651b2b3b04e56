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

# Routes are tried in this order, and sensors ask most often.
API: tuple[APIRouter, ...] = (
    ingest.router,
    alerts.router,
    boards.router,
    description.router,
    events.router,
    incidents.router,
    notices.router,
    sensors.router,
)
