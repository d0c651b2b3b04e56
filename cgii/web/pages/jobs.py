"""How far a job is, and the button that stops it."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from cgii.model.records import Job
from cgii.store.queue import ask_to_stop
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, render
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser
from cgii.web.language import gettext
from cgii.web.visible import find

router = APIRouter(prefix="/trabajos", include_in_schema=False)


@router.get("/{job_id}", dependencies=[require("account")])
def show_job(request: Request, session: CurrentSession, user: CurrentUser, job_id: int) -> Response:
    """A page with the job's progress, or its fragment, asked for every second."""
    job = find(session, user, Job, id=job_id)
    return render(request, "jobs/job.html", job=job, title=_title(job), done_url=_done_url(job))


def _title(job: Job) -> str:
    if job.name == "backtest":
        return gettext("Probar en registros guardados")
    if job.name == "replay_rejects":
        return gettext("Leer de nuevo los rechazos")
    return gettext("Producir el informe") if job.name == "make_report" else ""


def _done_url(job: Job) -> str:
    """Where the job's result is, if it made one."""
    if job.state == "done" and job.name == "backtest":
        return f"/reglas/historico/{job.id}" if "backtest" in job.result else ""
    if job.state == "done" and "source" in job.result:
        return f"/fuentes/{quote(job.result['source'])}"
    document = job.result.get("document_id") if job.state == "done" else None
    return f"/informes/documentos/{document}" if document else ""


@router.post("/{job_id}/detener", dependencies=[require("account")])
def stop(request: Request, act: CurrentAct, user: CurrentUser, job_id: int) -> Response:
    """Ask the job to stop; it does at its next step."""
    job = find(act.session, user, Job, id=job_id)
    ask_to_stop(act.session, job.id, now=act.now)
    act.record("job.stop_asked", f"job:{job.id}")
    return redirect(request, f"/trabajos/{job.id}", toast=Toast(gettext("Se pidió detenerlo.")))
