"""The writing side of the event store in Elasticsearch: indices by month, each event once."""

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import orjson
from elasticsearch import ApiError, BadRequestError, Elasticsearch, NotFoundError

from cgii.base import counters, limits
from cgii.base.errors import Unavailable
from cgii.base.logs import logger
from cgii.model.event import Event
from cgii.store import elastic_template
from cgii.store.elastic_document import written_together
from cgii.store.events_elastic_bulk import Item, Outcome, send
from cgii.store.events_elastic_link import ABSENT, Link, reason_of, refusal
from cgii.store.events_month import document_of, first_moment, month_of, pack
from cgii.store.events_neighbours import may_be_in, neighbour

log = logger("store")
_EDGE = timedelta(seconds=limits.MONTH_EDGE_SECONDS)
_IDS_AT_ONCE = 1_000
_WRITERS = "cgii_centres"  # in a month's index: the owners of what is in it
_MONTH = re.compile(r"\d{4}-\d\d")


class Writer:
    """Writes events into the index of their month of receipt."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._closing = threading.Event()
        self._ready: set[str] = set()  # months whose index this process has seen in order
        self._lock = threading.Lock()

    def write(self, events: Sequence[Event]) -> int:
        """Store what is not stored yet, durably; how many were new."""
        by_month = _by_month(events)
        return sum(self._write_month(month, by_month[month]) for month in sorted(by_month))

    def offer_again(self, events: Sequence[Event], current: str) -> tuple[int, dict[str, str]]:
        """Store what was refused before: how many were new, and what is refused again, and why.

        What its own month refuses is offered to the current one: an index keeps for good the types
        that it was made with, so a template that was mended shows only in the next one.
        """
        count = 0
        refused: dict[str, str] = {}
        for month, some in sorted(_by_month(events).items()):
            new, again = self._offer(month, some)
            count += new
            if again and month < current:
                new, again = self._offer(current, {key: some[key] for key in again})
                count += new
            refused |= again
        return count, refused

    def forget(self, month: str) -> None:
        """The month's index is gone."""
        with self._lock:
            self._ready.discard(month)

    def _look_again(self) -> None:
        """See to the templates and the indices anew before the next batch."""
        with self._lock:
            self._ready.clear()

    def close(self) -> None:
        """Let whoever waits for a busy server give up."""
        self._closing.set()

    def _write_month(self, month: str, events: dict[str, Event]) -> int:
        count, refused = self._offer(month, events)
        return count + self._set_aside(refused, events) if refused else count

    def _offer(self, month: str, events: dict[str, Event]) -> tuple[int, dict[str, str]]:
        """Send a month's index what no month has: how many were new, and what it refused, why."""
        self._prepare(month)
        present = months(self._link)
        new = dict(events)
        for other in _where_copies_may_be(month, events, present):
            asked = [key for key, event in new.items() if may_be_in(other, event, month)]
            for key in known(self._link, other, asked):
                del new[key]
        index = self._link.index_of(month)
        items = [Item(index, one.id, one.document) for one in written_together(new.values())]
        outcome = self._send(items)
        twice = self._give_way(month, {key: new[key] for key in outcome.created})
        return len(outcome.created) - twice, outcome.refused

    def _send(self, items: Sequence[Item]) -> Outcome:
        try:
            return send(self._link, items, self._closing)
        except Unavailable:  # somebody may have deleted the index, or all that we had made
            self._look_again()
            raise

    def _give_way(self, month: str, created: dict[str, Event]) -> int:
        """At the turn of a month, drop copies of what another process wrote into the month before.

        Both look after they have written, so one of them sees the other's; the older one stays.
        """
        edge = first_moment(month) + _EDGE
        near = [key for key, event in created.items() if event.received_at < edge]
        if not near:
            return 0
        twice = known(self._link, neighbour(month, -1), near)
        with self._link.asking() as client:
            for key in sorted(twice):
                client.options(ignore_status=404).delete(index=self._link.index_of(month), id=key)
        return len(twice)

    def _set_aside(self, refused: Mapping[str, str], events: Mapping[str, Event]) -> int:
        """Keep what the index refused whole in an index that reads nothing of it."""
        items = []
        for key, reason in refused.items():
            kept = {
                "received_at": events[key].received_at.isoformat(),
                "reason": reason,
                "body": pack(document_of(events[key])).decode(),
            }
            items.append(Item(self._link.refused, key, orjson.dumps(kept)))
            log.error("event set aside", event_id=key, source=events[key].source, reason=reason)
        outcome = self._send(items)
        if outcome.refused:
            raise Unavailable(
                "Elasticsearch rechazó un evento y tampoco admite guardarlo aparte: {reason}",
                reason=next(iter(outcome.refused.values())),
            )
        counters.EVENTS_SET_ASIDE.inc(len(outcome.created))
        return len(outcome.created)

    # --- templates and indices -------------------------------------------------------------------

    def _prepare(self, month: str) -> None:
        """See to it that the month's index is there and is of our making."""
        with self._lock:
            if month in self._ready:
                return
            try:
                with self._link.asking() as client:
                    # Anew for each month: somebody may have deleted or changed them meanwhile.
                    _put_templates(client, self._link)
                    _put_index(client, self._link.index_of(month))
                    _check_index(client, self._link, month)
            except ApiError as error:
                raise refusal(error.status_code, reason_of(error.body)) from error
            self._ready.add(month)


