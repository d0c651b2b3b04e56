"""NetFlow v5, v9 and IPFIX are read; templates are waited for, losses counted, nothing grows."""

import struct

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base import limits
from cgii.collect.packets.netflow import Exporters
from tests.make_netflow import (
    FIELDS,
    flow_5,
    ipfix,
    one_set,
    record,
    template,
    version_5,
    version_9,
)
from tests.make_packets import START

ROUTER = "10.20.0.1"
FLOW = flow_5("10.20.1.44", "203.0.113.9")


def test_version_5_is_read() -> None:
    (found,) = Exporters().read(version_5([FLOW]), ROUTER)

    assert (found["src_ip"], found["src_port"]) == ("10.20.1.44", 50_000)
    assert (found["dst_ip"], found["dst_port"]) == ("203.0.113.9", 443)
    assert (found["bytes"], found["packets"], found["proto"]) == (900, 10, "tcp")
    assert (found["first"], found["last"], found["ts"]) == (START - 3, START - 1, START - 1)
    assert (found["exporter"], found["netflow_version"], found["tcp_flags"]) == (ROUTER, 5, 0x1B)


def test_sampling_is_told_and_counts_are_left_as_they_are() -> None:
    (found,) = Exporters().read(version_5([FLOW], sampling=0x4000 | 1_000), ROUTER)

    assert (found["sampling_interval"], found["bytes"]) == (1_000, 900)


@pytest.mark.parametrize("make", [version_9, ipfix])
def test_records_are_read_by_their_template(make: type) -> None:
    kind = 0 if make is version_9 else 2
    exporters = Exporters()
    data = make(template(256, FIELDS, kind), one_set(256, record() + record(port=22)))
    found = exporters.read(data, ROUTER)

    assert [(one["src_ip"], one["dst_port"], one["bytes"]) for one in found] == [
        ("10.20.1.44", 443, 900), ("10.20.1.44", 22, 900),
    ]  # fmt: skip


def test_the_uptime_of_version_9_becomes_a_moment() -> None:
    data = version_9(template(256, FIELDS), one_set(256, record()))
    (found,) = Exporters().read(data, ROUTER)

    assert (found["first"], found["last"]) == (START - 3, START - 1)


def test_an_uptime_that_began_again_is_understood() -> None:
    from cgii.collect.packets.flow_fields import Moment

    assert Moment(9, 1_000.0, 500).of_uptime(2**32 - 500) == 999.0


def test_records_wait_for_their_template() -> None:
    exporters = Exporters()

    assert exporters.read(version_9(one_set(256, record())), ROUTER) == []
    (found,) = exporters.read(version_9(template(256, FIELDS), sequence=1), ROUTER)
    assert found["dst_port"] == 443
    assert exporters.unexplained == 0


def test_what_waits_in_vain_gives_way_and_is_counted() -> None:
    exporters = Exporters()
    for number in range(limits.NETFLOW_WAITING_SETS_MAX + 7):
        exporters.read(version_9(one_set(300, record()), sequence=number), ROUTER)

    assert exporters.unexplained == 7


def test_templates_are_of_one_exporter_and_domain() -> None:
    exporters = Exporters()
    exporters.read(version_9(template(256, FIELDS)), ROUTER)

    assert exporters.read(version_9(one_set(256, record()), domain=9), ROUTER) == []
    assert exporters.read(version_9(one_set(256, record())), "10.20.0.2") == []
    assert len(exporters.read(version_9(one_set(256, record()), sequence=1), ROUTER)) == 1


def test_a_template_may_change() -> None:
    exporters = Exporters()
    exporters.read(version_9(template(256, FIELDS)), ROUTER)
    data = version_9(
        template(256, [(8, 4), (1, 8)]), one_set(256, b"\x0a\0\0\1" + b"\xff" * 8), sequence=1
    )
    (found,) = exporters.read(data, ROUTER)

    assert (found["src_ip"], found["bytes"]) == ("10.0.0.1", 2**64 - 1)


