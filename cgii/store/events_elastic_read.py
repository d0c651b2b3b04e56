"""Questions to the indices: what the index tells, and a look at the events of which it cannot."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from elasticsearch import ApiError, BadRequestError, ConnectionTimeout, NotFoundError

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.model.event import Event
from cgii.store.elastic_document import ALL_FIELDS
from cgii.store.event_shapes import EventQuery
from cgii.store.events_elastic_blocks import must_be_open
from cgii.store.events_elastic_link import ABSENT, Link, reason_of, refusal, too_slow
from cgii.store.events_month import HOT, event_of
from cgii.store.events_plan import guarded
from cgii.store.query import parse
from cgii.store.query_elastic import Bounds, Query, QueryWriter, prefix_regex, watched
from cgii.store.query_fields import comparable, values
from cgii.store.query_times import milliseconds
from cgii.store.query_tree import And, During, Node
from cgii.store.query_values import search_test

T = TypeVar("T")
Document = Mapping[str, Any]
Cursor = tuple[int, str]  # milliseconds since 1970 and id of the last event that was given
Row = tuple[Cursor, Event]

_BODY = "cgii.body"
_TOP_PER_INDEX = 1_000  # values kept of each month before the months are added up
_GRACE_SECONDS = 5  # the server stops by itself before we hang up
KEEP_ALIVE = "10m"  # of a view, from one request to the next


@dataclass(frozen=True, slots=True)
class Forward:
    """A page of a scan: the point in time, its events, the place after them (none at the end)."""

    view: str
    events: tuple[Event, ...]
    after: Sequence[Any]


def understood(query: EventQuery) -> Node:
    """What is asked, with the tenant guard and the times inside."""
    tree = guarded(parse(query.text), query.entity_ids)
    start = None if query.start is None else milliseconds(query.start)
    end = None if query.end is None else milliseconds(query.end)
    if start is None and end is None:
        return tree
    return And((During("@timestamp", start, end), tree))


def stretch(tree: Node) -> tuple[int | None, int | None]:
    """The times in [start, end) outside of which nothing can meet the search."""
    start: int | None = None
    end: int | None = None
    for part in _conditions(tree):
        if isinstance(part, During) and part.field == "@timestamp":
            if part.start is not None:
                start = part.start if start is None else max(start, part.start)
            if part.end is not None:
                end = part.end if end is None else min(end, part.end)
    return start, end


def _conditions(tree: Node) -> list[Node]:
    """What must all be true."""
    if isinstance(tree, And):
        return [inner for part in tree.parts for inner in _conditions(part)]
    return [tree]


def refresh(link: Link) -> None:
    """Make everything that was acknowledged findable; costs little when nothing came."""
    try:
        with link.asking() as client:
            client.indices.refresh(index=[link.months, link.refused], ignore_unavailable=True)
    except ApiError as error:
        raise refusal(error.status_code, reason_of(error.body)) from error


def make_ready(link: Link, tree: Node) -> None:
    """Before a question: what was acknowledged is found, and no month of it is passed over."""
    refresh(link)
    must_be_open(link, *stretch(tree))


def answer(link: Link, tree: Node, what: Callable[["Question"], T], *, field: str = "") -> T:
    """Ask one question. `field` is one whose values are counted."""
    try:
        return what(Question(link, tree, field=field))
    except BadRequestError:  # a pattern of which Lucene would make too large an automaton
        pass
    except ApiError as error:
        raise refusal(error.status_code, reason_of(error.body)) from error
    try:
        return what(Question(link, tree, field=field, automata=False))
    except ApiError as error:
        raise refusal(error.status_code, reason_of(error.body)) from error


class Question:
    """One search as the index understands it, with the time that it may take."""

    def __init__(self, link: Link, tree: Node, *, field: str = "", automata: bool = True) -> None:
        self._link = link
        self._until = time.monotonic() + limits.QUERY_SECONDS_MAX
        self._test = search_test(tree)
        marks = watched(tree) | {field} - {""}
        odd = self._present(marks, stretch(tree))
        self._bounds = QueryWriter(odd, automata=automata).write(tree)
        if odd & {field, ALL_FIELDS} and field:
            cut: Query = {"terms": {"cgii.odd": sorted(odd & {field, ALL_FIELDS})}}
            sure: Query = {"bool": {"filter": [self._bounds.sure], "must_not": [cut]}}
            self._bounds = Bounds(sure, self._bounds.wide)

    def page(self, size: int, after: Cursor | None) -> list[Row]:
        """The newest rows after the cursor, `size` at most."""
        rows: list[Row] = []
        at_once = size if self._bounds.is_exact else max(size, limits.SCAN_ROWS)
        while len(rows) < size:
            hits = self._search(
                query=_filtered(self._bounds.wide),
                size=at_once,
                sort=[{"@timestamp": "desc"}, {"cgii.id": "desc"}],
                source=[_BODY],
                track_total_hits=False,
                **_past(after),
            )["hits"]["hits"]
            for hit in hits:
                after = (hit["sort"][0], hit["sort"][1])
                body = hit["_source"]["cgii"]["body"]
                if self._bounds.is_exact or self._test(orjson.loads(body)):
                    rows.append((after, event_of(bytes.fromhex(hit["_id"]), body)))
            if len(hits) < at_once:
                break
        return rows[:size]

    def oldest(self, view: str, after: Sequence[Any]) -> Forward:
        """The oldest rows of a point in time after a place, a page at most."""
        found = self._search(
            query=_filtered(self._bounds.wide),
            size=limits.SCAN_ROWS,
            sort=[{"@timestamp": "asc"}, {"cgii.id": "asc"}],
            source=[_BODY],
            track_total_hits=False,
            pit={"id": view, "keep_alive": KEEP_ALIVE},
            **_past(after),
        )
        hits = found["hits"]["hits"]
        events = []
        for hit in hits:
            body = hit["_source"]["cgii"]["body"]
            if self._bounds.is_exact or self._test(orjson.loads(body)):
                events.append(event_of(bytes.fromhex(hit["_id"]), body))
        is_last = len(hits) < limits.SCAN_ROWS
        return Forward(found["pit_id"], tuple(events), [] if is_last else hits[-1]["sort"])

    def count(self, up_to: int | None) -> int:
        """How many events there are, counted no further than `up_to`."""
        if up_to is not None and up_to <= 0:
            return 0
        total = self._search(
            query=_filtered(self._bounds.sure),
            size=0,
            track_total_hits=True if up_to is None else up_to,
        )["hits"]["total"]["value"]
        for _ in self._others():
            if up_to is not None and total >= up_to:
                break
            total += 1
        return int(total if up_to is None else min(total, up_to))

    def steps(self, begin: int, step: int) -> Counter[int]:
        """Events by the number of their step; `begin` and `step` are in milliseconds."""
        spread = {
            "date_histogram": {
                "field": "@timestamp",
                "fixed_interval": f"{step}ms",
                "offset": f"{begin % step}ms",
                "min_doc_count": 1,
            }
        }
        found = self._search(
            query=_filtered(self._bounds.sure), size=0, aggs={"steps": spread}
        ).get("aggregations", {})
        counts: Counter[int] = Counter()
        for bucket in found.get("steps", {}).get("buckets", ()):
            counts[(int(bucket["key"]) - begin) // step] += bucket["doc_count"]
        for document in self._others():
            counts[(document["@timestamp"] // 1_000 - begin) // step] += 1
        return counts

    def top(self, name: str) -> Counter[str]:
        """The most frequent values of a field, in comparable form."""
        place = f"cgii.hot.{HOT[name]}" if name in HOT else "cgii.values"
        terms: dict[str, Any] = {
            "field": place,
            "size": _TOP_PER_INDEX,
            "order": [{"_count": "desc"}, {"_key": "asc"}],
        }
        if name not in HOT:
            terms |= {"include": prefix_regex(name), "execution_hint": "map"}
        found = self._search(
            query=_filtered(self._bounds.sure), size=0, aggs={"top": {"terms": terms}}
        ).get("aggregations", {})
        totals: Counter[str] = Counter()
        for bucket in found.get("top", {}).get("buckets", ()):
            value = str(bucket["key"])
            totals[value if name in HOT else value[len(name) + 1 :]] += bucket["doc_count"]
        for document in self._others():
            totals.update({comparable(name, value) for value in values(document, name)})
        return totals

    def _present(
        self, marks: frozenset[str], times: tuple[int | None, int | None]
    ) -> frozenset[str]:
        """Those of the marks that some event of these times has."""
        inside = QueryWriter(frozenset()).write(During("@timestamp", *times)).sure
        found = self._search(
            query=_filtered({"terms": {"cgii.odd": sorted(marks)}}, inside),
            size=0,
            aggs={"odd": {"terms": {"field": "cgii.odd", "size": 1_000, "include": sorted(marks)}}},
        ).get("aggregations", {})
        return frozenset(bucket["key"] for bucket in found.get("odd", {}).get("buckets", ()))

    def _others(self) -> Iterator[Document]:
        """The events that meet the search though the index alone does not tell."""
        if self._bounds.is_exact:
            return
        try:
            with self._link.asking() as client:
                view = client.open_point_in_time(
                    index=self._link.months, keep_alive=KEEP_ALIVE, ignore_unavailable=True
                )["id"]
        except NotFoundError:
            return  # there are no events at all
        try:
            after: list[Any] = []
            while True:
                found = self._search(
                    query=_filtered(self._bounds.doubtful),
                    size=limits.SCAN_ROWS,
                    sort=["_shard_doc"],
                    source=[_BODY],
                    track_total_hits=False,
                    pit={"id": view, "keep_alive": KEEP_ALIVE},
                    **_past(after),
                )
                view = found["pit_id"]
                hits = found["hits"]["hits"]
                for hit in hits:
                    document = orjson.loads(hit["_source"]["cgii"]["body"])
                    if self._test(document):
                        yield document
                if len(hits) < limits.SCAN_ROWS:
                    return
                after = hits[-1]["sort"]
        finally:
            with self._link.asking() as client:
                client.options(ignore_status=404).close_point_in_time(id=view)

    def _search(self, **asked: Any) -> dict[str, Any]:
        """One request, in the time that is left."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise too_slow()
        if "pit" not in asked:
            asked |= {"index": self._link.months, "ignore_unavailable": True}
        try:
            with self._link.asking() as client:
                found = client.options(request_timeout=left + _GRACE_SECONDS).search(
                    timeout=f"{int(left * 1_000) + 1}ms",
                    allow_partial_search_results=False,
                    **asked,
                )
        except Unavailable as error:
            if isinstance(error.__cause__, ConnectionTimeout):
                raise too_slow() from error
            raise
        if found.body.get("timed_out"):
            raise too_slow()
        return dict(found.body)


