"""Delivers what local inputs receive straight into this machine's centre."""

from collections.abc import Callable

from sqlalchemy import select

from cgii.centre import Centre
from cgii.collect.buffer import Batch
from cgii.collect.inputs.follow import Position
from cgii.model.records import Position as PositionRow
from cgii.pipeline import keep_positions, take


def deliver_to(centre: Centre) -> Callable[[Batch], None]:
    """A function that commits a batch together with the positions it reaches."""

    def deliver(batch: Batch) -> None:
        if not batch.raws:
            with centre.database.transaction() as session:
                keep_positions(session, batch.positions, centre.clock())
            return
        take(centre, batch.origin, batch.raws, positions=batch.positions)

    return deliver


def positions_of(centre: Centre) -> dict[str, Position]:
    """How far every followed file was committed, by stream."""
    with centre.database.reading() as session:
        return {
            row.stream: Position(row.stream, row.epoch, row.offset, row.seq)
            for row in session.scalars(select(PositionRow))
        }