def test_sampling_comes_from_options_too() -> None:
    exporters = Exporters()
    options = one_set(1, struct.pack(">HHH", 257, 4, 4) + struct.pack(">HHHH", 1, 4, 34, 4))
    exporters.read(version_9(options, one_set(257, struct.pack(">II", 1, 512))), ROUTER)
    data = version_9(template(256, FIELDS), one_set(256, record()), sequence=1)

    assert exporters.read(data, ROUTER)[0]["sampling_interval"] == 512


def test_fields_of_makers_and_of_variable_length_are_passed_over() -> None:
    fields = struct.pack(">HHIHHHHHH", 0x8000 | 5, 0xFFFF, 9, 82, 0xFFFF, 8, 4, 1, 4)
    layout = one_set(2, struct.pack(">HH", 256, 4) + fields)
    data = b"\3abc" + b"\xff\1\0" + bytes(256) + b"\x0a\0\0\1" + bytes(4)
    (found,) = Exporters().read(ipfix(layout, one_set(256, data)), ROUTER)

    assert found["src_ip"] == "10.0.0.1"


def test_milliseconds_of_ipfix_become_moments() -> None:
    layout = template(256, [(8, 4), (152, 8), (153, 8)], 2)
    times = struct.pack(">QQ", START * 1_000 - 500, START * 1_000)
    (found,) = Exporters().read(ipfix(layout, one_set(256, b"\x0a\0\0\1" + times)), ROUTER)

    assert (found["first"], found["ts"]) == (START - 0.5, START)


def test_numbers_that_are_missing_are_losses() -> None:
    exporters = Exporters()
    exporters.read(version_5([FLOW, FLOW], sequence=100), ROUTER)
    exporters.read(version_5([FLOW], sequence=102), ROUTER)
    assert exporters.lost == 0
    exporters.read(version_5([FLOW], sequence=110), ROUTER)
    assert exporters.lost == 7
    exporters.read(version_9(sequence=5), ROUTER)
    exporters.read(version_9(sequence=8), ROUTER)
    assert exporters.lost == 9


def test_an_exporter_that_began_again_lost_nothing() -> None:
    exporters = Exporters()
    exporters.read(version_5([FLOW], sequence=1_000_000), ROUTER)
    exporters.read(version_5([FLOW], sequence=0), ROUTER)

    assert exporters.lost == 0


def test_high_numbers_of_version_9_are_fields_as_others() -> None:
    """Firewalls put 33000 and 56701 between the others, without the number of a maker."""
    fields = [(33_000, 12), (8, 4), (12, 4), (56_701, 32), (1, 4)]
    flow = bytes(12) + b"\x0a\0\0\1" + b"\xcb\0\x71\x09" + b"ssl".ljust(32, b"\0")
    exporters = Exporters()
    data = version_9(template(256, fields), one_set(256, flow + struct.pack(">I", 900)))
    (found,) = exporters.read(data, ROUTER)

    assert (found["src_ip"], found["dst_ip"], found["bytes"]) == ("10.0.0.1", "203.0.113.9", 900)
    assert exporters.malformed == 0


UPTIMES = [(8, 4), (22, 4), (21, 4)]
OLD_FLOW = b"\x0a\0\0\1" + struct.pack(">II", 5_000, 7_000)  # ended 7 s after the start


def test_uptimes_of_ipfix_count_from_the_start_that_the_record_names() -> None:
    layout = template(256, [*UPTIMES, (160, 8)], 2)
    started = struct.pack(">Q", (START - 10) * 1_000)
    (found,) = Exporters().read(ipfix(layout, one_set(256, OLD_FLOW + started)), ROUTER)

    assert (found["first"], found["last"], found["ts"]) == (START - 5, START - 3, START - 3)
    assert "started_ms" not in found


def test_uptimes_of_ipfix_count_from_the_start_that_options_name() -> None:
    exporters = Exporters()
    options = one_set(3, struct.pack(">HHH", 257, 2, 1) + struct.pack(">HHHH", 149, 4, 160, 8))
    said = one_set(257, struct.pack(">IQ", 0, (START - 10) * 1_000))
    data = ipfix(options, said, template(256, UPTIMES, 2), one_set(256, OLD_FLOW))

    assert exporters.read(data, ROUTER)[0]["last"] == START - 3


