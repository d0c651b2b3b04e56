"""How soon the index has all that was acknowledged, once Elasticsearch is out of trouble again."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from cgii.base import limits
from cgii.store.events import EventQuery, EventStore, open_events
from tests import servers
from tests.benchmarks.figures import Figure
from tests.contract.test_elastic_faults import BLOCKS, PersistentSender, ask, batch
from tests.fault_proxy import CUT_AFTER, CUT_BEFORE, Proxy, fault_proxy
from tests.waiting import until

GOAL_SECONDS = 60
TROUBLE_SECONDS = 5.0  # of trying until a batch goes back to its sender
BLOCK = "index.blocks.read_only_allow_delete"
TROUBLES = (400, 409, 429, 500, 503, CUT_BEFORE, CUT_AFTER, BLOCK)


def bench() -> list[Figure]:
    """Seconds from the end of each trouble until the index equals the sender's ledger."""
    with (
        servers.elasticsearch() as server,
        fault_proxy(server.url) as proxy,
        patch.object(limits, "BULK_SECONDS_MAX", TROUBLE_SECONDS),  # waits between are as they are
    ):
        url = f"{server.url}/t{secrets.token_hex(6)}"
        behind = open_events(f"{proxy.url}/{url.rpartition('/')[2]}", Path())
        with _sending(behind) as sender:
            sender.waits_for_acknowledgements(1)
            taken = {str(one): _recovered(url, proxy, sender, one) for one in TROUBLES}
        stored = behind.count(EventQuery())
        behind.close()
        servers.drop_indices(url)
        servers.drop_templates(url)
    assert sender.wrong == []
    assert stored == sender.acknowledged
    return [
        Figure(f"after {trouble}", seconds, "s", at_most=GOAL_SECONDS)
        for trouble, seconds in taken.items()
    ]


@contextmanager
def _sending(store: EventStore) -> Iterator[PersistentSender]:
    sender = PersistentSender(store, begin=0)
    sender.start()
    try:
        yield sender
    finally:
        sender.stop()


def _recovered(url: str, proxy: Proxy, sender: PersistentSender, trouble: object) -> float:
    if trouble == BLOCK:
        ask(url, "PUT", BLOCKS, {BLOCK: True})
    else:
        proxy.always = trouble
    sender.waits_for_refusals(1)
    proxy.always = None
    if trouble == BLOCK:
        ask(url, "PUT", BLOCKS, {BLOCK: None})
    begun = time.monotonic()
    told = sender.waits_for_acknowledgements(1)
    ids = {event.id for event in batch(0, told)}
    store = open_events(url, Path())
    until(lambda: set(store.get_many(ids)) == ids, "the index equals the ledger")
    taken = time.monotonic() - begun
    store.close()
    return taken
