"""The manual at /ayuda, and the page that shows every part of the interface."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from starlette.responses import Response

from cgii.base import limits
from cgii.web import manual
from cgii.web.access import require
from cgii.web.answers import render
from cgii.web.deps import TheCentre
from cgii.web.forms import blank

router = APIRouter(prefix="/ayuda", include_in_schema=False)
Words = Annotated[str, Query(max_length=limits.NAME_CHARS_MAX)]


@router.get("", dependencies=[require("account")])
def show_contents(request: Request, q: Words = "") -> Response:
    """The contents of the manual, or what was found in it."""
    found = list(manual.search(q)) if q.strip() else []
    return render(request, "help/contents.html", pages=manual.pages(), found=found, words=q)


@router.get("/componentes", dependencies=[require("account")])
def show_parts(request: Request, centre: TheCentre) -> Response:
    """Every part that repeats, once, for those who write pages."""
    now = centre.clock()
    spec = {
        "kind": "stacked",
        "unit": "count",
        "categories": ["ago", "sep", "oct", "nov"],
        "series": [
            {"name": "Alto", "values": [12, 9, 14, 8], "color": "alto"},
            {"name": "Medio", "values": [21, 25, 19, 23], "color": "medio"},
            {"name": "Bajo", "values": [30, 24, 28, 35], "color": "bajo"},
        ],
    }
    attended = {
        "kind": "line",
        "unit": "percent",
        "goal": 90,
        "categories": ["jun", "jul", "ago", "sep", "oct", "nov"],
        "series": [{"name": "A tiempo", "values": [81.2, 84, 88.5, 92.1, 90.4, 93.6]}],
    }
    job = SimpleNamespace(
        id=0, name="Informe mensual", state="done", progress_percent=100, progress_text="",
        result={}, last_error="", stop_asked_at=None,
    )  # fmt: skip
    evidence = SimpleNamespace(
        file_name="captura-proxy-2026-11-21.pcap", size_bytes=18_234_112, tlp="AMBER",
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        added_at=now - timedelta(hours=5), withdrawn_at=None,
    )  # fmt: skip
    return render(
        request, "help/parts.html", form=blank(), spec=spec, attended=attended, job=job,
        evidence=evidence, hour=timedelta(hours=1), person=SimpleNamespace(name="Ana Quispe"),
    )  # fmt: skip


@router.get("/{name:path}", dependencies=[require("account")])
def show_page(request: Request, name: str) -> Response:
    """One page of the manual."""
    page = manual.page(name)
    # Cleaned by nh3 in the manual, from Markdown without HTML: the one text shown as it is.
    html = Markup(page.html)  # noqa: S704
    return render(request, "help/page.html", page=page, html=html, pages=manual.pages())