def test_uptimes_of_ipfix_whose_start_is_unknown_say_no_moment() -> None:
    data = ipfix(template(256, UPTIMES, 2), one_set(256, OLD_FLOW))
    (found,) = Exporters().read(data, ROUTER)

    assert found["ts"] == START
    assert not {"first", "last"} & set(found)


NTP = (START + 2_208_988_800) << 32


@pytest.mark.parametrize(
    ("fields", "values", "ends"),
    [
        ([(154, 8), (155, 8)], struct.pack(">QQ", NTP - 2**31, NTP), (START - 0.5, START)),
        ([(156, 8), (157, 8)], struct.pack(">QQ", NTP - 2**31, NTP), (START - 0.5, START)),
        ([(158, 4), (159, 4)], struct.pack(">II", 2_500_000, 500_000), (START - 2.5, START - 0.5)),
    ],
)  # fmt: skip
def test_other_ways_to_say_a_moment_are_read(
    fields: list[tuple[int, int]], values: bytes, ends: tuple[float, float]
) -> None:
    data = ipfix(template(256, [(8, 4), *fields], 2), one_set(256, b"\x0a\0\0\1" + values))
    (found,) = Exporters().read(data, ROUTER)

    assert (found["first"], found["last"], found["ts"]) == (*ends, ends[1])


def test_the_moment_of_an_event_without_an_end_is_when_it_was_seen() -> None:
    layout = template(256, [(8, 4), (323, 8)], 2)
    at = struct.pack(">Q", START * 1_000 - 250)
    (found,) = Exporters().read(ipfix(layout, one_set(256, b"\x0a\0\0\1" + at)), ROUTER)

    assert (found["ts"], "seen" in found) == (START - 0.25, False)


def test_records_of_options_count_in_the_numbers_of_ipfix() -> None:
    exporters = Exporters()
    options = one_set(3, struct.pack(">HHH", 257, 2, 1) + struct.pack(">HHHH", 149, 4, 34, 4))
    layouts = ipfix(options, template(256, FIELDS, 2))
    said = one_set(257, struct.pack(">II", 0, 100) * 2)
    exporters.read(layouts, ROUTER)
    exporters.read(ipfix(said, one_set(256, record())), ROUTER)
    exporters.read(ipfix(one_set(256, record()), sequence=3), ROUTER)

    assert exporters.lost == 0
    exporters.read(ipfix(one_set(256, record()), sequence=6), ROUTER)
    assert exporters.lost == 2


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (0, 3, 2, 1, 4), (0, 2, 3, 1, 4)])
def test_datagrams_that_overtake_each_other_are_no_loss(order: tuple[int, ...]) -> None:
    exporters = Exporters()
    for number in order:
        exporters.read(version_5([FLOW, FLOW], sequence=2 * number), ROUTER)

    assert exporters.lost == 0
    exporters.read(version_5([FLOW], sequence=2 * len(order) + 5), ROUTER)
    assert exporters.lost == 5


@pytest.mark.parametrize(
    ("elements", "values"),
    [((305, 306), (1, 999)), ((305, 306), (10, 9_990)), ((309, 310), (2, 2_000)),
     ((305,), (1_000,))],
)  # fmt: skip
def test_each_way_to_say_one_in_how_many_is_understood(
    elements: tuple[int, ...], values: tuple[int, ...]
) -> None:
    exporters = Exporters()
    layout = struct.pack(">HHH", 257, 1 + len(elements), 1) + struct.pack(">HH", 149, 4)
    layout += b"".join(struct.pack(">HH", one, 4) for one in elements)
    said = one_set(257, struct.pack(f">{1 + len(values)}I", 0, *values))
    data = ipfix(one_set(3, layout), said, template(256, FIELDS, 2), one_set(256, record()))

    assert exporters.read(data, ROUTER)[0]["sampling_interval"] == 1_000


