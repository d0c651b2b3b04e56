"""Counters and timings, shown at /metrics. Names: `cgii_<noun>_<verb past>_total`."""

import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

# Set before this module is loaded, it names the folder where the processes of one `cgii run` keep
# their counters together.
SHARED = "PROMETHEUS_MULTIPROC_DIR"

EVENTS_STORED = Counter("cgii_events_stored_total", "Events committed, by source", ["source"])
EVENTS_REJECTED = Counter(
    "cgii_events_rejected_total", "Records that could not be read", ["source", "reason"]
)
EVENTS_DROPPED = Counter(
    "cgii_events_dropped_total", "Records lost before the centre had them", ["input", "reason"]
)
BATCHES_REPEATED = Counter("cgii_batches_repeated_total", "Batches that had been committed before")
BATCHES_POSTPONED = Counter(
    "cgii_batches_postponed_total", "Batches told to come again later, by reason", ["reason"]
)
BATCH_SECONDS = Histogram("cgii_batch_seconds", "From a received batch to its commit")
ALERTS_RAISED = Counter("cgii_alerts_raised_total", "Alerts committed, by rule", ["rule"])
ALERTS_HIDDEN = Counter("cgii_alerts_hidden_total", "Alerts held back by tuning", ["rule"])
WINDOWS_EVICTED = Counter(
    "cgii_windows_evicted_total", "Correlation entries thrown out at a limit", ["rule"]
)
EVENTS_LATE = Counter(
    "cgii_events_late_total", "Events too late for their correlation window", ["rule"]
)
EVENT_WRITES_RETRIED = Counter(
    "cgii_event_writes_retried_total", "Events offered to an index again, by reason", ["reason"]
)
EVENTS_SET_ASIDE = Counter(
    "cgii_events_set_aside_total", "Events that the index refused and that are kept apart"
)
EVENT_FILES_SET_ASIDE = Counter(
    "cgii_event_files_set_aside_total", "Damaged event files that were taken out of use"
)
EVENTS_UNREADABLE = Counter(
    "cgii_events_unreadable_total", "Stored events asked for whose document is damaged"
)
JOBS_DONE = Counter(
    "cgii_jobs_done_total", "Background jobs, by name and outcome", ["name", "outcome"]
)
FILES_SCANNED = Counter("cgii_files_scanned_total", "Files looked into, by verdict", ["verdict"])
FILE_SCAN_SECONDS = Histogram("cgii_file_scan_seconds", "Time to look into one file")
MAILS_SENT = Counter("cgii_mails_sent_total", "Messages handed to the mail server", ["outcome"])
REQUESTS = Counter("cgii_requests_total", "HTTP answers, by status class", ["status"])
CONNECTIONS_CLOSED = Counter(
    "cgii_connections_closed_total", "Idle connections closed by us, by reason", ["reason"]
)
REQUEST_SECONDS = Histogram("cgii_request_seconds", "Time to answer an HTTP request", ["route"])
RULES_LOADED = Gauge(
    "cgii_rules_loaded", "Rules in force", ["kind"], multiprocess_mode="mostrecent"
)
RULES_REJECTED = Gauge(
    "cgii_rules_rejected", "Rules that could not be read", multiprocess_mode="mostrecent"
)
RULES_REVISION = Gauge(
    "cgii_rules_revision",
    "A number that is the same wherever the same rules are in force",
    multiprocess_mode="livemostrecent",
)
RULES_RELOADED = Counter(
    "cgii_rules_reloaded_total", "Changed rule sets, taken into force or refused", ["outcome"]
)
EVENTS_UNEXAMINED = Counter(
    "cgii_events_unexamined_total", "Events stored but not examined, through a fault of ours"
)
CORRELATION_KEYS_MISSING = Counter(
    "cgii_correlation_keys_missing_total", "Matches without a field that groups them", ["rule"]
)

INDICATORS_LOADED = Gauge(
    "cgii_indicators_loaded",
    "Indicators that events are compared with",
    multiprocess_mode="mostrecent",
)
INDICATORS_WARNED = Counter(
    "cgii_indicators_warned_total", "Indicators found that a warning list says are harmless"
)


def _hold_room(folder: Path) -> None:
    """Take the room of this process's files now: on a full disk a write to them would end it.

    They are mapped into memory with holes, and a hole that cannot be filled is a SIGBUS.
    """
    for path in folder.glob(f"*_{os.getpid()}.db"):
        with suppress(OSError), path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


if SHARED in os.environ:
    _hold_room(Path(os.environ[SHARED]))


def all_counters() -> bytes:
    """The counters of this process, or of all processes that share a folder, for Prometheus."""
    if SHARED not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def total(counter: Counter) -> int:
    """What a counter of this process has come to, over all its labels."""
    samples = (sample for metric in counter.collect() for sample in metric.samples)
    return round(sum(one.value for one in samples if one.name.endswith("_total")))
