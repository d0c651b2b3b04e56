"""The list of background jobs: name → function and pace. Each may run twice and do no harm."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cgii import backtest as backtests
from cgii import examination, silence
from cgii.base import clock, counters, limits
from cgii.base.errors import CgiiError, NotFound, Unavailable
from cgii.centre import Centre
from cgii.collect.definition import load_definitions
from cgii.comply import letters, validity
from cgii.detect import indicator_lists, window_rows
from cgii.detect.yara_child import Target, is_available
from cgii.link.mail import Mail
from cgii.measure.filters import Filters
from cgii.measure.period import parse_period
from cgii.model.incidents import Evidence
from cgii.model.people import User, WebSession
from cgii.model.plans import Plan
from cgii.model.records import Document, Message
from cgii.model.verdicts import UNKNOWN, Verdict
from cgii.replay import replay_rejects
from cgii.report.produce import produce
from cgii.respond import deadlines as respond_deadlines
from cgii.respond import evidence_scans
from cgii.respond.notify import SUFFIX, compose
from cgii.store import anchors, files, queue, sensors
from cgii.store.act import Act
from cgii.store.files import open_stored

Result = Mapping[str, Any] | None  # JSON values, kept with the job

MINUTE, HOUR = 60, 3_600


@dataclass(frozen=True)
class JobContext:
    """What a job knows of its own run."""

    job_id: int
    now: datetime
    progress: Callable[[int, str], bool]  # percent, text → whether to stop
    asked_at: datetime  # when the job was enqueued; the same in every try
    asked_by_id: int | None = None
    is_last_try: bool = False


@dataclass(frozen=True)
class JobKind:
    """A job's function, and the seconds between two runs if it comes by itself."""

    function: Callable[..., Result]  # (centre, context, **arguments of enqueue)
    every_seconds: int | None = None


def send_message(centre: Centre, context: JobContext, *, message_id: int) -> Result:
    """Hand one waiting mail to the mail server and write down what became of it."""
    with centre.database.reading() as session:
        message = session.get(Message, message_id)
        if message is None or message.state != "waiting":
            return None
    state, detail = "sent", ""  # what its TLP forbids was left out when it was written
    if not centre.mail.is_configured:
        state, detail = "withheld", "No hay un servidor de correo configurado."
    else:
        mail = Mail(f"message-{message.id}", message.recipient, message.subject, message.body)
        try:
            # A crash after this line sends a copy with the same Message-ID; a crash before
            # marking it first would send nothing.
            centre.mail.send(mail, now=context.now)
        except CgiiError as error:
            if isinstance(error, Unavailable) and not context.is_last_try:
                raise
            state, detail = "failed", str(error)
    with centre.database.transaction() as session:
        message = session.get_one(Message, message_id, with_for_update=True)
        message.state, message.detail = state, detail[: limits.MAIL_LINE_CHARS_MAX]
        message.sent_at = context.now if state == "sent" else None
    counters.MAILS_SENT.labels(state).inc()
    return {"state": state}


def check_deadlines(centre: Centre, context: JobContext) -> Result:
    """Warn of deadlines that come near and stamp those that were missed."""
    with centre.database.transaction() as session:
        return {"told": len(respond_deadlines.check_deadlines(_act(centre, session)))}


def expire_plans(centre: Centre, context: JobContext) -> Result:
    """End the validity of plans whose last day has passed."""
    with centre.database.transaction() as session:
        return {"plans": len(validity.expire_plans(_act(centre, session)))}


def remind_expiring_plans(centre: Centre, context: JobContext) -> Result:
    """Tell entities that a plan's validity comes to its end."""
    with centre.database.transaction() as session:
        return {"plans": len(validity.remind_expiring(_act(centre, session)))}


def notify_plan(
    centre: Centre, context: JobContext, *, plan_id: int, event: str, detail: str
) -> Result:
    """Write the mails that tell an entity what happened to its plan."""
    with centre.database.transaction() as session:
        act = _act(centre, session)
        letter = letters.plan_letter(
            session, plan_id, event, detail=detail, public_url=act.public_url
        )
        plan = session.get_one(Plan, letter.plan_id)
        for recipient in letter.recipients:
            compose(
                act,
                letter.template.removesuffix(SUFFIX),
                recipient,
                letter.facts,
                dedupe_key=f"{letter.dedupe_key}:{recipient}",
                tlp=letter.tlp,
                plan=plan,
                entity=plan.entity,
            )
    return {"recipients": len(letter.recipients)}


