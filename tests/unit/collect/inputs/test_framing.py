"""Syslog over TCP comes out as the messages that were sent, however it is cut."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cgii.collect.inputs.framing import Framer

LIMIT = 20


def frames(pieces: list[bytes]) -> list[bytes]:
    framer = Framer(LIMIT)
    return [line for piece in pieces for line in framer.feed(piece)] + framer.end()


def test_counted_messages_may_hold_line_ends() -> None:
    assert frames([b"7 <13>a\nb4 <1>c"]) == [b"<13>a\nb", b"<1>c"]


def test_lines_and_counted_messages_may_follow_each_other() -> None:
    assert frames([b"<13>one\r\n6 <13>ab\n<13>two\n"]) == [b"<13>one", b"<13>ab", b"<13>two"]


def test_a_line_that_begins_with_a_date_is_not_counted() -> None:
    assert frames([b"2026 x <a>\n12\n"]) == [b"2026 x <a>", b"12"]


def test_the_last_line_needs_no_end() -> None:
    assert frames([b"<13>one\n<13>tw", b"o"]) == [b"<13>one", b"<13>two"]


def test_a_message_over_the_limit_comes_once_and_cut() -> None:
    long = b"<13>" + b"x" * 100
    assert frames([b"104 " + long + b"<1>next\n"]) == [long[: LIMIT + 1], b"<1>next"]
    assert frames([long + b"\n<1>next\n"]) == [long[: LIMIT + 1], b"<1>next"]


def test_a_count_that_never_comes_keeps_little() -> None:
    framer = Framer(LIMIT)
    found = framer.feed(b"999999999 <13>")
    for _ in range(1_000):
        found += framer.feed(b"y" * 1_000)
    assert found == [(b"<13>" + b"y" * LIMIT)[: LIMIT + 1]]
    assert len(framer._kept) == 0
    assert framer.end() == []


MESSAGE = st.binary(max_size=LIMIT - 4).map(lambda data: b"<13>" + data.replace(b"\n", b" "))


@given(st.lists(st.tuples(MESSAGE, st.booleans()), max_size=6), st.lists(st.integers(0, 60)))
def test_any_cut_of_the_stream_gives_the_same_messages(
    messages: list[tuple[bytes, bool]], cuts: list[int]
) -> None:
    stream = b"".join(
        str(len(data)).encode() + b" " + data if counted else data + b"\n"
        for data, counted in messages
    )
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert frames(pieces) == [data if counted else data.rstrip(b"\r") for data, counted in messages]


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes_are_bounded_and_never_raise(pieces: list[bytes]) -> None:
    framer = Framer(LIMIT)
    for piece in pieces:
        assert all(len(line) <= LIMIT + 1 for line in framer.feed(piece))
        assert len(framer._kept) <= LIMIT + 12
    framer.end()
