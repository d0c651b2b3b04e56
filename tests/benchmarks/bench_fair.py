"""How long the batches of one entity take while another one floods the centre."""

import tempfile
import time
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure
from tests.integration.test_fair_ingest import Flood, Sensor, spend_credit, two_entities
from tests.process import RunningCentre

TRIES, MEASURED, BATCH = 5, 30, 10
PACE = 200  # records per second, so that the flood has spent its credit soon
GOAL = 1.2  # times as long as alone
PAUSE_SECONDS = 0.08  # the other stays within its own pace


def bench() -> list[Figure]:
    """Milliseconds of a batch alone and beside a flood, and the best ratio of a few tries."""
    with tempfile.TemporaryDirectory() as folder:
        centre = RunningCentre(Path(folder) / "data", ingest_records_per_second=str(PACE))
        try:
            flood, other = two_entities(centre)
            centre.start()
            spend_credit(flood, other)
            alone, beside = min(
                (_tried(flood, other) for _ in range(TRIES)), key=lambda pair: pair[1] / pair[0]
            )
        finally:
            centre.kill()
    return [
        Figure("a batch alone", 1_000 * alone, "ms"),
        Figure("a batch beside a flood", 1_000 * beside, "ms"),
        Figure("beside a flood against alone", beside / alone, "times", at_most=GOAL),
    ]


def _tried(flood: Sensor, other: Sensor) -> tuple[float, float]:
    alone = _usual_seconds(other)
    with Flood(flood):
        return alone, _usual_seconds(other)


def _usual_seconds(sensor: Sensor) -> float:
    seconds = []
    for _ in range(MEASURED):
        time.sleep(PAUSE_SECONDS)
        begun = time.monotonic()
        sensor.send(BATCH)
        seconds.append(time.monotonic() - begun)
    return median(seconds)
