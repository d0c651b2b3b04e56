"""Puts what the indices refused back among the events, when the cause is gone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from elasticsearch import ApiError, NotFoundError

from cgii.base import limits
from cgii.model.event import Event
from cgii.store.events_document import event_or_none
from cgii.store.events_elastic_link import Link, reason_of, refusal
from cgii.store.events_elastic_read import KEEP_ALIVE, refresh
from cgii.store.events_elastic_write import Writer

_ID = re.compile(r"[0-9a-f]{32}")
_DONE = (200, 404)  # of a deletion


@dataclass(slots=True)
class Restored:
    """What became of the events that were set aside; those refused again by id, with the reason.

    `damaged` are documents that are no events.
    """

    read: int = 0
    new: int = 0
    damaged: int = 0
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """How many were among the events already."""
        return self.read - self.new - self.damaged - len(self.refused)

    @property
    def is_whole(self) -> bool:
        """Whether nothing stayed behind."""
        return not self.refused and not self.damaged


def restore(link: Link, writer: Writer, current: str, found: Restored) -> Iterator[int]:
    """Offer each event to the indices once more; gives how many after each batch.

    Its copy aside goes once the server has it on disk, so it is always in one place at least.
    Raises Unavailable when the server is in trouble; what was not reached stays.
    """
    for hits in _pages(link):
        events = [event for event in map(_event, hits) if event is not None]
        found.read += len(hits)
        found.damaged += len(hits) - len(events)
        new, refused = writer.offer_again(events, current)
        found.new += new
        found.refused |= refused
        _drop(link, [event.id for event in events if event.id not in refused])
        yield len(hits)


def _pages(link: Link) -> Iterator[Sequence[Mapping[str, Any]]]:
    """What is set aside now, in batches; none when there is no such index."""
    refresh(link)
    try:
        with link.asking() as client:
            view = client.open_point_in_time(index=link.refused, keep_alive=KEEP_ALIVE)["id"]
    except NotFoundError:
        return
    except ApiError as error:
        raise refusal(error.status_code, reason_of(error.body)) from error
    asked: dict[str, Any] = {"size": limits.SCAN_ROWS, "sort": ["_shard_doc"], "source": ["body"]}
    try:
        while True:
            with link.asking() as client:
                page = client.search(pit={"id": view, "keep_alive": KEEP_ALIVE}, **asked)
            view, hits = page["pit_id"], page["hits"]["hits"]
            if not hits:
                return
            yield hits
            asked["search_after"] = hits[-1]["sort"]
    except ApiError as error:  # the view is gone: the server was started anew
        raise refusal(error.status_code, reason_of(error.body)) from error
    finally:
        with link.asking() as client:
            client.options(ignore_status=404).close_point_in_time(id=view)


def _event(hit: Mapping[str, Any]) -> Event | None:
    """The event; None when somebody changed what was kept."""
    body = hit["_source"].get("body")
    if not _ID.fullmatch(hit["_id"]) or not isinstance(body, str):
        return None
    return event_or_none(bytes.fromhex(hit["_id"]), body.encode())


def _drop(link: Link, ids: Sequence[str]) -> None:
    """Delete copies of events that are stored."""
    if not ids:
        return
    asked = [{"delete": {"_index": link.refused, "_id": one}} for one in ids]
    try:
        with link.asking() as client:
            answers = client.bulk(operations=asked).body["items"]
    except ApiError as error:
        raise refusal(error.status_code, reason_of(error.body)) from error
    for answer in answers:
        told = answer["delete"]
        if told["status"] not in _DONE:
            raise refusal(told["status"], reason_of(told))