@pytest.mark.parametrize("elements", [(305, 306), (309, 310), (305, 34)])
def test_an_interval_that_is_none_does_not_take_the_flows_with_it(
    elements: tuple[int, ...],
) -> None:
    exporters = Exporters()
    layout = struct.pack(">HHH", 257, 3, 1) + struct.pack(">HH", 149, 4)
    layout += b"".join(struct.pack(">HH", one, 8) for one in elements)
    said = one_set(257, struct.pack(">IQQ", 0, 1, 2**64 - 1))
    data = ipfix(one_set(3, layout), said, template(256, FIELDS, 2), one_set(256, record()))
    (found,) = exporters.read(data, ROUTER)

    assert "sampling_interval" not in found
    assert orjson.dumps(found)


def test_each_sampler_has_its_interval() -> None:
    exporters = Exporters()
    layout = struct.pack(">HHH", 257, 4, 8) + struct.pack(">HHHHHH", 1, 4, 48, 1, 50, 4)
    said = one_set(257, b"".join(struct.pack(">IBI", 0, *one) for one in ((1, 100), (2, 2_000))))
    layout_9 = template(256, [*FIELDS, (48, 1)])
    flows = one_set(256, record() + b"\1" + record() + b"\2")
    found = exporters.read(version_9(one_set(1, layout), said, layout_9, flows), ROUTER)

    assert [one["sampling_interval"] for one in found] == [100, 2_000]
    assert "sampler" not in found[0]


def test_of_two_addresses_the_one_that_is_used_is_told() -> None:
    layout = template(256, [(8, 4), (12, 4), (27, 16), (28, 16), (1, 4), (231, 4)])
    six = bytes.fromhex("20010db8000000000000000000000001")
    flow = bytes(8) + six + six[:-1] + b"\2" + struct.pack(">II", 0, 77)
    (found,) = Exporters().read(version_9(layout, one_set(256, flow)), ROUTER)

    assert (found["src_ip"], found["dst_ip"]) == ("2001:db8::1", "2001:db8::2")
    assert found["bytes"] == 77


def test_exporters_and_templates_are_bounded() -> None:
    exporters = Exporters()
    for number in range(limits.NETFLOW_DOMAINS_MAX + 50):
        exporters.read(version_9(domain=number), ROUTER)
    for number in range(256, 256 + limits.NETFLOW_TEMPLATES_MAX + 50):
        exporters.read(version_9(template(number, FIELDS)), "10.0.0.9")

    assert len(exporters.domains) == limits.NETFLOW_DOMAINS_MAX
    assert len(exporters.domains["10.0.0.9", 9, 0].templates) == limits.NETFLOW_TEMPLATES_MAX


def test_templates_are_bounded_over_all_exporters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "NETFLOW_ALL_FIELDS_MAX", 1_000)
    exporters = Exporters()
    fields = [(8, 4), (12, 4), *((90 + number, 1) for number in range(98))]
    for domain in range(30):
        for number in range(256, 260):
            exporters.read(version_9(template(number, fields), domain=domain), ROUTER)
    kept = [one for domain in exporters.domains.values() for one in domain.templates.values()]

    assert exporters.fields == sum(len(one.fields) for one in kept) == 1_000
    assert len(exporters.domains[ROUTER, 9, 29].templates) == 4  # the newest are known
    assert not exporters.domains[ROUTER, 9, 0].templates
    for domain in range(1_000, 1_000 + limits.NETFLOW_DOMAINS_MAX):
        exporters.read(version_9(domain=domain), ROUTER)
    assert exporters.fields == 0


@pytest.mark.parametrize("fields", [[(8, 0)], [(8, 0)] * 255 + [(4, 1)], [(8, 4), (4, 1)]])
def test_a_template_of_almost_no_bytes_is_refused(fields: list[tuple[int, int]]) -> None:
    exporters = Exporters()
    data = ipfix(template(256, fields, 2), one_set(256, bytes(60_000)))

    assert exporters.read(data, ROUTER) == []
    assert exporters.malformed == 1