def _past(after: Sequence[Any] | None) -> dict[str, Any]:
    """Where to go on; nothing for the first request."""
    return {"search_after": list(after)} if after else {}


def _filtered(*queries: Query) -> Query:
    """All of them, without a score."""
    return {"bool": {"filter": list(queries)}}


def spans(link: Link, months: list[str]) -> list[tuple[int, int]]:
    """First and last moment of each month's events, in milliseconds."""
    if not months:
        return []
    ends = {"low": {"min": {"field": "@timestamp"}}, "high": {"max": {"field": "@timestamp"}}}
    asked: list[dict[str, Any]] = []
    for month in months:
        asked.append({"index": link.index_of(month), "ignore_unavailable": True})
        asked.append({"size": 0, "track_total_hits": False, "aggs": ends})
    with link.asking() as client:
        answers = client.msearch(searches=asked).body["responses"]
    found = []
    for one in answers:
        if "error" in one:
            raise refusal(one.get("status", 500), reason_of(one))
        low, high = (one.get("aggregations", {}).get(end, {}).get("value") for end in ends)
        if low is not None and high is not None:
            found.append((int(low), int(high)))
    return found


def bodies(link: Link, index: str, ids: list[str]) -> dict[str, Event]:
    """Those of the events that an index has, by id, written just now or long ago."""
    place = "body" if index == link.refused else _BODY
    try:
        with link.asking() as client:
            found = client.mget(index=index, ids=ids, source_includes=[place]).body["docs"]
    except NotFoundError:
        return {}
    except ApiError as error:
        raise refusal(error.status_code, reason_of(error.body)) from error
    events = {}
    for one in found:
        if one.get("found"):
            source = one["_source"]
            body = source["body"] if index == link.refused else source["cgii"]["body"]
            events[one["_id"]] = event_of(bytes.fromhex(one["_id"]), body)
        elif "error" in one and one["error"].get("type") not in ABSENT:
            raise refusal(503, reason_of(one))
    return events
