"""How a centre holds rules back: by key, by field, by level or wholly; watching comes first."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.base import counters, limits
from cgii.base.errors import Conflict, Invalid
from cgii.detect.filters import read_exclusion
from cgii.detect.rule_files import RuleError
from cgii.detect.rules import LEVELS
from cgii.detect.tuning_effect import Held, Hidden, Tuning, folded_key
from cgii.model.detection import RuleTuning
from cgii.store.act import Act

__all__ = [
    "Hidden", "Tuning", "active_tuning", "end_tuning", "enforce", "exclude", "load_tuning",
    "note_hidden", "override_level", "suppress", "switch_off", "tuning_revision",
]  # fmt: skip

Placeholders = Mapping[str, Sequence[str]]
Key = Iterable[Sequence[str]]
REVISION = select(
    func.count(RuleTuning.id),
    func.max(RuleTuning.id),
    func.count(RuleTuning.ended_at),
    func.count(RuleTuning.id).filter(RuleTuning.is_watching),
)


def active_tuning(session: Session, now: datetime) -> list[RuleTuning]:
    """The rows that have neither ended nor expired, oldest first."""
    open_rows = select(RuleTuning).where(
        RuleTuning.ended_at.is_(None), RuleTuning.until.is_(None) | (RuleTuning.until > now)
    )
    return list(session.scalars(open_rows.order_by(RuleTuning.id)))


def load_tuning(
    session: Session, now: datetime, *, placeholders: Placeholders | None = None
) -> Tuning:
    """The tuning that holds now. What expires later stops by itself: it is asked with the time."""
    by_rule: dict[str, list[Held]] = defaultdict(list)
    broken: list[tuple[int, str]] = []
    for row in active_tuning(session, now):
        try:
            held = _held(row, placeholders or {})
        except RuleError as error:
            broken.append((row.id, error.reason))
        else:
            by_rule[row.rule_id].append(held)
    rows = {rule_id: tuple(found) for rule_id, found in by_rule.items()}
    return Tuning(rows, tuple(broken), tuning_revision(session))


def _held(row: RuleTuning, placeholders: Placeholders) -> Held:
    node = None
    if row.kind == "exclude":
        node = read_exclusion(row.condition, placeholders).node
    return Held(
        id=row.id,
        rule_id=row.rule_id,
        kind=row.kind,
        key=tuple(sorted(folded_key(row.key))),
        node=node,
        level=row.level,
        until=row.until,
        is_watching=row.is_watching,
    )


def tuning_revision(session: Session) -> str:
    """Another text whenever a row came, ended or was enforced; one cheap query.

    Rows are never deleted, never reopened and never go back to watching, so these four figures
    together are never the same twice.
    """
    found = session.execute(REVISION).one()
    return "/".join(str(figure or 0) for figure in found)


def note_hidden(
    session: Session, hidden: Sequence[Hidden], *, withdrawn: Collection[str] = ()
) -> None:
    """Count what was hidden, in the transaction of the batch; an alert told again counts once.

    Alerts in `withdrawn` are taken back, as far as a row's samples still know them.
    """
    by_row: dict[int, dict[str, Hidden]] = defaultdict(dict)
    for one in hidden:
        by_row[one.tuning_id].setdefault(one.alert_id, one)
    for row_id in _rows_that_hid(session, withdrawn):
        by_row.setdefault(row_id, {})
    if not by_row:
        return
    rows = session.scalars(
        select(RuleTuning)
        .where(RuleTuning.id.in_(sorted(by_row)))
        .order_by(RuleTuning.id)  # two batches that lock several rows do so in one order
        .with_for_update()
        .execution_options(populate_existing=True)  # what another batch counted meanwhile stays
    )
    for row in rows:
        _take_back(row, withdrawn)
        known = {sample[0] for sample in row.samples}
        fresh = [one for one in by_row[row.id].values() if one.alert_id not in known]
        if not fresh:
            continue
        row.hidden_count += len(fresh)
        newest = max(one.at for one in fresh)
        row.last_hidden_at = max(newest, row.last_hidden_at or newest)
        more = [[one.alert_id, one.at.isoformat(), one.event_id] for one in fresh]
        row.samples = [*row.samples, *more][-limits.TUNING_SAMPLES_MAX :]
        if not row.is_watching and row.kind != "level":
            counters.ALERTS_HIDDEN.labels(rule=row.rule_id).inc(len(fresh))


def _rows_that_hid(session: Session, withdrawn: Collection[str]) -> list[int]:
    """The rows in force whose samples have one of these alerts."""
    if not withdrawn:
        return []
    held = select(RuleTuning.id, RuleTuning.samples).where(
        RuleTuning.ended_at.is_(None), RuleTuning.hidden_count > 0
    )
    rows = session.execute(held)
    return [row_id for row_id, samples in rows if any(one[0] in withdrawn for one in samples)]


def _take_back(row: RuleTuning, withdrawn: Collection[str]) -> None:
    kept = [sample for sample in row.samples if sample[0] not in withdrawn]
    if len(kept) < len(row.samples):
        row.hidden_count -= len(row.samples) - len(kept)
        row.samples = kept


def suppress(
    act: Act, rule_id: str, *, key: Key, reason: str, until: datetime | None, is_watching: bool
) -> RuleTuning:
    """Hide the rule's alerts of one key until a day; correlations go on counting its matches."""
    pairs = [(str(pair[0]).strip(), str(pair[1])) for pair in key if len(pair) == 2]
    if not pairs or not all(name for name, _ in pairs):
        raise Invalid("Diga qué clave se suprime, por ejemplo source.ip=10.1.2.3.", field="key")
    if len(pairs) > limits.TUNING_KEY_PAIRS_MAX:
        raise Invalid(
            "La clave tiene más de {most} campos.", field="key", most=limits.TUNING_KEY_PAIRS_MAX
        )
    if until is None:
        raise Invalid("Una supresión necesita una fecha de fin.", field="until")
    kept = [list(pair) for pair in dict.fromkeys(pairs)]
    return _add(
        act, rule_id, "suppress",
        reason=reason, until=until, is_watching=is_watching, facts={"key": kept},
    )  # fmt: skip