def make_report(
    centre: Centre,
    context: JobContext,
    *,
    report: str,
    subject: str,
    format: str,
    filters: Mapping[str, str] | None = None,
) -> Result:
    """Produce a document and keep it. `subject` is a period (`2026-10`) or the code of a case."""
    wanted = centre.content.reports.get(report)
    if wanted is None:
        raise NotFound("No existe el informe «{report}».", report=report)
    # As of when it was asked for: a second try makes the same bytes.
    now = context.asked_at
    period = parse_period(subject, now=now) if wanted.subject == "period" else None
    narrowed = Filters.from_query(filters or {})
    with centre.database.reading() as session:
        made = produce(session, wanted, period or subject, format, now=now, filters=narrowed)
    stored = files.save(BytesIO(made), centre.documents_folder)
    arguments = {"job": context.job_id, "subject": subject, **narrowed.to_query()}
    document = Document(
        report=report,
        title=f"{wanted.title}, {period.label if period else subject}",
        period=subject,
        format=format,
        arguments=arguments,
        sha256=stored.sha256,
        size_bytes=stored.size,
        made_by_id=context.asked_by_id,
        made_at=now,
    )
    return {"document_id": _keep_once(centre, document)}


def _keep_once(centre: Centre, document: Document) -> int:
    with centre.database.transaction() as session:
        same_moment = select(Document).where(
            Document.report == document.report, Document.made_at == document.made_at
        )
        for kept in session.scalars(same_moment):
            if kept.arguments == document.arguments and kept.format == document.format:
                return kept.id  # an earlier try of this job came so far
        session.add(document)
        session.flush()  # the trail and the job's result name it by its id
        _act(centre, session).record(
            "report.made", f"document:{document.id}", report=document.report, **document.arguments
        )
        return document.id


def decide_windows(centre: Centre, context: JobContext) -> Result:
    """Decide the correlation windows that ended without another event."""
    return {"windows": examination.decide_windows(centre)}


def replay(centre: Centre, context: JobContext, *, source: str, reason: str = "") -> Result:
    """Read kept rejects of a source again, by its definition as the files have it now."""
    # What runs may have been begun before the definition was mended.
    mended = load_definitions(centre.settings.site)
    told = replay_rejects(
        centre, source, definitions=mended, reason=reason, progress=context.progress
    )
    with centre.database.transaction() as session:
        user = session.get(User, context.asked_by_id) if context.asked_by_id else None
        centre.act(session, user, via="job").record(
            "rejects.replayed", f"source:{source}", read=told.read, refused=told.refused
        )
    return {"source": source, "said": told.sentence()}


def check_silence(centre: Centre, context: JobContext) -> Result:
    """Tell of sources that stopped or fell to a tenth, and of those that came back."""
    return asdict(silence.check_silence(centre))


def scan_evidence(centre: Centre, context: JobContext, *, evidence_id: int) -> Result:
    """Look into one file with YARA and keep what it said."""
    with centre.database.reading() as session:
        evidence = session.get(Evidence, evidence_id)
    if evidence is None or evidence.withdrawn_at is not None:
        return None
    try:
        with open_stored(centre.files_folder, evidence.sha256) as file:
            [verdict] = centre.yara.scan([Target(evidence.file_name, file)])
    except NotFound:
        version = centre.yara.sources().version
        verdict = Verdict(UNKNOWN, ("unreadable",), rules_version=version)
    with centre.database.transaction() as session:
        evidence = session.get_one(Evidence, evidence_id)
        evidence_scans.keep_verdict(
            _act(centre, session), evidence, verdict, asked_by_id=context.asked_by_id
        )
    return {"outcome": verdict.outcome, "matches": len(verdict.matches)}


