"""How `cgii scan` shows what it found: JSON lines, CSV, a table, figures."""

import csv
import io
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cgii.base import clock
from cgii.base.labels import labels
from cgii.cli.scan_parts import Found, Part
from cgii.detect.attack import Attack, summary
from cgii.detect.ruleset import RuleSet
from cgii.model.event import Alert

LEVELS = ("critical", "high", "medium", "low", "informational")
PLAIN_WIDTH = 1_000  # columns of a table that goes into a file: nothing is cut there
SHOWN_CHARS_MAX = 60  # of a rule's title or of a key, in the table
TECHNIQUES_SHOWN = 15
REASONS_SHOWN = 3  # why records could not be read, the most frequent first
CSV_HEADS = (
    "level", "rule_id", "rule_title", "rule_kind", "time", "file", "line", "source", "key",
    "event_count", "matched", "tags", "summary",
)  # fmt: skip
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass
class Tally:
    """What one scan went through, and what it told."""

    files: int = 0
    events: int = 0
    rejects: int = 0
    alerts: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by rule
    unreadable: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)  # the first record's place, by reason
    _of_file: tuple[int, int] = (0, 0)  # records read and not read of the file under way

    def add(self, part: Part) -> None:
        """Count what was read."""
        self.events += part.events
        self.reasons.update(part.reasons)
        self.rejects += part.reasons.total()
        self.files += part.is_last
        self.unread = part.unread | self.unread
        if part.error:
            self.unreadable.append(f"{part.file.name}: {part.error}")
        read, unread = self._of_file
        self._of_file = read + part.events, unread + sum(part.reasons[one] for one in part.unread)
        if part.is_last:
            self._end_file(part.file.name)

    def _end_file(self, name: str) -> None:
        (read, unread), self._of_file = self._of_file, (0, 0)
        if unread and not read:  # it must not look like a file in which nothing was found
            self.unreadable.append(
                f"{name}: No se pudo leer ninguno de sus registros ({unread}). "
                "Si son de otra fuente, indíquela con --format."
            )

    @property
    def unread_count(self) -> int:
        """How many records could not be read."""
        return sum(self.reasons[one] for one in self.unread)

    def sentence_of_unread(self) -> str:
        """How many records could not be read, and why; empty if all could."""
        count = self.unread_count
        if not count:
            return ""
        words = labels("detection.reject_reasons")
        first = sorted(self.unread, key=lambda one: -self.reasons[one])[:REASONS_SHOWN]
        told = "; ".join(
            f"{words.get(one, one)}: {self.reasons[one]} (el primero, {self.unread[one]})"
            for one in first
        )
        return f"Sin leer: {count} de {count + self.events} registros. {told}."

    def tell(self, alert: Alert) -> None:
        """Count what is shown."""
        self.alerts += 1
        self.by_rule[alert.rule_id] += 1
        self.tags[alert.rule_id] = alert.tags

    @property
    def attack(self) -> Attack:
        """The tactics and techniques of what was shown."""
        return summary(self.tags, self.by_rule)


class Sheet(Protocol):
    """Where alerts are shown."""

    def add(self, found: Found) -> None:
        """Show one alert, or keep it for the end."""

    def end(self, tally: Tally) -> None:
        """All are there."""


class JsonLines:
    """One JSON object per line, as alerts come."""

    def add(self, found: Found) -> None:
        """Write one."""
        line = orjson.dumps(as_record(found), option=orjson.OPT_APPEND_NEWLINE)
        sys.stdout.buffer.write(line)

    def end(self, tally: Tally) -> None:
        """Nothing is left to write."""


class CsvSheet:
    """One line per alert, as they come."""

    def __init__(self) -> None:
        self._write(CSV_HEADS)

    def add(self, found: Found) -> None:
        """Write one."""
        alert, place = found.alert, found.place
        self._write(
            (
                alert.level,
                alert.rule_id,
                alert.rule_title,
                alert.rule_kind,
                alert.at.isoformat(),
                place.file if place else "",
                str(place.line or "") if place else "",
                alert.source,
                _pairs(alert.key),
                str(alert.event_count),
                "; ".join(f"{one.field or 'texto'}={one.value}" for one in alert.explanation),
                " ".join(alert.tags),
                alert.summary,
            )
        )

    def end(self, tally: Tally) -> None:
        """Nothing is left to write."""

    def _write(self, cells: tuple[str, ...]) -> None:
        text = io.StringIO()
        # What an attacker wrote into a log is no formula of the spreadsheet that opens this.
        safe = (f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in cells)
        csv.writer(text, lineterminator="\r\n").writerow(list(safe))
        sys.stdout.buffer.write(text.getvalue().encode(errors="replace"))


