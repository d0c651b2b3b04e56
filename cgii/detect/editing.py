"""Rules written in the browser: a new version, out of use, back in use, back to the file's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid
from cgii.detect.rules import CorrelationRule
from cgii.detect.ruleset import RuleSet
from cgii.detect.written import Rule, Written, left_behind
from cgii.model.detection import SiteRule
from cgii.store.act import Act

ACTIVE, RETIRED, RELEASED = "active", "retired", "released"
Example = Mapping[str, Any]  # match, source, raws: as in an examples file, in JSON


@dataclass(frozen=True)
class Draft:
    """A version to be: the text as read, its examples, why it is made, what it was made from."""

    written: Written
    reason: str
    examples: Sequence[Example] = ()
    untested: str = ""  # why it has no examples
    base: int = 0  # the number of the version that was on the screen; 0 when there was none


def newest_version(session: Session, rule_id: str) -> SiteRule | None:
    """The version that says what holds for this rule; None when nobody wrote one here."""
    query = select(SiteRule).where(SiteRule.rule_id == rule_id)
    return session.scalar(query.order_by(SiteRule.number.desc()).limit(1))


def versions(session: Session, rule_id: str) -> list[SiteRule]:
    """All versions of a rule, the newest first."""
    query = select(SiteRule).where(SiteRule.rule_id == rule_id).order_by(SiteRule.number.desc())
    return list(session.scalars(query.limit(limits.RULE_VERSIONS_SHOWN)))


def out_of_use(session: Session) -> list[SiteRule]:
    """The newest versions of the rules that were taken out of use here, the latest first."""
    newest = (
        select(SiteRule.rule_id, func.max(SiteRule.number).label("number"))
        .group_by(SiteRule.rule_id)
        .subquery()
    )
    query = (
        select(SiteRule)
        .join(newest, (SiteRule.rule_id == newest.c.rule_id) & (SiteRule.number == newest.c.number))
        .where(SiteRule.state == RETIRED)
        .order_by(SiteRule.created_at.desc(), SiteRule.id.desc())
    )
    return list(session.scalars(query.limit(limits.MENU_ROWS_MAX)))


def save_rule(act: Act, draft: Draft, rules: RuleSet) -> SiteRule:
    """Write a version of the rule that was read without problems.

    Raises Invalid when it is not tested or says nothing new, Conflict when somebody else has
    written a version meanwhile.
    """
    rule = draft.written.rule
    if rule is None:
        raise Invalid("La regla tiene errores: corríjalos antes de guardarla.", field="text")
    old = rules.by_id.get(rule.id)
    before = _unchanged(act.session, rule.id, draft.base)
    examples = [dict(one) for one in draft.examples]
    kept = (before.text, list(before.examples)) if before and before.state == ACTIVE else None
    if kept == (draft.written.text, examples):
        raise Invalid("El texto es el de la versión en vigor: no hay nada que guardar.")
    _require_tested(draft)
    _require_kept(left_behind(rule, old, rules))
    over = before.over if before else old.text if old else ""
    return _add(
        act, rule.id, ACTIVE, text=draft.written.text, before=before, reason=draft.reason,
        examples=examples, untested=draft.untested.strip(), over=over,
    )  # fmt: skip


def retire_rule(act: Act, rule: Rule, rules: RuleSet, *, reason: str) -> SiteRule:
    """Take a rule in force out of use, wherever it comes from."""
    before = newest_version(act.session, rule.id)
    if before is not None and before.state == RETIRED:
        raise Conflict("La regla ya está retirada.")
    _require_kept(left_behind(None, rule, rules))
    written = before is not None and before.state == ACTIVE
    return _add(
        act, rule.id, RETIRED, text=before.text if before and written else rule.text,
        before=before, reason=reason, examples=list(before.examples) if before else [],
        untested=before.untested if before else "",
        over=before.over if before and written else "" if before else rule.text,
    )  # fmt: skip


def restore_rule(act: Act, rule_id: str, *, number: int, reason: str) -> SiteRule:
    """Bring the text of an earlier version into force, as a version of its own."""
    before = newest_version(act.session, rule_id)
    chosen = act.session.scalar(
        select(SiteRule).where(SiteRule.rule_id == rule_id, SiteRule.number == number)
    )
    if before is None or chosen is None:
        raise Invalid("Esa versión de la regla no existe.")
    if before.state == ACTIVE and before.text == chosen.text:
        raise Conflict("Ese es el texto que ya está en vigor.")
    return _add(
        act, rule_id, ACTIVE, text=chosen.text, before=before, reason=reason,
        examples=list(chosen.examples), untested=chosen.untested, over=before.over,
    )  # fmt: skip


def release_rule(act: Act, rule_id: str, *, reason: str) -> SiteRule:
    """Let the file's rule hold again: what was written here no longer stands above it."""
    before = newest_version(act.session, rule_id)
    if before is None or before.state == RELEASED:
        raise Conflict("En esta regla no hay nada escrito aquí que retirar.")
    if not before.over:
        raise Conflict("No hay un archivo con esta regla: para quitarla, retírela.")
    return _add(
        act, rule_id, RELEASED, text=before.over, before=before, reason=reason,
        examples=[], untested="", over=before.over,
    )  # fmt: skip


def _unchanged(session: Session, rule_id: str, base: int) -> SiteRule | None:
    before = newest_version(session, rule_id)
    number = before.number if before else 0
    if number != base:
        raise Conflict(
            "Mientras usted escribía se guardó la versión {number} de esta regla. Su texto sigue "
            "aquí: compárelo con ella y guarde de nuevo.",
            number=number,
        )
    return before


def _require_tested(draft: Draft) -> None:
    kinds = {bool(one.get("match")) for one in draft.examples}
    if kinds != {True, False} and not draft.untested.strip():
        raise Invalid(
            "Dé al menos un registro que deba coincidir y uno que no, o diga por qué no los hay.",
            field="untested",
        )


def _require_kept(orphans: Sequence[CorrelationRule]) -> None:
    if orphans:
        titles = ", ".join(f"«{one.title}»" for one in orphans[:3])
        raise Conflict("La cuentan las correlaciones {titles}: cámbielas antes.", titles=titles)


def _add(
    act: Act, rule_id: str, state: str, *, before: SiteRule | None, reason: str, **facts: Any
) -> SiteRule:
    reason = reason.strip()
    if not reason:
        raise Invalid("Escriba el motivo: quien lo lea después lo necesita.", field="reason")
    if len(reason) > limits.TEXT_CHARS_MAX:
        raise Invalid("El motivo es demasiado largo.", field="reason")
    row = SiteRule(
        rule_id=rule_id,
        number=before.number + 1 if before else 1,
        state=state,
        reason=reason,
        author_id=act.user_id,
        created_at=act.now,
        **facts,
    )
    try:
        with act.session.begin_nested():
            act.session.add(row)
    except IntegrityError as error:
        raise Conflict("Otra persona acaba de guardar una versión de esta regla.") from error
    words = {ACTIVE: "rule.saved", RETIRED: "rule.retired", RELEASED: "rule.released"}
    act.record(words[state], f"rule:{rule_id}", version=row.number, reason=reason)
    return row
