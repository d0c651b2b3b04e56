"""Raw events for programs of the centre's people: search, counts over time, frequent values."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from cgii.base import limits
from cgii.report.event_lines import event_json
from cgii.web.access import require
from cgii.web.answers import JsonResponse
from cgii.web.deps import CurrentUser, TheCentre
from cgii.web.hunting import read_hunt, warnings

router = APIRouter(prefix="/api/v1/events", tags=["events"])


@router.get("", dependencies=[require("search.see")])
def search_events(
    request: Request,
    user: CurrentUser,
    centre: TheCentre,
    size: Annotated[int, Query(ge=1, le=limits.PAGE_ROWS_MAX)] = limits.PAGE_ROWS,
) -> JsonResponse:
    """A page of events, newest first.

    `q` is the search as on the page, `rango` one of 15m 1h 24h 7d 30d todo, or `desde` and `hasta`;
    `despues` is the `after` of the page before, empty on the last. `warnings` says what is missing.
    """
    hunt = read_hunt(request.query_params, now=centre.clock())
    query = hunt.query(user, size)
    page = centre.events.search(query)
    events = [event_json(event) for event in page.events]
    told = warnings(centre.events.gaps(query), page.unreadable)
    return JsonResponse({"events": events, "after": page.after, "warnings": told})


@router.get("/histogram", dependencies=[require("search.see")])
def histogram(request: Request, user: CurrentUser, centre: TheCentre) -> JsonResponse:
    """How many events match over time, in equal steps, and how many in all."""
    hunt = read_hunt(request.query_params, now=centre.clock())
    query = hunt.query(user)
    buckets = centre.events.histogram(query)
    steps = [{"start": bucket.start, "count": bucket.count} for bucket in buckets]
    total, told = sum(one.count for one in buckets), warnings(centre.events.gaps(query))
    return JsonResponse({"total": total, "steps": steps, "warnings": told})


@router.get("/values", dependencies=[require("search.see")])
def values(
    request: Request,
    user: CurrentUser,
    centre: TheCentre,
    campo: Annotated[str, Query(min_length=1, max_length=limits.NAME_CHARS_MAX)],
) -> JsonResponse:
    """The most frequent values of the field `campo` among the events that match."""
    query = read_hunt(request.query_params, now=centre.clock()).query(user)
    found: list[dict[str, Any]] = [
        {"value": one.value, "count": one.count} for one in centre.events.top_values(query, campo)
    ]
    told = warnings(centre.events.gaps(query))
    return JsonResponse({"field": campo, "values": found, "warnings": told})
