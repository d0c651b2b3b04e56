"""Collects what a document says as plain data: a period's figures, an incident, a receipt."""

from datetime import datetime
from typing import Any

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.clock import show
from cgii.base.errors import NotAllowed, NotFound
from cgii.base.labels import label
from cgii.measure.boards import Board, Panel
from cgii.measure.filters import Filters
from cgii.measure.goals import all_goals
from cgii.measure.panels import PanelData, fill_board
from cgii.measure.period import Period
from cgii.measure.svg import chart_svg
from cgii.measure.words import SEVERITIES, STAGES, class_label
from cgii.model.entities import Entity
from cgii.model.incidents import Entry, Incident, Notice
from cgii.model.plans import Submission

TITLE_OF_CENTRE = "Centro de Gestión de Incidentes Informáticos"


def gather_period(
    session: Session, panels: tuple[Panel, ...], period: Period, filters: Filters
) -> dict[str, Any]:
    """The panels by id with their charts as SVG: the same numbers as on a board."""
    board = Board("", "", "", 0, period.code, frozenset(), panels)
    filled = {
        panel.id.replace("-", "_"): panel.as_dict() | {"svg": _svg(panel)}
        for panel in fill_board(session, board, period, filters)
    }
    goals = [
        {
            "title": goal.title,
            "text": goal.text,
            "source": goal.source,
            "certainty": goal.certainty,
        }
        for goal in all_goals()
        if goal.until is None or goal.until >= period.start.date()
    ]
    return {
        "period": {
            "label": period.label,
            "start": show(period.start),
            "end": show(period.end),
            "as_of": show(period.as_of),
            "is_partial": period.is_partial,
        },
        "panels": filled,
        "goals": goals,
    }


def _svg(panel: PanelData) -> Markup:
    if panel.drawing is None:
        return Markup("")
    drawn = chart_svg(panel.drawing, panel.title, f"{panel.definition} n = {panel.n}.")
    return Markup(drawn)  # noqa: S704 - our own writer escapes every text in it


def gather_incident(session: Session, code: str) -> dict[str, Any]:
    """What the entity may read of an incident: its card and the shared entries, oldest first.

    Raises NotFound, and NotAllowed for TLP:RED, which names persons and not whole entities.
    """
    incident = session.scalar(select(Incident).where(Incident.code == code))
    if incident is None:
        raise NotFound("No existe el incidente {code}.", code=code)
    if incident.tlp == "RED":
        raise NotAllowed(
            "El incidente {code} es TLP:RED: solo para las personas nombradas. No se produce su "
            "ficha.",
            code=code,
        )
    entries = session.scalars(
        select(Entry)
        .where(Entry.incident_id == incident.id, Entry.is_shared.is_(True))
        .order_by(Entry.at, Entry.id)
    )
    stages = [
        {"label": STAGES[stage], "at": show(moment)}
        for stage in STAGES
        if (moment := getattr(incident, f"{stage}_at")) is not None
    ]
    reason = incident.close_reason
    return {
        "tlp": incident.tlp,
        "incident": {
            "code": incident.code,
            "title": incident.title,
            "entity": incident.entity.name if incident.entity else "",
            "class": class_label(incident.rsit_class) if incident.rsit_class else "Sin clasificar",
            "type": label("taxonomy.classes", incident.rsit_type) if incident.rsit_type else "",
            "severity": SEVERITIES.get(incident.severity, incident.severity),
            "is_exercise": incident.is_exercise,
            "close_reason": label("incidents.close_reasons", reason) if reason else "",
            "stages": stages,
            "entries": [
                {
                    "at": show(entry.at),
                    "kind": label("incidents.entry_kinds", entry.kind),
                    "text": entry.text,
                }
                for entry in entries
            ],
        },
    }


def gather_receipt(session: Session, code: str) -> dict[str, Any]:
    """The receipt of a notice (REP-…) or of a filed plan (PISI-…). Raises NotFound."""
    notice = session.scalar(select(Notice).where(Notice.code == code))
    if notice is not None:
        return {
            "tlp": notice.tlp,
            "receipt": _receipt(
                "Reporte de incidente",
                notice.code,
                notice.title,
                notice.content_sha256,
                entity=notice.entity,
                at=notice.received_at,
            ),
        }
    filed = session.scalar(select(Submission).where(Submission.code == code))
    if filed is None:
        raise NotFound("No existe el comprobante {code}.", code=code)
    plan = filed.plan
    return {
        "tlp": "AMBER",
        "receipt": _receipt(
            "Presentación de Plan Institucional de Seguridad de la Información (PISI)",
            filed.code,
            f"Gestión {plan.year}, presentación n.º {filed.number}",
            filed.sha256,
            entity=plan.entity,
            at=filed.filed_at,
        ),
    }


def _receipt(
    kind: str, code: str, about: str, sha256: str, *, entity: Entity, at: datetime
) -> dict[str, str]:
    return {
        "kind": kind,
        "code": code,
        "about": about,
        "sha256": sha256,
        "entity": entity.name,
        "entity_code": entity.code,
        "at": show(at),
    }
