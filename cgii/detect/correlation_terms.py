"""Reads what a correlation asks for: its type, timespan and condition."""

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from cgii.base import limits
from cgii.detect.detections import at_key
from cgii.detect.rule_files import Marked, RuleError
from cgii.detect.temporal_conditions import parse_expression
from cgii.detect.terms import COMPARE, COUNTED, KINDS, TEMPORAL, VALUED, Number, Terms, exact

TIMESPAN = re.compile(r"([1-9][0-9]{0,8})\s*([smhdwMy])\Z")
DAY = 86_400
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY, "M": 30 * DAY, "y": 365 * DAY}
LEARNING_SECONDS = 7 * DAY  # of a first_seen that does not say how long


def read_terms(body: Marked, names: Sequence[str], *, tolerance_seconds: int) -> Terms:
    """The terms of a correlation over the rules that `names` lists, as they are written."""
    kind = body.get("type")
    if kind not in KINDS:
        raise at_key(body, "type", f"el tipo de correlación «{kind}» no existe")
    if kind in ("absence", "temporal_ordered") and len(names) < 2:
        raise at_key(body, "rules", f"«{kind}» necesita al menos dos reglas")
    if kind == "temporal" and len(set(names)) < 2:
        raise at_key(body, "rules", "«temporal» necesita al menos dos reglas")
    longest = limits.SEEN_SECONDS_MAX if kind == "first_seen" else limits.TIMESPAN_SECONDS_MAX
    written = "timespan" if "timespan" in body else "timeframe"
    seconds = read_timespan(body, written, longest)
    condition = body.get("condition")
    terms = Terms(seconds, kind, rule_count=len(names), tolerance_seconds=tolerance_seconds)
    if isinstance(condition, str):
        return _in_words(body, terms, condition, names)
    if condition is None and kind in TEMPORAL:
        return _with(terms, bounds=(("gte", len(names)),))
    if condition is None and kind in ("silence", "absence"):
        return _with(terms, bounds=(("gte", 1),) if kind == "silence" else ())
    if not isinstance(condition, Marked) or not condition:
        raise at_key(body, "condition", "condition tiene que ser un mapa como «gte: 5»")
    _known_keys(condition, kind)
    if kind == "absence":
        raise at_key(body, "condition", "absence no lleva condición")
    if kind == "first_seen":
        return _with(terms, learning_seconds=_learning(condition, seconds))
    bounds = tuple(_bound(condition, key) for key in condition if key in COMPARE)
    if not bounds:
        raise at_key(body, "condition", "condition necesita gt, gte, lt, lte, eq o neq")
    terms = _with(terms, bounds=bounds, percentile=_percentile(condition, kind))
    _possible(body, terms)
    return terms


def read_timespan(data: Marked, key: str, longest: int) -> int:
    """A length of time such as `5m`, in seconds."""
    span = TIMESPAN.match(str(data.get(key) or "").strip())
    if span is None:
        raise at_key(data, key, f"{key} tiene que ser un número con s, m, h, d, w, M o y")
    seconds = int(span[1]) * SECONDS[span[2]]
    if seconds > longest:
        raise at_key(data, key, f"{key} de más de {longest // DAY} días")
    return seconds


def _with(
    terms: Terms,
    *,
    bounds: tuple[tuple[str, Number], ...] = (),
    percentile: Number = 50,
    learning_seconds: int = 0,
) -> Terms:
    return Terms(
        terms.timespan_seconds,
        terms.kind,
        bounds,
        terms.rule_count,
        percentile=percentile,
        learning_seconds=learning_seconds,
        tolerance_seconds=terms.tolerance_seconds,
    )


def _in_words(body: Marked, terms: Terms, text: str, names: Sequence[str]) -> Terms:
    if terms.kind != "temporal":
        raise at_key(body, "condition", "solo «temporal» lleva una condición de texto")
    try:
        expression = parse_expression(text, names)
    except RuleError as error:
        raise at_key(body, "condition", error.reason) from error
    return Terms(
        terms.timespan_seconds,
        terms.kind,
        rule_count=terms.rule_count,
        expression=expression,
        tolerance_seconds=terms.tolerance_seconds,
    )


def _known_keys(condition: Marked, kind: str) -> None:
    known = set() if kind in ("first_seen", "absence") else set(COMPARE)
    if kind in VALUED:
        known.add("field")
    if kind == "value_percentile":
        known.add("percentile")
    if kind == "first_seen":
        known.add("learning")
    for key in condition:
        if key not in known:
            raise at_key(condition, key, f"la condición «{key}» no existe en {kind}")
    if kind == "silence":
        for key in condition:
            if key not in ("gt", "gte"):
                raise at_key(condition, key, "silence solo lleva gt o gte")


def _bound(condition: Marked, key: str) -> tuple[str, Number]:
    threshold = condition[key]
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
        raise at_key(condition, key, f"«{key}» necesita un número")
    return key, threshold


def _percentile(condition: Marked, kind: str) -> Number:
    if kind != "value_percentile":
        return 50
    share = condition.get("percentile")
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 100:
        raise at_key(condition, "percentile", "percentile tiene que ser un número de 0 a 100")
    return share


def _learning(condition: Marked, seconds: int) -> int:
    if "learning" not in condition:
        return min(seconds, LEARNING_SECONDS)
    if condition["learning"] == 0:
        return 0
    return read_timespan(condition, "learning", seconds)


def _possible(body: Marked, terms: Terms) -> None:
    """Refuse what can never be, and what would always be."""
    thresholds = sorted(exact(threshold) for _, threshold in terms.bounds)
    most = terms.rule_count if terms.kind in TEMPORAL else limits.WINDOW_ENTRIES_MAX
    if terms.kind not in COUNTED:
        middle = [Fraction(a + b) / 2 for a, b in pairwise(thresholds)]
        tried = [*(t + d for t in thresholds for d in (-1, 0, 1)), *middle]
        if not any(terms.reached(one) for one in tried):
            raise at_key(body, "condition", "la condición no puede cumplirse nunca")
        return
    if terms.kind == "temporal_ordered" and terms.bounds != (("gte", most),):
        raise at_key(body, "condition", f"temporal_ordered pide todas sus reglas (gte: {most})")
    if not terms.is_ending and terms.reached(0):
        raise at_key(body, "condition", "la condición se cumpliría sin ningún evento")
    near = {int(t) + d for t in thresholds for d in (-1, 0, 1, 2)} | {1, most}
    if not any(terms.reached(one) for one in near if 1 <= one <= most):
        reason = f"la condición no puede cumplirse con 1 a {most} por clave"
        raise at_key(body, "condition", reason + ("" if most < 100 else ", que es lo que cabe"))
