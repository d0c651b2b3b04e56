"""Makes a document: gathers its data, fills its template, prints it. Same inputs, same bytes."""

from datetime import datetime
from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from cgii.base.clock import show
from cgii.base.errors import Invalid
from cgii.measure.filters import Filters
from cgii.measure.period import Period
from cgii.report.definition import Report
from cgii.report.gather import TITLE_OF_CENTRE, gather_incident, gather_period, gather_receipt
from cgii.report.pdf import make_pdf
from cgii.report.render import render

NO_FILTERS = Filters()


def produce(
    session: Session,
    report: Report,
    subject: Period | str,
    format: str,
    *,
    now: datetime,
    filters: Filters = NO_FILTERS,
) -> bytes:
    """The document in `html` or `pdf`.

    `subject` is a Period for a report of a period, else the code of the incident, notice or
    submission. Whether the person may see it is the caller's question. Raises Invalid, NotFound,
    NotAllowed (TLP) and Unavailable (no PDF on this machine).
    """
    if format not in report.formats:
        raise Invalid("El informe no se produce en el formato {format}.", format=format[:20])
    data = _gather(session, report, subject, filters)
    data.setdefault("tlp", report.tlp)
    data |= {
        "title": report.title,
        "centre": TITLE_OF_CENTRE,
        "made_at": show(now),
        "made_at_iso": now.isoformat(timespec="seconds"),
        "style": Markup(report.style),  # noqa: S704 - a content file of the site's own
    }
    html = render(report.template, data)
    return make_pdf(html) if format == "pdf" else html.encode()


def _gather(
    session: Session, report: Report, subject: Period | str, filters: Filters
) -> dict[str, Any]:
    if isinstance(subject, Period) != (report.subject == "period"):
        raise Invalid("El informe «{title}» no se hace sobre eso.", title=report.title)
    if isinstance(subject, Period):
        return gather_period(session, report.panels, subject, filters)
    if report.subject == "incident":
        return gather_incident(session, subject)
    return gather_receipt(session, subject)
