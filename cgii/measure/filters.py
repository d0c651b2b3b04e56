"""What a board or a report is narrowed to: an entity, a sector, a class, a severity, an origin."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.entities import Entity


@dataclass(frozen=True)
class Filters:
    """Empty means: not narrowed. Field names are the keys of the query string."""

    entity: int | None = None
    level: str = ""
    kind: str = ""  # of entity
    sector: str = ""
    severity: str = ""
    rsit_class: str = ""
    origin: str = ""

    @classmethod
    def from_query(cls, given: Mapping[str, str]) -> "Filters":
        """Read the known keys of a query string; Invalid when one has an impossible value."""
        values: dict[str, object] = {}
        for name in (field.name for field in fields(cls)):
            text = given.get(name, "").strip()
            if not text:
                continue
            if len(text) > limits.NAME_CHARS_MAX or (name == "entity" and not text.isdecimal()):
                raise Invalid("El filtro {name} no se entiende.", field=name, name=name)
            values[name] = int(text) if name == "entity" else text
        return cls(**values)  # type: ignore[arg-type]  # each value was read for its field

    def to_query(self) -> dict[str, str]:
        """The keys and values of a query string that reads back as these filters."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: str(value) for name, value in pairs if value}

    def of_entities(self) -> list[ColumnElement[bool]]:
        """The conditions on Entity itself."""
        found: list[ColumnElement[bool]] = []
        if self.entity is not None:
            found.append(Entity.id == self.entity)
        for column, wanted in (
            (Entity.level, self.level),
            (Entity.kind, self.kind),
            (Entity.sector, self.sector),
        ):
            if wanted:
                found.append(column == wanted)
        return found

    def by_entity(
        self, column: InstrumentedAttribute[int] | InstrumentedAttribute[int | None]
    ) -> list[ColumnElement[bool]]:
        """The same conditions on a column that points at an entity."""
        if not (self.level or self.kind or self.sector):
            return [] if self.entity is None else [column == self.entity]
        return [column.in_(select(Entity.id).where(*self.of_entities()))]