@dataclass
class Group:
    """A row of the table: the alerts of one rule and key."""

    last: Found
    count: int = 0


class Texts:
    """A table of groups at the end, and below it what it means in ATT&CK."""

    def __init__(self) -> None:
        self._groups: dict[tuple[object, ...], Group] = {}

    def add(self, found: Found) -> None:
        """Keep it in its group."""
        alert = found.alert
        group = self._groups.setdefault((alert.rule_id, alert.key), Group(found))
        group.last = max(group.last, found, key=lambda each: each.alert.at)
        group.count += alert.event_count

    def end(self, tally: Tally) -> None:
        """Print."""
        console = Console()
        if not console.is_terminal:
            console = Console(width=PLAIN_WIDTH)
        if not self._groups:
            console.print(_nothing_found(tally))
            return
        console.print(self._table())
        _print_attack(console, tally.attack)

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for title in ("Nivel", "Regla", "Clave"):
            table.add_column(title, overflow="fold")
        table.add_column("Veces", justify="right", no_wrap=True)
        table.add_column("Momento", no_wrap=True)
        table.add_column("Lugar", overflow="fold", min_width=12)
        ordered = sorted(
            self._groups.values(), key=lambda one: (LEVELS.index(one.last.alert.level), -one.count)
        )
        for group in ordered:
            alert, place = group.last.alert, group.last.place
            where = place.file.rpartition("/")[2] if place else ""
            where += f":{place.line}" if place and place.line else ""
            cells = (
                alert.level,
                _short(alert.rule_title),
                _short(_pairs(alert.key)),
                str(group.count),
                clock.show(alert.at),
                where,
            )
            table.add_row(*(_plain(cell) for cell in cells))
        return table


def _nothing_found(tally: Tally) -> str:
    if not tally.unread_count:
        return "Ninguna regla coincide."
    if not tally.events:
        return "No se pudo leer ningún registro."
    return "Ninguna regla coincide en los registros que se pudieron leer."


def as_record(found: Found) -> dict[str, Any]:
    """The object that --json prints; its keys are described in the manual and stay."""
    alert, place = found.alert, found.place
    record: dict[str, Any] = {
        "rule": {
            "id": alert.rule_id,
            "title": alert.rule_title,
            "level": alert.level,
            "kind": alert.rule_kind,
            "tags": alert.tags,
        },
        "time": alert.at,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "source": alert.source,
        "key": dict(alert.key),
        "matched": [
            {
                "selection": one.selection,
                "field": one.field,
                "value": one.value,
                "wanted": one.wanted,
            }
            for one in alert.explanation
        ],
        "event_count": alert.event_count,
        "summary": alert.summary,
        "observables": [{"kind": kind, "value": value} for kind, value in alert.observables],
    }
    if place is not None:
        record["original"] = place.original
    return record


def show_stats(tally: Tally, rules: RuleSet, seconds: float) -> None:
    """Figures on standard error, and the ATT&CK summary below them."""
    reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(tally.reasons.items()))
    typer.echo(
        f"eventos {tally.events} · rechazos {tally.rejects}{f' ({reasons})' if reasons else ''} · "
        f"reglas {len(rules.single) + len(rules.correlations)} · "
        f"reglas rechazadas {len(rules.rejected)} · coincidencias {tally.alerts} · "
        f"{seconds:.2f} s · {tally.events / max(seconds, 1e-9):,.0f} eventos/s",
        err=True,
    )
    if tally.alerts:
        _print_attack(Console(stderr=True, width=PLAIN_WIDTH), tally.attack)


def _print_attack(console: Console, attack: Attack) -> None:
    if attack.tactics:
        told = " · ".join(f"{one.name} {one.alerts}" for one in attack.tactics)
        console.print(_plain(f"ATT&CK, tácticas: {told}"))
    if attack.techniques:
        shown = attack.techniques[:TECHNIQUES_SHOWN]
        told = " · ".join(f"{one.code} {one.name} {one.alerts}" for one in shown)
        more = len(attack.techniques) - len(shown)
        console.print(_plain(f"ATT&CK, técnicas: {told}{f' · y {more} más' if more else ''}"))


def _pairs(pairs: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in pairs)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 1] + "…"


def _plain(text: str) -> Text:
    """Text as it is: what an attacker wrote into a log commands no terminal."""
    return Text(
        "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    )
