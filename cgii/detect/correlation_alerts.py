"""Makes the alerts of correlations: what was counted, over which events, why it is too much."""

from collections.abc import Callable, Iterator, Mapping

from cgii.base import clock, ids, limits
from cgii.detect.alerts import OBSERVABLES
from cgii.detect.gather import JOINT
from cgii.detect.hits import moment_of
from cgii.detect.rules import CorrelationRule
from cgii.detect.terms import length_of
from cgii.detect.windows import Episode, WindowKey
from cgii.model.event import Alert, MatchedField

Pairs = tuple[tuple[str, str], ...]
MEASURES = {
    "value_sum": "suma",
    "value_avg": "promedio",
    "value_median": "mediana",
    "value_percentile": "percentil",
}


def correlation_alert(
    rule: CorrelationRule, key: WindowKey, episode: Episode, *, alert_id: str
) -> Alert:
    """The alert of one episode of a correlation; the id is that of `episode_alert_id`."""
    pairs = _pairs(rule, key, episode)
    shown = ", ".join(f"{name}={value}" for name, value in pairs)
    told = TOLD.get(rule.terms.kind, _told_count)(rule, episode)
    return Alert(
        id=alert_id,
        rule_id=rule.id,
        rule_title=rule.title,
        rule_kind="correlation",
        level=rule.level,
        at=moment_of(episode.at),
        entity_id=key.entity_id,
        sensor_id=episode.sensor_id,
        source=episode.source,
        key=pairs,
        event_ids=episode.samples,
        event_count=episode.count,
        explanation=tuple(_explanation(rule, episode, pairs))[: limits.EXPLANATION_FIELDS_MAX],
        tags=rule.tags,
        summary=f"{rule.title}: {told}" + (f", para {shown}" if shown else ""),
        observables=tuple(
            dict.fromkeys((OBSERVABLES[n], v) for n, v in pairs if n in OBSERVABLES and v != "-")
        ),
    )


def episode_alert_id(key: WindowKey, episode: Episode) -> str:
    """The id of the alert of an episode: its window, its beginning, of a first_seen its value."""
    named = episode.values[:1] if episode.is_named else ()
    return ids.digest("episode", key.hash, str(episode.began), *named)


def _pairs(rule: CorrelationRule, key: WindowKey, episode: Episode) -> Pairs:
    pairs = tuple(zip(rule.window_fields, key.values, strict=True))
    if not episode.is_named:
        return pairs
    parts = episode.values[0].split(JOINT)
    if len(parts) != len(rule.value_fields):  # a long value was shortened
        parts = [episode.values[0], *[""] * (len(rule.value_fields) - 1)]
    return pairs + tuple(zip(rule.value_fields, parts, strict=True))


def _explanation(rule: CorrelationRule, episode: Episode, pairs: Pairs) -> Iterator[MatchedField]:
    kind, wanted = rule.terms.kind, rule.terms.wanted
    names = ", ".join(rule.rule_names)
    fields = ", ".join(rule.value_fields)
    if kind in MEASURES or kind == "value_count":
        figure = "" if episode.figure is None else f"{episode.figure:g}"
        yield MatchedField(names, f"{kind}({fields})", figure, wanted)
        for value in episode.values:
            yield MatchedField(kind, fields, _spaced(value), "")
        yield MatchedField(names, "event_count", str(episode.count), "")
    elif kind in ("temporal", "temporal_ordered"):
        for place, name in enumerate(rule.rule_names):
            was_seen = episode.mask >> place & 1
            yield MatchedField(name, kind, "sí" if was_seen else "no", wanted)
    elif kind == "first_seen":
        yield MatchedField(names, fields, _spaced(episode.values[0]), wanted)
    else:
        yield MatchedField(names, kind, str(episode.count), wanted)
    window = f"{clock.show(moment_of(episode.began))} – {clock.show(moment_of(episode.last))}"
    yield MatchedField("timespan", "ventana", window, length_of(rule.terms.timespan_seconds))
    for name, value in pairs:
        yield MatchedField("group-by", name, value, "")


def _spaced(value: str) -> str:
    return value.replace(JOINT, ", ")


def _window(rule: CorrelationRule) -> str:
    return f"ventana de {length_of(rule.terms.timespan_seconds)}"


def _events(episode: Episode) -> str:
    return "1 evento" if episode.count == 1 else f"{episode.count} eventos"


def _told_count(rule: CorrelationRule, episode: Episode) -> str:
    return f"{_events(episode)}, {_window(rule)}"


def _told_values(rule: CorrelationRule, episode: Episode) -> str:
    fields = ", ".join(rule.value_fields)
    many = f"{episode.figure or 0:g} valores distintos de {fields}"
    return f"{many} en {_events(episode)}, {_window(rule)}"


def _told_measure(rule: CorrelationRule, episode: Episode) -> str:
    measure = MEASURES[rule.terms.kind]
    if rule.terms.kind == "value_percentile":
        measure += f" {rule.terms.percentile:g}"
    fields = rule.value_fields[0]
    return f"{measure} de {fields} = {episode.figure or 0:g} en {_events(episode)}, {_window(rule)}"


def _told_together(rule: CorrelationRule, episode: Episode) -> str:
    seen = [name for place, name in enumerate(rule.rule_names) if episode.mask >> place & 1]
    if rule.terms.kind == "temporal_ordered":
        return f"en este orden {' → '.join(seen)}, {_events(episode)}, {_window(rule)}"
    absent = [name for name in rule.rule_names if name not in seen]
    without = f", sin {', '.join(absent)}" if absent else ""
    return f"juntas {', '.join(seen)}{without}, {_events(episode)}, {_window(rule)}"


def _told_first(rule: CorrelationRule, episode: Episode) -> str:
    return f"por primera vez en {length_of(rule.terms.timespan_seconds)}"


def _told_absence(rule: CorrelationRule, episode: Episode) -> str:
    first, *others = rule.rule_names
    length = length_of(rule.terms.timespan_seconds)
    return f"a {first} ({_events(episode)}) no le siguió {' ni '.join(others)} en {length}"


def _told_silence(rule: CorrelationRule, episode: Episode) -> str:
    length = length_of(rule.terms.timespan_seconds)
    return f"callado durante {length}, desde {clock.show(moment_of(episode.began))}"


TOLD: Mapping[str, Callable[[CorrelationRule, Episode], str]] = {
    "value_count": _told_values,
    **dict.fromkeys(MEASURES, _told_measure),
    "temporal": _told_together,
    "temporal_ordered": _told_together,
    "first_seen": _told_first,
    "absence": _told_absence,
    "silence": _told_silence,
}
