"""Fills a board: each panel's number, table, chart, definition, target and earlier figure."""

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy.orm import Session

from cgii.base.errors import ContentError
from cgii.measure.boards import Board, Panel
from cgii.measure.catalogue import metric_named
from cgii.measure.charts import Drawing, chart_option, draw
from cgii.measure.filters import Filters
from cgii.measure.metric import Cell, Figure, Metric, Row, Table, remembering
from cgii.measure.period import Period
from cgii.measure.show import show_change, show_number, show_value


@dataclass(frozen=True)
class PanelData:
    """A filled panel. Everything in it is JSON; `as_dict` gives it whole.

    A cell is `{"value", "text", "part"}`; a part that is not empty opens its rows. In `chart`,
    a text that starts with `@` is the name of a colour (`@good`), put in by the page.
    """

    id: str
    metric: str
    title: str
    kind: str  # number bar hbar line stacked funnel donut table
    width: int
    unit: str
    definition: str
    formula: str
    excludes: str
    period: str
    value: float | None
    value_text: str
    part: str
    n: int
    target: float | None
    target_text: str
    target_met: bool | None
    previous: float | None
    previous_text: str
    previous_n: int
    change_text: str
    notes: list[str]
    head: str
    columns: list[dict[str, str]]
    rows: list[dict[str, Any]]
    chart: dict[str, Any] | None
    drawing: Drawing | None  # the same for svg.chart_svg

    def as_dict(self) -> dict[str, Any]:
        """The panel as plain JSON values, without `drawing`."""
        return {field.name: getattr(self, field.name) for field in fields(self)[:-1]}


def fill_board(session: Session, board: Board, period: Period, filters: Filters) -> list[PanelData]:
    """Every panel of the board; a metric that two panels show is computed once."""
    computed: dict[str, Figure | Table] = {}
    with remembering(session):
        for name in dict.fromkeys(panel.metric for panel in board.panels):
            computed[name] = metric_named(name).compute(session, period, filters)
    return [_fill(panel, computed[panel.metric], period) for panel in board.panels]


def fill_panel(session: Session, panel: Panel, period: Period, filters: Filters) -> PanelData:
    """One panel alone: for a fragment, an export, a report."""
    chosen = metric_named(panel.metric)
    return _fill(panel, chosen.compute(session, period, filters), period)


def panel_table(
    session: Session, panel: Panel, period: Period, filters: Filters
) -> tuple[list[str], list[list[str | float | None]]]:
    """The panel's whole table for CSV and XLSX: headings, then rows of label and raw numbers."""
    result = metric_named(panel.metric).compute(session, period, filters)
    table = result if isinstance(result, Table) else result.table
    if table is None:
        assert isinstance(result, Figure)
        return ["n", panel.title], [[result.n, result.value]]
    units = {"seconds": " (s)", "percent": " (%)", "count": ""}
    headings = [table.head, *(column.label + units[column.unit] for column in table.columns)]
    rows = [[row.label, *(cell.value for cell in row.cells)] for row in table.rows]
    return headings, rows


def _fill(panel: Panel, result: Figure | Table, period: Period) -> PanelData:
    chosen = metric_named(panel.metric)
    table = result if isinstance(result, Table) else result.table
    number = result if isinstance(result, Figure) else None
    notes = list(result.notes)
    if table is not None:
        notes += [note for note in table.notes if note not in notes]
        table = _shortened(table, panel.top)
        _check_columns(panel, table)
    value = number.value if number else None
    target = result.target
    drawing = draw(panel.chart, table, panel.columns, target=target) if table else None
    return PanelData(
        id=panel.id,
        metric=chosen.id,
        title=panel.title,
        kind=panel.chart,
        width=panel.width,
        unit=chosen.unit,
        definition=chosen.definition,
        formula=chosen.formula,
        excludes=chosen.excludes,
        period=period.label,
        value=value,
        value_text=show_value(value, chosen.unit) if number else "",
        part=number.part if number else "",
        n=result.n,
        target=target,
        target_text=f"meta: {show_value(target, 'percent')}" if target is not None else "",
        target_met=None if value is None or target is None else value >= target,
        **_earlier(number, chosen),
        notes=notes,
        head=table.head if table else "",
        columns=_columns(table),
        rows=_rows(table),
        chart=chart_option(drawing) if drawing else None,
        drawing=drawing,
    )


def _earlier(number: Figure | None, chosen: Metric) -> dict[str, Any]:
    if number is None:
        return {"previous": None, "previous_text": "", "previous_n": 0, "change_text": ""}
    known = number.previous is not None
    return {
        "previous": number.previous,
        "previous_text": show_value(number.previous, chosen.unit) if known else "",
        "previous_n": number.previous_n,
        "change_text": show_change(number.value, number.previous, chosen.unit),
    }


def _columns(table: Table | None) -> list[dict[str, str]]:
    return [
        {"key": column.key, "label": column.label, "unit": column.unit, "colour": column.colour}
        for column in (table.columns if table else ())
    ]


def _rows(table: Table | None) -> list[dict[str, Any]]:
    if table is None:
        return []
    return [
        {
            "key": row.key,
            "label": row.label,
            "cells": [
                {
                    "value": cell.value,
                    "text": show_value(cell.value, column.unit),
                    "part": cell.part if cell.value else "",
                }
                for cell, column in zip(row.cells, table.columns, strict=True)
            ],
        }
        for row in table.rows
    ]


def _shortened(table: Table, top: int) -> Table:
    """The first `top` rows, and one that adds up the counts of the rest."""
    if not top or len(table.rows) <= top + 1:
        return table
    rest = table.rows[top:]
    cells = []
    for place, column in enumerate(table.columns):
        values = [row.cells[place].value for row in rest]
        adds_up = column.unit == "count"
        cells.append(Cell(sum(value or 0 for value in values) if adds_up else None))
    label = f"Otras {show_number(len(rest))}"
    rows = (*table.rows[:top], Row("others", label, tuple(cells), "neutral"))
    return Table(table.head, table.columns, rows, table.n, table.notes, table.target)


def _check_columns(panel: Panel, table: Table) -> None:
    known = {column.key for column in table.columns}
    for name in panel.columns:
        if name not in known:
            raise ContentError("dashboards", f"el panel «{panel.id}» no tiene columna «{name}»")