def rescan_evidence(centre: Centre, context: JobContext) -> Result:
    """Look again into evidence that was not seen with the rules of today, a part at a time."""
    if not is_available():
        return {"files": 0}
    version = centre.yara.sources().version
    with centre.database.reading() as session:
        outdated = evidence_scans.outdated_evidence(session, version)
    done = size = 0
    for evidence_id, size_bytes in outdated:
        size += size_bytes
        if done and size > limits.RESCAN_BYTES_MAX:
            break
        scan_evidence(centre, context, evidence_id=evidence_id)
        done += 1
        if context.progress(100 * done // len(outdated), f"{done} de {len(outdated)} archivos"):
            break
    return {"files": done}


def run_backtest(
    centre: Centre,
    context: JobContext,
    *,
    start: str,
    end: str,
    rule_id: str = "",
    text: str = "",
    entity_ids: Sequence[int] | None = None,
) -> Result:
    """Look for what a rule would have found; the rule in force, or a text that is not saved."""
    rules, named = (
        backtests.rules_in_text(centre, text)
        if text
        else (backtests.rules_for(centre, rule_id), "")
    )
    found = backtests.backtest(
        centre,
        rules,
        start=clock.parse(start),
        end=clock.parse(end),
        progress=context.progress,
        rule_id=named,
        entity_ids=None if entity_ids is None else frozenset(entity_ids),
    )
    return {"backtest": found.to_json()}


def prune_windows(centre: Centre, context: JobContext) -> Result:
    """Forget correlation windows that can no longer matter."""
    deleted = 0
    for _ in range(limits.PRUNE_TURNS_MAX):
        with centre.database.transaction() as session:
            found = window_rows.prune_windows(session, now=context.now)
        deleted += found
        if found < limits.PRUNE_ROWS:
            break
    return {"windows": deleted}


def prune_indicators(centre: Centre, context: JobContext) -> Result:
    """Forget indicators that expired long ago."""
    with centre.database.transaction() as session:
        return {"indicators": indicator_lists.prune_indicators(session, now=context.now)}


def prune_events(centre: Centre, context: JobContext) -> Result:
    """Let go of events that are too old, and of the oldest for which there is no room."""
    before = context.now - timedelta(days=centre.settings.events_keep_days)
    gone = centre.events.prune(before)
    most = centre.settings.events_keep_bytes
    if most:
        gone += centre.events.shrink(most, context.now)
    return {"events": gone}


def prune_sensors(centre: Centre, context: JobContext) -> Result:
    """Forget what protected signed requests that are too old by now, and old invitations."""
    gone = 0
    for _ in range(limits.PRUNE_TURNS_MAX):
        with centre.database.transaction() as session:
            found = sensors.prune_sensors(_act(centre, session))
        gone += found
        if found < limits.PRUNE_ROWS:
            break
    return {"rows": gone}


def prune_jobs(centre: Centre, context: JobContext) -> Result:
    """Forget jobs that were done long ago."""
    before = context.now - timedelta(days=limits.JOB_KEEP_DAYS)
    with centre.database.transaction() as session:
        return {"jobs": queue.prune_jobs(session, before=before)}


def analyse_record(centre: Centre, context: JobContext) -> Result:
    """Keep the planner's figures of the tables fresh."""
    centre.database.analyse()
    return {"at": context.now.isoformat()}


def anchor_audit(centre: Centre, context: JobContext) -> Result:
    """Seal the audit trail's head in a file beside the database."""
    path = centre.settings.data / anchors.FILE_NAME
    with centre.database.reading() as session:
        return {"anchored": anchors.append_anchor(centre.trail, session, path, now=context.now)}


def sweep_sessions(centre: Centre, context: JobContext) -> Result:
    """Forget browser sessions that have run out."""
    with centre.database.transaction() as session:
        gone = session.execute(
            delete(WebSession).where(WebSession.expires_at < context.now).returning(WebSession.id)
        )
        return {"sessions": len(gone.all())}


def _act(centre: Centre, session: Session) -> Act:
    return centre.act(session, via="job")


JOBS: Mapping[str, JobKind] = {
    "send_message": JobKind(send_message),
    "check_deadlines": JobKind(check_deadlines, MINUTE),
    "expire_plans": JobKind(expire_plans, HOUR),
    "remind_expiring_plans": JobKind(remind_expiring_plans, 6 * HOUR),
    "notify_plan": JobKind(notify_plan),
    "make_report": JobKind(make_report),
    "backtest": JobKind(run_backtest),
    "decide_windows": JobKind(decide_windows, MINUTE),
    "replay_rejects": JobKind(replay),
    silence.JOB: JobKind(check_silence, 10 * MINUTE),
    "scan_evidence": JobKind(scan_evidence),
    "rescan_evidence": JobKind(rescan_evidence, HOUR),
    "prune_windows": JobKind(prune_windows, 5 * MINUTE),
    "prune_indicators": JobKind(prune_indicators, 6 * HOUR),
    "prune_events": JobKind(prune_events, 6 * HOUR),
    "prune_sensors": JobKind(prune_sensors, MINUTE),
    "prune_jobs": JobKind(prune_jobs, HOUR),
    "analyse_record": JobKind(analyse_record, 6 * HOUR),
    "anchor_audit": JobKind(anchor_audit, HOUR),
    "sweep_sessions": JobKind(sweep_sessions, HOUR),
}
