"""Sources as they stand in collectors/<vendor>_<product>.yml: found, read, checked, compiled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cgii.base import content, limits
from cgii.base.errors import ContentError, Invalid
from cgii.base.reasons import why
from cgii.base.text import one_line
from cgii.base.yaml_lines import BadYaml, read_yaml
from cgii.collect.definition_file import DefinitionFile
from cgii.collect.definition_parts import (
    EcsRules,
    Fingerprint,
    Layout,
    LogSourceRule,
    Message,
    TimeRule,
)
from cgii.collect.line_patterns import Pattern, Patterns, any_of
from cgii.collect.shapes import LINES, Shape

NEAR_MAX, NEAR_SHARE = 3, 0.5  # names told to who mistyped one, and how alike they are
GENERIC = "syslog"  # takes what no other source does
# Parsers of what devices send by syslog; of plain lines in files nothing is expected there.
TOLD_BY_LINE = frozenset(
    {"syslog_lines", "key_values", "columns", "cef", "leef", "windows", "auditd"}
)


@dataclass(frozen=True, slots=True)
class Definition:
    """How the records of one source are read; everything in it is compiled."""

    name: str
    title: str
    description: str
    path: Path
    parser: str
    options: Mapping[str, Any]
    zone: tzinfo
    times: tuple[TimeRule, ...]
    time_may_be_missing: bool
    logsource: LogSourceRule
    ecs: EcsRules
    message: Message
    patterns: tuple[Pattern, ...]
    every: Patterns  # the same, ready to be tried …
    by_program: Mapping[str, Patterns]  # … and those for a program; "" holds those for any
    numbers: frozenset[str]
    needs: tuple[str, ...]  # fields without which a record is of another kind
    columns: tuple[Layout, ...]
    composed: Mapping[str, Message]  # fields made of others
    fingerprint: Fingerprint
    programs: frozenset[str]  # whose syslog lines belong to this source
    shape: Shape  # how the lines of its files make records
    # Filled by collect/plan.py: for records with the same field names, what to do with them.
    plans: dict[tuple[str, ...], Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Definitions:
    """All sources that could be read, and what was wrong with the others."""

    by_name: dict[str, Definition]
    rejected: tuple[ContentError, ...] = ()
    by_program: Mapping[str, str] = field(default_factory=dict)  # syslog program → source
    told_by_line: tuple[Definition, ...] = ()  # whose syslog lines need not name a program
    may_be_told: Callable[[bytes], Any] = bool  # whether some of them may know the line

    def shape_of(self, source: str) -> Shape:
        """How the lines of a source's files make records."""
        found = self.by_name.get(source)
        return LINES if found is None else found.shape

    def check(self, name: str, *, field: str = "source") -> None:
        """Raise Invalid, with names that are near, unless there is a source of this name."""
        if name in self.by_name:
            return
        near = get_close_matches(name, self.by_name, NEAR_MAX, NEAR_SHARE)
        if not near:
            raise Invalid(
                "No hay una fuente «{name}»; el manual nombra todas en «Fuentes».",
                field=field,
                name=one_line(name),
            )
        raise Invalid(
            "No hay una fuente «{name}». Parecidas: {near}.",
            field=field,
            name=one_line(name),
            near=", ".join(near),
        )


def load_definitions(site: Path | None = None, *, is_ours_better: bool = False) -> Definitions:
    """Read every definition, ours and the site's; a wrong one is listed and left out.

    `is_ours_better` than a wrong one of the site: ours of the same name stands in for it.
    """
    by_name: dict[str, Definition] = {}
    by_program: dict[str, str] = {}
    rejected: list[ContentError] = []
    for file in content.find("collectors", "*.yml", site):
        definition, problems = read_definition(file.path)
        rejected.extend(problems)
        if definition is None and file.from_site and is_ours_better:
            definition, _ = read_definition(content.shipped("collectors") / file.name)
        if definition is not None:
            by_name[definition.name] = definition
            by_program.update(dict.fromkeys(definition.programs, definition.name))
    ranked = sorted(by_name.values(), key=lambda found: (found.fingerprint.rank, found.name))
    by_line = tuple(
        one
        for one in ranked
        if (one.parser in TOLD_BY_LINE or one.columns)
        and one.fingerprint.lines
        and one.name != GENERIC
    )
    may_be = any_of([text for one in by_line for text in one.fingerprint.texts])
    return Definitions(by_name, tuple(rejected), by_program, by_line, may_be)


def read_definition(path: Path) -> tuple[Definition | None, list[ContentError]]:
    """One definition, or None with everything that is wrong with its file."""
    try:
        if path.stat().st_size > limits.COLLECTOR_FILE_BYTES_MAX:
            return None, [ContentError(path, "el archivo es demasiado grande")]
        data, lines = read_yaml(path.read_text(encoding="utf-8"))
    except BadYaml as error:
        return None, [ContentError(path, str(error), error.line)]
    except (OSError, UnicodeDecodeError) as error:
        return None, [ContentError(path, f"no se puede leer: {why(error)}")]
    file = DefinitionFile(path, data, lines)
    parts = file.read()
    if parts is None or file.problems:
        return None, file.problems
    patterns: tuple[Pattern, ...] = parts["patterns"]
    programs = {program for pattern in patterns for program in pattern.programs} | {""}
    by_program = {
        program: Patterns(p for p in patterns if not p.programs or program in p.programs)
        for program in programs
    }
    every = Patterns(patterns)
    return Definition(path=path, every=every, by_program=by_program, **parts), []
