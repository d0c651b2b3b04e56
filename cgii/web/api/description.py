"""The API's description (OpenAPI), for people who write programs against it."""

from typing import Any

from fastapi import APIRouter, Request

from cgii.web.access import require

router = APIRouter(prefix="/api/v1", tags=["description"])


@router.get("/openapi.json", dependencies=[require("account")], include_in_schema=False)
def describe(request: Request) -> dict[str, Any]:  # OpenAPI
    """Every route of the API with its bodies and answers."""
    whole: dict[str, Any] = request.app.openapi()
    paths = {path: item for path, item in whole["paths"].items() if path.startswith("/api/")}
    return whole | {"paths": paths}
