"""`make bench`: each prints a table and keeps it in artifacts/; ratios are of the same run.

A goal that is missed is told, and fails nothing: how busy a machine is, is no fault of the program.
"""

import pytest

from tests.benchmarks import (
    bench_correlation,
    bench_events,
    bench_fair,
    bench_indicators,
    bench_packets,
    bench_pages,
    bench_pipeline,
    bench_recovery,
    bench_rules,
    bench_scaled,
    bench_search,
    bench_spool,
    bench_start,
)
from tests.benchmarks.figures import show
from tests.public_rules import RULES

pytestmark = pytest.mark.benchmark
with_public_data = pytest.mark.skipif(
    not RULES.exists(),
    reason="the public rules and events are not beside this clone (shared/data)",
)


def test_raw_line_to_committed_alert() -> None:
    show("Pipeline: from a raw line to a committed alert, embedded", bench_pipeline.bench())


def test_detection() -> None:
    show("Detection: rules against events in memory", bench_pipeline.bench_detection())


def test_indicators() -> None:
    show("Indicators: a million values", bench_indicators.bench())


def test_spool() -> None:
    show("Spool: the sensor's queue on disk", bench_spool.bench())


def test_start() -> None:
    show("Start: ready after a kill, with a million of each thing waiting", bench_start.bench())


def test_packets() -> None:
    show("Packets: a capture to conversations, DNS and TLS", bench_packets.bench())


def test_events() -> None:
    show("Events: storing and searching, embedded", bench_events.bench())


def test_search() -> None:
    show("Search: a month of events, embedded", bench_search.bench())


@pytest.mark.elasticsearch
def test_bulk() -> None:
    show("Bulk: storing into Elasticsearch", bench_search.bench_bulk())


@pytest.mark.postgres
@pytest.mark.elasticsearch
def test_scaled() -> None:
    show("Scaled: ingest by two processes over shared servers", bench_scaled.bench())


@pytest.mark.elasticsearch
def test_recovery() -> None:
    show("Recovery: until Elasticsearch has everything", bench_recovery.bench())


def test_pages() -> None:
    show("Pages: 20,000 incidents and 50,000 alert groups, signed in", bench_pages.bench())


def test_fair_shares() -> None:
    show("Fair shares: a batch beside a flood of another entity", bench_fair.bench())


def test_correlation() -> None:
    show("Correlation: 1,000 rules over 100,000 live keys", bench_correlation.bench())


@with_public_data
def test_public_rules() -> None:
    show("Rules: all public Windows rules, raw lines to grouped alerts", bench_rules.bench())


@with_public_data
def test_number_of_rules() -> None:
    show("Rule counts: events per second by the number of rules", bench_rules.bench_sizes())


@with_public_data
def test_loading_rules() -> None:
    show("Rule loading: seconds of the processor", bench_rules.bench_loading())
