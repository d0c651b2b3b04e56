"""Scans and beacons are told, ordinary traffic is not."""

from random import Random

import pytest

from cgii.base import limits
from cgii.collect.packets.decode import Packet
from cgii.collect.packets.flows import Flow
from cgii.collect.packets.patterns import Scans, regularity
from tests.make_packets import ACK, FIN, PSH, RST, SYN, conversation, ethernet, tcp, udp
from tests.unit.collect.packets.test_observe import THEM, US, observe


def attempt(host: str, port: int, *, is_refused: bool = False) -> list[bytes]:
    ends = (US, 40_000, host, port)
    found = [ethernet(tcp(ends, SYN))]
    if is_refused:
        found.append(ethernet(tcp((host, port, US, 40_000), RST | ACK)))
    return found


def test_many_refused_ports_of_one_host_are_a_scan() -> None:
    frames = [one for port in range(1, 31) for one in attempt(THEM, port, is_refused=True)]
    (found,) = observe(frames, "scan")

    assert (found["scan_kind"], found["id.orig_h"], found["id.resp_h"]) == ("ports", US, THEM)
    assert (found["target_count"], found["last_state"]) == (limits.SCAN_TARGETS_MIN, "REJ")


@pytest.mark.parametrize("flags", [FIN, 0, FIN | PSH | 32])
@pytest.mark.parametrize("is_refused", [False, True])
def test_probes_that_begin_no_conversation_are_a_scan(flags: int, *, is_refused: bool) -> None:
    frames = []
    for port in range(1, 31):
        frames.append(ethernet(tcp((US, 40_000, THEM, port), flags)))
        if is_refused:
            frames.append(ethernet(tcp((THEM, port, US, 40_000), RST | ACK)))
    (found,) = observe(frames, "scan")

    assert (found["id.orig_h"], found["target_count"]) == (US, limits.SCAN_TARGETS_MIN)


def test_conversations_seen_from_their_middle_are_no_scan() -> None:
    frames = []
    for port in range(1, 61):
        ends, back = (US, 40_000, THEM, port), (THEM, port, US, 40_000)
        frames += [ethernet(tcp(ends, PSH | ACK)), ethernet(tcp(back, ACK))]
        frames += [ethernet(tcp(ends, FIN | ACK)), ethernet(tcp(back, FIN | ACK))]

    assert observe(frames, "scan") == []


def test_one_port_of_many_silent_hosts_is_a_scan() -> None:
    frames = [one for host in range(1, 31) for one in attempt(f"10.9.0.{host}", 445)]
    (found,) = observe(frames, "scan")

    assert (found["scan_kind"], found["id.resp_p"], found["last_state"]) == ("hosts", 445, "S0")


def test_a_growing_scan_is_told_again_each_time_it_doubles() -> None:
    frames = [one for port in range(1, 201) for one in attempt(THEM, port, is_refused=True)]

    assert [one["target_count"] for one in observe(frames, "scan")] == [25, 50, 100, 200]


def test_few_or_successful_connections_are_no_scan() -> None:
    few = [one for port in range(1, 25) for one in attempt(THEM, port)]
    served = [
        one
        for host in range(1, 60)
        for one in conversation((US, 40_000, f"10.9.0.{host}", 443), [(0, b"x"), (1, b"y")])
    ]

    assert observe(few + served, "scan") == []


def test_slow_attempts_are_not_one_scan() -> None:
    pause = limits.SCAN_SECONDS / 10
    frames = [(port * pause, attempt(THEM, port)[0]) for port in range(1, 60)]

    assert observe(frames, "scan") == []


def calls(moments: list[float], port: int = 8443) -> list[tuple[float, bytes]]:
    return [
        (moment + number / 1_000, frame)
        for moment in moments
        for number, frame in enumerate(
            conversation(
                (US, 10_000 + int(moment) % 50_000, THEM, port), [(0, b"x" * 50), (1, b"ok")]
            )
        )
    ]


def test_calls_at_regular_intervals_are_a_beacon() -> None:
    random = Random(3)
    (found,) = observe(calls([60 * n + random.uniform(-3, 3) + 10 for n in range(15)]), "beacon")

    assert (found["id.orig_h"], found["id.resp_h"], found["id.resp_p"]) == (US, THEM, 8443)
    assert 55 < found["interval"] < 65
    assert found["jitter"] <= limits.BEACON_JITTER_MAX
    assert (found["count"], found["orig_bytes_median"]) == (10, 50)


def test_calls_as_people_make_them_are_no_beacon() -> None:
    random, moments = Random(3), [1.0]
    for _ in range(40):
        moments.append(moments[-1] + random.expovariate(1 / 60) + 1)

    assert observe(calls(moments), "beacon") == []


@pytest.mark.parametrize("seconds", [1, 4])
def test_a_program_at_work_is_no_beacon(seconds: int) -> None:
    assert observe(calls([n * seconds for n in range(40)]), "beacon") == []


def test_clocks_that_are_set_by_the_network_are_no_beacon() -> None:
    frames = [(64 * n, ethernet(udp(US, 123, THEM, 123, bytes(48)))) for n in range(30)]

    assert observe(frames, "beacon") == []


def test_regularity_needs_two_moments() -> None:
    assert regularity([1]) is None
    assert regularity([]) is None


def test_what_is_remembered_of_scans_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SCAN_TARGETS_ALL_MAX", 50)
    scans = Scans()
    flows = [
        Flow(
            Packet(17, bytes((10, 0, 0, source)), b"\x0a\1\1\1", 40, 0, 50_000, port),
            1,
            is_answer=False,
        )
        for source in range(40)
        for port in range(10)
    ]
    for flow in flows:
        scans.see(flow)

    assert scans.evicted > 0
    assert sum(map(len, scans._ports.values())) == scans._held <= 50
    assert (
        set(scans._sources) == {key[0] for key in scans._ports} == {key[0] for key in scans._hosts}
    )


def test_targets_of_known_sources_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SCAN_TARGETS_ALL_MAX", 50)
    scans = Scans()
    for port in range(30):  # every source is known after the first round
        for source in range(20):
            ends = bytes((10, 0, 0, source)), b"\x0a\1\1\1"
            scans.see(Flow(Packet(17, *ends, 40, 0, 50_000, port), 1, is_answer=False))
            assert scans._held <= 50

    assert sum(map(len, scans._ports.values())) == scans._held
