"""Files kept as evidence: downloaded by whoever may see them, looked into again on demand."""

from collections.abc import Iterator
from typing import BinaryIO

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from cgii.base import limits
from cgii.model.evidence_scans import EvidenceScan
from cgii.model.incidents import Evidence, Incident
from cgii.respond.evidence_scans import ask_scan, share_verdict
from cgii.store.act import Act
from cgii.store.files import open_stored
from cgii.web.access import require
from cgii.web.answers import Toast, attached, redirect
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, TheCentre
from cgii.web.language import gettext
from cgii.web.visible import find

router = APIRouter(prefix="/evidencias", include_in_schema=False)


@router.get("/{evidence_id}", dependencies=[require("evidence.see")])
def download_evidence(
    session: CurrentSession, user: CurrentUser, centre: TheCentre, evidence_id: int
) -> Response:
    """The file as it was received, with its hash beside it; never shown in the browser."""
    evidence = find(session, user, Evidence, id=evidence_id)
    file = open_stored(centre.files_folder, evidence.sha256)
    response = StreamingResponse(pieces(file), media_type="application/octet-stream")
    response.headers["Content-Length"] = str(evidence.size_bytes)
    response.headers["Content-Disposition"] = attached(evidence.file_name)
    response.headers["X-Content-SHA256"] = evidence.sha256
    return response


@router.post("/{evidence_id}/analizar", dependencies=[require("incident.work")])
def scan_again(request: Request, act: CurrentAct, user: CurrentUser, evidence_id: int) -> Response:
    """Have a file looked into again."""
    evidence = find(act.session, user, Evidence, id=evidence_id)
    ask_scan(act, evidence)
    return _to_case(request, act, evidence, gettext("Se analizará de nuevo en seguida."))


@router.post("/{evidence_id}/compartir-resultado", dependencies=[require("incident.work")])
def share_last_verdict(
    request: Request, act: CurrentAct, user: CurrentUser, evidence_id: int
) -> Response:
    """Let the entity see what the last scan said."""
    evidence = find(act.session, user, Evidence, id=evidence_id)
    scan = find(act.session, user, EvidenceScan, evidence_id=evidence.id, is_latest=True)
    share_verdict(act, scan)
    return _to_case(request, act, evidence, gettext("La entidad ya puede ver el resultado."))


def _to_case(request: Request, act: Act, evidence: Evidence, text: str) -> Response:
    incident = act.session.get(Incident, evidence.incident_id) if evidence.incident_id else None
    place = f"/incidentes/{incident.code}?ver=evidencias" if incident else "/incidentes"
    return redirect(request, place, toast=Toast(text))


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces, closed at its end."""
    with file:
        while piece := file.read(limits.READ_CHUNK_BYTES):
            yield piece
