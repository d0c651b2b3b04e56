"""Reads all events of a search from the indices, oldest first, through a point in time."""

from collections.abc import Iterator, Sequence
from typing import Any

from elasticsearch import ApiError, NotFoundError

from cgii.base.errors import Unavailable
from cgii.model.event import Event
from cgii.store.events_elastic_blocks import must_be_open
from cgii.store.events_elastic_link import Link
from cgii.store.events_elastic_read import (
    KEEP_ALIVE,
    Forward,
    Question,
    answer,
    make_ready,
    stretch,
)
from cgii.store.events_elastic_write import months
from cgii.store.events_scan import gone
from cgii.store.query_tree import Node


def scan(link: Link, tree: Node) -> Iterator[Event]:
    """Every event that is there now, once; see `EventStore.scan`."""
    make_ready(link, tree)
    present = set(months(link))
    view = _open(link) if present else ""
    after: Sequence[Any] = ()
    given = ""
    try:
        while view:
            try:
                page = _page(link, tree, view, after)
            except Unavailable as error:
                if not _is_lost(error):
                    raise
                if not present <= set(months(link)):
                    raise gone() from error
                must_be_open(link, *stretch(tree))
                # The reader was away for too long, or a node started anew. The place is kept.
                view = _open(link)
                page = _page(link, tree, view, after)
            view, after = page.view, page.after
            for event in page.events:
                if event.id != given:  # at the turn of a month two processes may have written it
                    yield event
                given = event.id
            if not after:
                return
    finally:
        _close(link, view)


def _page(link: Link, tree: Node, view: str, after: Sequence[Any]) -> Forward:
    def ask(asked: Question) -> Forward:
        return asked.oldest(view, after)

    return answer(link, tree, ask)


def _is_lost(error: Unavailable) -> bool:
    """Whether the server no longer knows the point in time."""
    return isinstance(error.__cause__, ApiError) and error.__cause__.status_code == 404


def _open(link: Link) -> str:
    try:
        with link.asking() as client:
            view = client.open_point_in_time(
                index=link.months, keep_alive=KEEP_ALIVE, ignore_unavailable=True
            )
    except NotFoundError as error:
        raise gone() from error
    return str(view["id"])


def _close(link: Link, view: str) -> None:
    if view:
        with link.asking() as client:
            client.options(ignore_status=404).close_point_in_time(id=view)
