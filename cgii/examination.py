"""From matches to alerts on the desk, in one transaction: windows, tuning, folding."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from cgii.base import counters, limits
from cgii.base.logs import logger
from cgii.centre import Centre
from cgii.detect.alerts import Match, observables_of
from cgii.detect.detector import Detector
from cgii.detect.examine import Examined
from cgii.detect.indicator_rows import confirm
from cgii.detect.indicators import Suspect, indicator_alert
from cgii.detect.tuning import note_hidden
from cgii.detect.tuning_effect import Hidden, Tuning
from cgii.detect.window_rows import due_windows, load_windows, note_losses, save_windows
from cgii.model.event import Alert, Event
from cgii.respond.intake import fold_alerts

log = logger("pipeline")
PLACES = ("host", "ip", "domain")  # observables that tell whose network it was


@dataclass(frozen=True)
class Spotted:
    """What one detector and the lists of indicators saw in a batch.

    Rules may be loaded anew at any moment: the batch is examined by those that it was matched by.
    """

    detector: Detector
    matches: Sequence[Match]
    suspects: Sequence[Suspect] = ()


def matched(detector: Detector, events: Sequence[Event]) -> list[Match]:
    """The matches of a batch; an event that trips over a mistake of ours is left out, and told."""
    try:
        return detector.match(events)
    except Exception:
        # A fault of ours in one rule or event must not stop what everybody else sends: find
        # the event, leave it unexamined, and say so.
        log.exception("batch could not be examined at once", events=len(events))
    matches: list[Match] = []
    for event in events:
        try:
            matches.extend(detector.match([event]))
        except Exception:
            log.exception("event left unexamined", event_id=event.id, source=event.source)
            counters.EVENTS_UNEXAMINED.inc()
    return matches


def examine(centre: Centre, session: Session, spotted: Spotted, *, via: str) -> tuple[Alert, ...]:
    """What comes of what was seen in a batch, folded into the groups of the desk."""
    if not spotted.matches and not spotted.suspects:
        return ()
    now = centre.clock()
    tuning = centre.tuning(session)
    sifted = tuning.sift(spotted.matches, spotted.detector.rules.logsources, now=now)
    examiner = spotted.detector.examiner
    gathered = examiner.gather(sifted.matches)
    windows = load_windows(session, examiner.keys_of(gathered))
    examined = examiner.examine(sifted.matches, windows, gathered)
    _keep(session, examined, examiner.keep_seconds, now)
    findings = tuple(map(indicator_alert, confirm(session, spotted.suspects, now=now)))
    events = {match.event.id: match.event for match in spotted.matches}
    return _fold(
        centre, session, examined, tuning,
        found=findings, events=events, hidden=sifted.hidden, via=via,
    )  # fmt: skip


def decide_windows(centre: Centre) -> int:
    """Decide what ended without anybody speaking again; answers how many windows were looked at.

    Time passes by the clock here: a window ends this way once its rule's tolerance is over and
    nothing has come to it for as long, so whoever is behind is waited for. The alerts are the
    same that the next event would have brought about.
    """
    count = 0
    while True:
        now = centre.clock()
        examiner = centre.detector.examiner
        with centre.database.transaction() as session:
            keys = due_windows(
                session, now=now, waits=examiner.waits, limit=limits.WINDOWS_DECIDED_AT_ONCE
            )
            if not keys:
                return count
            windows = load_windows(session, examiner.with_outer(keys))
            examined = examiner.decide(keys, windows, examiner.by_event_time(now))
            _keep(session, examined, examiner.keep_seconds, now)
            alerts = _fold(centre, session, examined, centre.tuning(session), via="job")
        for alert in alerts:
            counters.ALERTS_RAISED.labels(alert.rule_id).inc()
        count += len(keys)


def _keep(
    session: Session, examined: Examined, keep_seconds: Mapping[str, int], now: datetime
) -> None:
    save_windows(session, examined.windows, now=now, keep_seconds=keep_seconds)
    note_losses(session, examined.losses, now=now)


def _fold(
    centre: Centre,
    session: Session,
    examined: Examined,
    tuning: Tuning,
    *,
    found: Iterable[Alert] = (),
    events: Mapping[str, Event] | None = None,
    hidden: Sequence[Hidden] = (),
    via: str,
) -> tuple[Alert, ...]:
    tempered = tuning.temper((*examined.alerts, *found), now=centre.clock())
    # Once, so that two batches lock the rows they count on in one order.
    note_hidden(session, [*hidden, *tempered.hidden], withdrawn=examined.withdrawn)
    if not tempered.alerts and not examined.withdrawn:
        return ()
    alerts = _with_places(centre, tempered.alerts, examined.opened, events or {})
    act = centre.act(session, via=via)
    fold_alerts(act, alerts, centre.attributor(session), withdrawn=examined.withdrawn)
    return alerts


def _with_places(
    centre: Centre, alerts: Sequence[Alert], opened: frozenset[str], events: Mapping[str, Event]
) -> tuple[Alert, ...]:
    """A correlation's alert knows its key only; whom it hit stands in its events.

    Those of earlier batches are looked up when the alert is told for the first time, which is when
    it is decided whose it is; later tellings add what their own batch brings.
    """
    asked = {
        event_id
        for alert in alerts
        if alert.rule_kind == "correlation" and alert.id in opened
        for event_id in alert.event_ids
        if event_id not in events
    }
    known = {**(centre.events.get_many(asked) if asked else {}), **events}
    return tuple(_placed(alert, known) for alert in alerts)


def _placed(alert: Alert, events: Mapping[str, Event]) -> Alert:
    if alert.rule_kind != "correlation":
        return alert
    seen = [events[one] for one in alert.event_ids if one in events]
    places = [pair for event in seen for pair in observables_of(event) if pair[0] in PLACES]
    found = tuple(dict.fromkeys((*alert.observables, *places)))
    return replace(alert, observables=found[: limits.OBSERVABLES_MAX])
