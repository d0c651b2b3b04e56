"""What becomes of an alert's story as events come: it begins, grows, is told anew or taken back."""

from collections.abc import Sequence
from dataclasses import dataclass

from cgii.base import limits
from cgii.detect.hits import Hit
from cgii.detect.tallies import Distinct, Tally
from cgii.detect.windows import Episode


def begin(hits: Sequence[Hit], trigger: Hit, tally: Tally) -> Episode:
    """The episode that begins with these events, the last of which made the condition true."""
    at = trigger.at
    mask = 0
    for hit in hits:
        mask |= hit.mask
    return Episode(
        at,
        at,
        len(hits),
        samples_of(hits),
        trigger.source,
        trigger.sensor_id,
        tally.figure(),
        _distinct((), hits) if isinstance(tally, Distinct) else (),
        mask,
        at,
        trigger.record or trigger.event_id,
    )


def extend(episode: Episode, hits: Sequence[Hit], tally: Tally) -> Episode:
    """The same episode with the events of one more moment."""
    mask = episode.mask
    for hit in hits:
        mask |= hit.mask
    samples = (*episode.samples, *samples_of(hits))
    return Episode(
        episode.began,
        hits[0].at,
        episode.count + len(hits),
        samples[-limits.ALERT_SAMPLES_MAX :],
        episode.source,
        episode.sensor_id,
        tally.figure(),
        _distinct(episode.values, hits) if isinstance(tally, Distinct) else (),
        mask,
        episode.at,
        episode.trigger,
    )


def samples_of(hits: Sequence[Hit]) -> tuple[str, ...]:
    """The records to show, the newest ones last."""
    return tuple([hit.record or hit.event_id for hit in hits[-limits.ALERT_SAMPLES_MAX :]])


def _distinct(known: tuple[str, ...], hits: Sequence[Hit]) -> tuple[str, ...]:
    if len(known) >= limits.ALERT_VALUES_MAX:
        return known
    found = dict.fromkeys(known)
    found.update(dict.fromkeys(str(hit.value) for hit in hits))
    return tuple(found)[: limits.ALERT_VALUES_MAX]


def name_of(episode: Episode) -> tuple[int, str]:
    """What tells an episode from others of the same key."""
    return episode.began, episode.values[0] if episode.is_named else ""


@dataclass(frozen=True, slots=True)
class Change:
    """How two tellings of the same story differ."""

    changed: tuple[Episode, ...]  # new, or with other figures
    opened: tuple[Episode, ...]  # new
    withdrawn: tuple[Episode, ...]


UNCHANGED = Change((), (), ())


def compare(before: Sequence[Episode], after: Sequence[Episode]) -> Change:
    """What is new in `after`, and what of `before` is no longer true."""
    if not before and not after:
        return UNCHANGED
    told = {name_of(episode): episode for episode in before}
    true = {name_of(episode): episode for episode in after}
    changed = [(name, e) for name, e in true.items() if told.get(name) != e]
    return Change(
        tuple([e for _, e in changed]),
        tuple([e for name, e in changed if name not in told]),
        tuple([e for name, e in told.items() if name not in true]),
    )
