"""The rows of assets and risks in a form: numbered fields in, dataclasses out, and back."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from starlette.datastructures import FormData

from cgii.base import limits
from cgii.base.errors import InvalidForm
from cgii.comply.general import Asset, Risk
from cgii.web.forms import Filled, Problems, Typed

Level = Annotated[int, Field(ge=1, le=5)]
Text = Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)]
_NAME = re.compile(r"(assets|risks)\.(\d{1,6})\.(\w{1,40})")
_CODES = re.compile(r"[^\s,;]+")
Row = dict[str, str]
Data = TypeVar("Data")


@dataclass(frozen=True)
class AssetRow:
    """An asset as typed."""

    name: Text = ""
    kind: str = "information"
    owner: Text = ""
    confidentiality: Level = 3
    integrity: Level = 3
    availability: Level = 3


@dataclass(frozen=True)
class RiskRow:
    """A risk as typed."""

    threat: Text = ""
    asset: Text = ""
    probability: Level = 3
    impact: Level = 3
    treatment: str = "mitigate"
    controls: Text = ""  # codes: "6.5, 6.6"
    residual_probability: Level = 1
    residual_impact: Level = 1
    accepted_by: Text = ""


def read_rows(sent: FormData) -> tuple[list[Row], list[Row]]:
    """The rows of assets and of risks as typed, in the order of their numbers."""
    found: dict[str, dict[int, Row]] = {"assets": {}, "risks": {}}
    for name in dict.fromkeys(sent.keys()):
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        kind, number, column = match.groups()
        texts = [value for value in sent.getlist(name) if isinstance(value, str)]
        if texts:
            found[kind].setdefault(int(number), {})[column] = texts[-1].strip()
    return (
        [found["assets"][number] for number in sorted(found["assets"])],
        [found["risks"][number] for number in sorted(found["risks"])],
    )


def shown_rows(
    assets: Iterable[Mapping[str, Any]], risks: Iterable[Mapping[str, Any]]
) -> Filled[Any]:
    """The form that shows these rows, typed or saved, in numbered fields: `assets.0.name`."""
    typed: Typed = {}
    for kind, rows in (("assets", assets), ("risks", risks)):
        for place, row in enumerate(rows):
            for column, value in row.items():
                is_list = isinstance(value, (list, tuple))
                text = ", ".join(map(str, value)) if is_list else str(value)
                typed[f"{kind}.{place}.{column}"] = text
    return Filled(None, typed)


def to_assets(rows: Iterable[Row]) -> tuple[Asset, ...]:
    """Typed rows as assets. Raises InvalidForm with fields such as `assets.0.integrity`."""
    return tuple(Asset(**asdict(row)) for row in _parse("assets", AssetRow, rows))


def to_risks(rows: Iterable[Row]) -> tuple[Risk, ...]:
    """Typed rows as risks. Raises InvalidForm with fields such as `risks.0.impact`."""
    return tuple(
        Risk(**asdict(row) | {"controls": tuple(_CODES.findall(row.controls))})
        for row in _parse("risks", RiskRow, rows)
    )


def _parse(kind: str, model: type[Data], rows: Iterable[Row]) -> list[Data]:
    adapter, parsed, problems = TypeAdapter(model), [], {}
    for place, row in enumerate(rows):
        filled = {name: value for name, value in row.items() if value != ""}
        try:
            parsed.append(adapter.validate_python(filled))
        except ValidationError as error:
            found = Problems.of(error)
            for name, text in found.problems.items():
                facts = found.facts_by_field.get(name, {})
                problems[f"{kind}.{place}.{name}"] = text.format(**facts) if facts else text
    if problems:
        raise InvalidForm(problems)
    return parsed


def row_count(kind: str, typed: Iterable[str]) -> int:
    """How many rows must be drawn so that every numbered field has its place."""
    matches = [_NAME.fullmatch(name) for name in typed]
    numbers = [int(match[2]) for match in matches if match and match[1] == kind]
    return min(max(numbers, default=-1) + 1, limits.PLAN_ITEMS_MAX)