def _by_month(events: Iterable[Event]) -> dict[str, dict[str, Event]]:
    """The events by month of receipt and id; of those with one id the first."""
    found: dict[str, dict[str, Event]] = {}
    for event in events:
        found.setdefault(month_of(event.received_at), {}).setdefault(event.id, event)
    return found


def months(link: Link) -> list[str]:
    """The months that have an index, oldest first."""
    with link.asking() as client:
        found = client.indices.get_alias(index=link.months, allow_no_indices=True)
    ours = (one for one in map(link.month_of, found.body) if _MONTH.fullmatch(one))
    return sorted(one for one in ours if link.index_of(one) in found.body)


def known(link: Link, month: str, ids: Iterable[str]) -> set[str]:
    """Those of the ids that a month's index has, written or refreshed just now or long ago.

    A month that somebody closed stops no other: what is in it is not found.
    """
    wanted = list(ids)
    found: set[str] = set()
    for begin in range(0, len(wanted), _IDS_AT_ONCE):
        some = wanted[begin : begin + _IDS_AT_ONCE]
        try:
            with link.asking() as client:
                answer = client.mget(
                    index=link.index_of(month),
                    ids=some,
                    source=False,
                    filter_path=["docs._id", "docs.found", "docs.error"],
                )
        except NotFoundError:
            return found
        for one in answer.body.get("docs", ()):
            if one.get("found"):
                found.add(one["_id"])
            elif "error" in one and one["error"].get("type") not in ABSENT:
                raise refusal(503, reason_of(one))
    return found


def _put_templates(client: Elasticsearch, link: Link) -> None:
    prefix = link.prefix
    client.ilm.put_lifecycle(name=prefix, policy=elastic_template.LIFE)
    for name, template in elastic_template.components(prefix).items():
        client.cluster.put_component_template(name=name, template=template)
    client.indices.put_index_template(
        name=f"{prefix}-events", **elastic_template.index_template(prefix)
    )
    _put_index(client, link.refused, **elastic_template.REFUSED)


def _put_index(client: Elasticsearch, index: str, **given: object) -> None:
    try:
        client.indices.create(index=index, wait_for_active_shards=1, **given)  # type: ignore[arg-type]
    except BadRequestError as error:
        if reason_of(error.body)[0] != "resource_already_exists_exception":
            raise


def _check_index(client: Elasticsearch, link: Link, month: str) -> None:
    index = link.index_of(month)
    mapping = client.indices.get_mapping(index=index).body[index]["mappings"]
    meta = mapping.get("_meta", {})
    version = meta.get("cgii_version")
    if version is None:
        raise Unavailable(
            "El índice {index} no se hizo con la plantilla {prefix}-events: otra plantilla le "
            "gana, o alguien lo creó a mano. Revise las plantillas de Elasticsearch y borre ese "
            "índice si no hay nada en él.",
            index=index,
            prefix=link.prefix,
        )
    if version != elastic_template.VERSION:
        raise Unavailable(
            "El índice {index} no es de esta versión del programa (formato {version}); actualice "
            "el programa, o use otro prefijo en CGII_EVENTS.",
            index=index,
            version=version,
        )
    writers = meta.get(_WRITERS, [])
    if link.owner and link.owner not in writers:
        client.indices.put_mapping(index=index, meta={**meta, _WRITERS: [*writers, link.owner]})


def strangers(link: Link) -> int:
    """How many other centres wrote into the newest month: each has a record of its own."""
    present = months(link)
    if not present:
        return 0
    index = link.index_of(present[-1])
    try:
        with link.asking() as client:
            found = client.indices.get_mapping(index=index, filter_path="*.mappings._meta").body
    except ApiError as error:
        raise refusal(error.status_code, reason_of(error.body)) from error
    meta = found[index]["mappings"]["_meta"] if found else {}
    return len({*meta.get(_WRITERS, ())} - {link.owner})


def _where_copies_may_be(
    month: str, events: Mapping[str, Event], present: Sequence[str]
) -> list[str]:
    """Months since the oldest event happened, and both neighbours."""
    oldest = month_of(min(event.at for event in events.values()))
    since = min(oldest, neighbour(month, -1))
    return [one for one in present if one >= since and one != month]


def is_before(month: str, moment: datetime) -> bool:
    """Whether the month had ended at that moment."""
    return month < month_of(moment)
