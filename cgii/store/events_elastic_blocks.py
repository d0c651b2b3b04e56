"""What forbids reading or writing: an index that is closed or read-only, rights that lack."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from elasticsearch import ApiError

from cgii.base.errors import Unavailable
from cgii.store.events_aside import MONTH
from cgii.store.events_elastic_link import Link, refusal
from cgii.store.events_month import first_moment, month_of
from cgii.store.events_neighbours import neighbour
from cgii.store.query_times import milliseconds

_CLOSED = "4"  # the number of this block in every version
_BLOCKED = "cluster_block_exception"
# Without these nothing is stored; the manual asks for more, to ask and to delete.
_CLUSTER_RIGHTS = ("manage_index_templates", "manage_ilm", "monitor")
_INDEX_RIGHTS = ("create_index", "read", "view_index_metadata", "write")


def closed(link: Link) -> list[str]:
    """The closed ones of our indices, the oldest month first."""
    found = _blocks(link).get("indices", {})
    return sorted(index for index, blocks in found.items() if _CLOSED in blocks)


def must_be_open(
    link: Link, start: int | None = None, end: int | None = None, *, with_refused: bool = False
) -> None:
    """Raise Unavailable when an index of a month in [start, end), in milliseconds, is closed.

    Or, `with_refused`, the one of what was refused.

    A search passes over such an index without a word. Records that came late are in the index of a
    later month, as `events_plan.may_hold` says of files.
    """
    for index in closed(link):
        if with_refused and index == link.refused:
            raise _is_closed(index)
        month = link.month_of(index)
        if not re.fullmatch(MONTH, month):
            continue
        begins, ends = (milliseconds(first_moment(one)) for one in (month, neighbour(month, 1)))
        if (end is None or begins < end) and (start is None or ends > start):
            raise _is_closed(index)


def must_read_refused(link: Link) -> None:
    """Raise Unavailable when the index of what was refused is closed."""
    if link.refused in closed(link):
        raise _is_closed(link.refused)


def is_blocked(link: Link, index: str) -> bool:
    """Whether one of our indices takes nothing now."""
    return any("write" in block["levels"] for block in _on(link, index).values())


def must_take(link: Link, now: datetime) -> None:
    """Raise Unavailable when what is received now would not be taken."""
    index = link.index_of(month_of(now))
    blocks = _on(link, index)
    if _CLOSED in blocks:
        raise _is_closed(index)
    for block in blocks.values():
        if "write" in block["levels"]:
            raise refusal(403, (_BLOCKED, block["description"]))
    if lacking := _lacking_rights(link):
        raise Unavailable(
            "A la cuenta del centro le faltan privilegios en Elasticsearch, y nada se guarda: "
            "{lacking}.",
            lacking=", ".join(lacking),
        )


def _lacking_rights(link: Link) -> list[str]:
    names = [link.months, link.refused]
    try:
        with link.asking() as client:
            found = client.security.has_privileges(
                cluster=_CLUSTER_RIGHTS, index=[{"names": names, "privileges": _INDEX_RIGHTS}]
            ).body
    except ApiError:  # 400: the server asks nobody who he is
        return []
    lacking = {name for name, is_given in found["cluster"].items() if not is_given}
    for name in names:
        lacking |= {f"{one} ({name})" for one, given in found["index"][name].items() if not given}
    return sorted(lacking)


def _is_closed(index: str) -> Unavailable:
    return refusal(400, ("index_closed_exception", index))


def _on(link: Link, index: str) -> Mapping[str, Any]:
    """What holds for one index, by number."""
    blocks = _blocks(link)
    return {**blocks.get("global", {}), **blocks.get("indices", {}).get(index, {})}


def _blocks(link: Link) -> Mapping[str, Any]:
    with link.asking() as client:
        found = client.cluster.state(
            metric="blocks",
            local=True,  # not the leader alone: searches go on without one
            filter_path=[
                "blocks.global",
                *(f"blocks.indices.{index}" for index in (link.months, link.refused)),
            ],
        )
    return dict(found.body.get("blocks", {}))