def exclude(
    act: Act,
    rule_id: str,
    *,
    condition: str,
    reason: str,
    until: datetime | None,
    is_watching: bool,
    placeholders: Placeholders | None = None,
) -> RuleTuning:
    """Leave out the events that a condition describes, for matches and for what counts them.

    `condition` is the detection of a Sigma filter in YAML, or one selection alone.
    """
    if len(condition) > limits.TEXT_CHARS_MAX:
        raise Invalid("La exclusión es demasiado larga.", field="condition")
    try:
        read_exclusion(condition, placeholders or {})
    except RuleError as error:
        raise Invalid(
            "La exclusión no sirve: {reason}.", field="condition", reason=error.reason
        ) from error
    return _add(
        act, rule_id, "exclude",
        reason=reason, until=until, is_watching=is_watching,
        facts={"condition": condition.strip() + "\n"},
    )  # fmt: skip


def override_level(
    act: Act, rule_id: str, *, level: str, reason: str, until: datetime | None, is_watching: bool
) -> RuleTuning:
    """Give the rule's alerts another level than the rule says."""
    if level not in LEVELS:
        raise Invalid(
            "El nivel «{level}» no existe; use {levels}.",
            field="level", level=level, levels=", ".join(LEVELS),
        )  # fmt: skip
    return _add(
        act, rule_id, "level",
        reason=reason, until=until, is_watching=is_watching, facts={"level": level},
    )  # fmt: skip


def switch_off(
    act: Act, rule_id: str, *, reason: str, until: datetime | None, is_watching: bool
) -> RuleTuning:
    """Take the rule out of use here: no alerts of it, and nothing for correlations to count."""
    return _add(act, rule_id, "off", reason=reason, until=until, is_watching=is_watching, facts={})


def _add(
    act: Act,
    rule_id: str,
    kind: str,
    *,
    reason: str,
    until: datetime | None,
    is_watching: bool,
    facts: Mapping[str, Any],  # the columns of this kind
) -> RuleTuning:
    reason = reason.strip()
    if not 1 <= len(rule_id) <= limits.RULE_ID_CHARS_MAX:
        raise Invalid("Diga de qué regla se trata.", field="rule_id")
    if not reason:
        raise Invalid("Escriba el motivo: quien lo lea después lo necesita.", field="reason")
    if len(reason) > limits.TEXT_CHARS_MAX:
        raise Invalid("El motivo es demasiado largo.", field="reason")
    if until is not None and until <= act.now:
        raise Invalid("La fecha de fin ya pasó.", field="until")
    if until is not None and until > act.now + timedelta(days=limits.TUNING_DAYS_MAX):
        raise Invalid(
            "La fecha de fin queda a más de {days} días: quien venga después debe decidirlo.",
            field="until", days=limits.TUNING_DAYS_MAX,
        )  # fmt: skip
    row = RuleTuning(
        rule_id=rule_id,
        kind=kind,
        reason=reason,
        until=until,
        is_watching=is_watching,
        owner_id=act.user_id,
        created_at=act.now,
        hidden_count=0,
        **{"key": [], "condition": "", "level": "", "samples": [], **facts},
    )
    _refuse_double(act, row)
    act.session.add(row)
    act.session.flush()  # the trail names the row
    told = until.isoformat() if until else None
    act.record(
        f"tuning.{kind}", f"rule:{rule_id}",
        tuning=row.id, reason=reason, until=told, watching=is_watching, **facts,
    )  # fmt: skip
    return row


def _refuse_double(act: Act, row: RuleTuning) -> None:
    """One level and one `off` at a time, and no second row that says the same."""
    for other in active_tuning(act.session, act.now):
        if (other.rule_id, other.kind) != (row.rule_id, row.kind):
            continue
        is_same = (folded_key(other.key), other.condition) == (folded_key(row.key), row.condition)
        if is_same:  # for `level` and `off` both are empty
            raise Conflict(
                "Ya hay un ajuste igual de esta regla (n.º {number}): termínelo antes.",
                number=other.id,
            )


def enforce(act: Act, row: RuleTuning) -> None:
    """Let a row that only watched take effect. Its count begins anew."""
    _require_open(act, row)
    if not row.is_watching:
        raise Conflict("Este ajuste ya está en vigor.")
    would_have_hidden = row.hidden_count
    row.is_watching, row.hidden_count, row.samples = False, 0, []
    act.record(
        "tuning.enforced", f"rule:{row.rule_id}", tuning=row.id, would_have_hidden=would_have_hidden
    )


def end_tuning(act: Act, row: RuleTuning) -> None:
    """Stop a row now; it stays in the list with what it hid."""
    _require_open(act, row)
    row.ended_at, row.ended_by_id = act.now, act.user_id
    act.record("tuning.ended", f"rule:{row.rule_id}", tuning=row.id, hidden=row.hidden_count)


def _require_open(act: Act, row: RuleTuning) -> None:
    if row.ended_at is not None or (row.until is not None and row.until <= act.now):
        raise Conflict("Este ajuste ya terminó.")
