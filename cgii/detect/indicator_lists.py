"""Lists of indicators in the record: taken in, brought up to date, retired, looked up."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.detect.indicator_files import Line
from cgii.detect.indicator_rows import load_table, rows_of
from cgii.detect.indicators import IndicatorTable, host_of, read_indicator
from cgii.detect.rules import LEVELS
from cgii.model.indicators import Indicator, IndicatorList
from cgii.store.act import Act

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\Z")


@dataclass(frozen=True)
class ListForm:
    """What a list says of itself."""

    name: str
    title: str = ""
    origin: str = ""
    level: str = "medium"
    tags: tuple[str, ...] = ()
    is_warning: bool = False


@dataclass
class Taken:
    """What became of an import."""

    named: int = 0
    added: int = 0
    removed: int = 0
    warned: int = 0  # on a warning list as well, so they will not alert
    refused: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)  # the first ones, with their line

    @property
    def known(self) -> int:
        """Values that the list had before, or names twice."""
        return self.named - self.added


def take_list(act: Act, form: ListForm, lines: Iterable[Line], *, days: int | None = None) -> Taken:
    """Take in a whole list in one transaction. Raises Invalid when nothing in it can be used."""
    target = open_list(act, form)
    taken = Taken()
    warned = load_table(act.session, now=act.now, is_warning=True)
    take_lines(act, target, lines, taken=taken, warned=warned, days=days)
    close_list(act, target, taken)
    return taken


def open_list(act: Act, form: ListForm) -> IndicatorList:
    """The list of that name, new or known, saying of itself what the form says."""
    if not NAME.match(form.name):
        raise Invalid(
            "El nombre de una lista lleva minúsculas, números y guiones, 60 como máximo.",
            field="name",
        )
    if form.level not in LEVELS:
        raise Invalid("Elija un nivel de la lista.", field="level")
    found = act.session.scalar(select(IndicatorList).where(IndicatorList.name == form.name))
    if found is None:
        found = IndicatorList(name=form.name, created_at=act.now, indicator_count=0)
        act.session.add(found)
    found.title = form.title.strip() or form.name
    found.origin, found.level, found.tags = form.origin.strip(), form.level, list(form.tags)
    found.is_warning, found.retired_at, found.updated_at = form.is_warning, None, act.now
    act.session.flush()  # its rows name it by id
    return found


def take_lines(
    act: Act,
    target: IndicatorList,
    lines: Iterable[Line],
    *,
    taken: Taken,
    warned: IndicatorTable,
    days: int | None = None,
) -> None:
    """Take in some lines of a list and count them; `days` until they expire, unless they say so.

    A line that cannot be read is told and left out.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for line in lines:
        try:
            kind, value = read_indicator(line.text, line.kind)
        except Invalid as error:
            taken.refused += 1
            if len(taken.problems) < limits.INDICATOR_PROBLEMS_SHOWN:
                taken.problems.append(f"{line.number}: {error}")
            continue
        lasts = days if line.days is None else line.days
        rows[kind, value] = {
            "list_id": target.id,
            "kind": kind,
            "value": value,
            "note": line.note[: limits.INDICATOR_CHARS_MAX],
            "seen_at": act.now,
            "expires_at": act.now + timedelta(days=lasts) if lasts else None,
            "hit_count": 0,
        }
        taken.named += 1
        taken.kinds[kind] = taken.kinds.get(kind, 0) + 1
        if not target.is_warning and warned.find(kind, value):
            taken.warned += 1
        if len(rows) >= limits.INDICATOR_ROWS_AT_ONCE:
            _upsert(act.session, list(rows.values()))
            rows.clear()
    _upsert(act.session, list(rows.values()))


def _upsert(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    on_postgres = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert(Indicator) if on_postgres else sqlite.insert(Indicator)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["list_id", "kind", "value"],
            set_={name: insert.excluded[name] for name in ("note", "seen_at", "expires_at")},
        ),
        rows,
    )


def close_list(
    act: Act, target: IndicatorList, taken: Taken, *, unseen_since: datetime | None = None
) -> None:
    """Count and record what was taken in.

    With `unseen_since`, values that the list has not named since then are deleted. Raises Invalid
    when nothing in it could be used.
    """
    if not taken.named:
        raise Invalid("La lista no tiene ningún indicador que se reconozca.", field="file")
    before = target.indicator_count
    if unseen_since is not None:
        taken.removed = _delete(
            act.session, Indicator.list_id == target.id, Indicator.seen_at < unseen_since
        )
    target.indicator_count = _count(act.session, target)
    taken.added = max(0, target.indicator_count - before + taken.removed)
    target.updated_at = act.now
    act.record(
        "indicators.taken", f"indicator_list:{target.name}", added=taken.added, known=taken.known,
        removed=taken.removed, refused=taken.refused,
    )  # fmt: skip


def _delete(session: Session, *conditions: Any) -> int:  # SQLAlchemy's own conditions
    return int(getattr(session.execute(delete(Indicator).where(*conditions)), "rowcount", 0))


def _count(session: Session, target: IndicatorList) -> int:
    of_list = select(func.count()).select_from(Indicator).where(Indicator.list_id == target.id)
    return session.scalar(of_list) or 0


def retire_list(act: Act, target: IndicatorList, *, reason: str) -> None:
    """Take a list out of use: its values are deleted, what it found stays."""
    if not reason.strip():
        raise Invalid("Indique por qué se retira la lista.", field="reason")
    gone = _delete(act.session, Indicator.list_id == target.id)
    target.indicator_count, target.retired_at, target.updated_at = 0, act.now, act.now
    act.record(
        "indicators.retired", f"indicator_list:{target.name}", count=gone, reason=reason.strip()
    )


def prune_indicators(session: Session, *, now: datetime) -> int:
    """Delete values that expired so long ago that no late event can meet them."""
    passed = now - timedelta(days=limits.INDICATOR_LATE_DAYS)
    count = _delete(session, Indicator.expires_at < passed)
    if count:
        for target in session.scalars(select(IndicatorList)):
            target.indicator_count = _count(session, target)
            target.updated_at = now
    return count


def look_up(session: Session, text: str) -> list[Indicator]:
    """Every row that a value meets: itself, the networks around it, the names above it."""
    kind, value = read_indicator(text)
    host = host_of(kind, value)
    pairs = {(kind, value)}
    if kind == "ip" or (kind == "url" and read_indicator(host)[0] == "ip"):
        pairs |= {("ip", host), *(("cidr", one) for one in _networks_around(host))}
    elif host:
        names = host.split(".")
        pairs |= {("domain", ".".join(names[start:])) for start in range(len(names) - 1)}
    return sorted(rows_of(session, pairs), key=lambda row: (row.list.name, row.kind, row.value))


def _networks_around(address: str) -> Iterator[str]:
    network = ipaddress.ip_network(address)
    least = limits.INDICATOR_PREFIX_MIN[network.version]
    for prefix in range(least, network.max_prefixlen + 1):
        yield str(network.supernet(new_prefix=prefix))