def test_fields_of_no_bytes_are_left_out_of_a_template() -> None:
    exporters = Exporters()
    data = ipfix(template(256, [(4, 0), (8, 4), (1, 0), (4, 4)], 2), one_set(256, bytes(8)))

    assert exporters.read(data, ROUTER)[0]["src_ip"] == "0.0.0.0"
    assert exporters.domains[ROUTER, 10, 0].templates[256].fields == ((8, 4), (4, 4))


def test_one_datagram_brings_so_many_records_and_the_surplus_is_counted() -> None:
    exporters = Exporters()
    short = [(8, 4), (1, 4)]
    data = version_9(template(256, short), *(one_set(256, bytes(8 * 1_500)) for _ in range(3)))

    assert len(exporters.read(data, ROUTER)) == limits.NETFLOW_RECORDS_MAX
    assert exporters.surplus == 4_500 - limits.NETFLOW_RECORDS_MAX


@pytest.mark.parametrize("is_options", [False, True])
def test_the_same_holds_for_what_waited_for_its_template(*, is_options: bool) -> None:
    exporters = Exporters()
    for number in range(5):
        exporters.read(version_9(one_set(256, bytes(8_000)), sequence=number), ROUTER)
    options = one_set(1, struct.pack(">HHHHHHH", 256, 4, 4, 1, 4, 34, 4))
    last = options if is_options else template(256, [(8, 4), (1, 4)])
    found = exporters.read(version_9(last, sequence=5), ROUTER)

    assert len(found) == (0 if is_options else limits.NETFLOW_RECORDS_MAX)
    assert exporters.surplus == 5_000 - limits.NETFLOW_RECORDS_MAX
    assert (exporters.lost, exporters.held) == (0, 0)


def test_what_waits_is_bounded_in_bytes_over_all_exporters() -> None:
    exporters = Exporters()
    sent = 0
    for domain in range(100):
        for _ in range(6):
            exporters.read(version_9(one_set(256, bytes(60_000)), domain=domain), ROUTER)
            sent += 1
    waiting = [body for one in exporters.domains.values() for _, body, _ in one.waiting]

    assert 8_000_000 < sum(map(len, waiting)) <= limits.NETFLOW_WAITING_BYTES_MAX
    assert exporters.unexplained == sent - len(waiting)
    exporters.read(version_9(template(256, FIELDS), domain=99), ROUTER)
    assert not exporters.domains[ROUTER, 9, 99].waiting
    for domain in range(1_000, 1_000 + limits.NETFLOW_DOMAINS_MAX):
        exporters.read(version_9(domain=domain), ROUTER)
    assert exporters.held == 0


@given(st.lists(st.binary(max_size=200), max_size=5), st.sampled_from([5, 9, 10, None]))
def test_no_datagram_makes_the_reader_fail(datagrams: list[bytes], version: int | None) -> None:
    exporters = Exporters()
    for data in datagrams:
        head = b"" if version is None else struct.pack(">H", version)
        exporters.read(head + data, ROUTER)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=6))
def test_no_changed_byte_makes_the_reader_fail(changes: list[tuple[int, int]]) -> None:
    exporters = Exporters()
    for whole in (
        version_5([FLOW] * 3),
        version_9(template(256, FIELDS), one_set(256, record() * 3)),
        ipfix(template(256, [*FIELDS, (82, 0xFFFF)], 2), one_set(256, record() + b"\2ab")),
    ):
        broken = bytearray(whole)
        for at, value in changes:
            broken[at % len(broken)] = value
        exporters.read(bytes(broken), ROUTER)


def test_a_broken_set_that_waited_is_given_up_and_takes_no_other_with_it() -> None:
    exporters = Exporters()
    whole = b"\x0a\0\0\1" + bytes(4) + b"\2ab"
    exporters.read(version_9(one_set(256, whole[:8] + b"\xff" * 4)), ROUTER)
    exporters.read(version_9(one_set(256, whole), sequence=1), ROUTER)
    layout = template(256, [(8, 4), (4, 4), (82, 0xFFFF)])

    assert len(exporters.read(version_9(layout, sequence=2), ROUTER)) == 1
    assert (exporters.malformed, exporters.held) == (1, 0)
    assert not exporters.domains[ROUTER, 9, 0].waiting
