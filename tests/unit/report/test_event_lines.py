"""Events as lines: the API's own JSON, CSV without formulas, and what Elasticsearch would keep."""

import csv
import io
import json

import orjson
import pytest

from cgii.base.errors import Invalid
from cgii.model.event import Event
from cgii.report.event_lines import FIELDS, FORMATS, csv_of, event_json
from cgii.store.elastic_document import written
from cgii.store.elastic_template import MADE
from tests.event_oracle import make_event

EVENTS = [
    make_event(1, original="=cmd|' /C calc'!A0", ecs={"user.name": ["ana", "-eva", "ana"]}),
    make_event(2, original='two\nlines, "quoted"', ecs={"source.ip": "10.0.0.1", "x": 5}),
]


def _rows(made: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(made.decode("utf-8-sig"), newline="")))


def test_a_line_of_json_is_what_the_api_gives() -> None:
    lines = b"".join(FORMATS["jsonl"](EVENTS)).splitlines()
    assert lines == [orjson.dumps(event_json(event)) for event in EVENTS]


def test_no_cell_of_a_csv_is_a_formula() -> None:
    heads, first, second = _rows(b"".join(FORMATS["csv"](EVENTS)))
    assert tuple(head.lstrip("'") for head in heads) == FIELDS
    assert first[-1] == "'=cmd|' /C calc'!A0"
    assert first[FIELDS.index("user.name")] == "ana; -eva"
    assert second[-1] == 'two\nlines, "quoted"'
    assert not [
        cell for row in (heads, first, second) for cell in row if cell.startswith(("=", "-"))
    ]


def test_the_columns_of_a_csv_are_chosen() -> None:
    made = b"".join(csv_of(["origen", "x", "event.ingested", "id", "nothing"])(EVENTS))
    at = "2026-11-22T12:00:03.000000+00:00"
    assert _rows(made)[2] == ["10.0.0.1", "5", at, EVENTS[1].id, ""]
    with pytest.raises(Invalid):
        csv_of(["a", ""])


def test_many_rows_are_all_written() -> None:
    events = [make_event(seq) for seq in range(1_201)]
    assert len(_rows(b"".join(FORMATS["csv"](events)))) == 1_202


@pytest.mark.parametrize("event", EVENTS)
def test_an_ecs_line_is_the_stored_document_without_its_terms(event: Event) -> None:
    (line,) = FORMATS["ecs"]([event])
    stored = json.loads(written(event).document)
    for name in MADE:
        stored["cgii"].pop(name.partition(".")[2], None)
    assert json.loads(line) == stored
