"""Lines come out the same however the bytes arrive."""

from hypothesis import given
from hypothesis import strategies as st

from cgii.collect.lines import LineCutter

LIMIT = 8


def cut(pieces: list[bytes]) -> list[tuple[bytes, int]]:
    cutter = LineCutter(LIMIT)
    return [line for piece in pieces for line in cutter.feed(piece)] + cutter.end()


@given(st.lists(st.binary(max_size=6) | st.sampled_from([b"\n", b"a\nb", b"x" * 30]), max_size=20))
def test_pieces_do_not_matter(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    wanted = whole.split(b"\n")
    last = wanted.pop()
    found = [(line[: LIMIT + 1], len(line) + 1) for line in wanted]
    assert cut(pieces) == found + ([(last[: LIMIT + 1], len(last))] if last else [])
    assert sum(size for _, size in cut(pieces)) == len(whole)


def test_a_long_line_keeps_little_in_memory() -> None:
    cutter = LineCutter(LIMIT)
    for _ in range(1_000):
        assert cutter.feed(b"x" * 1_000) == []
    assert cutter.pending == 1_000_000
    assert len(cutter._kept) == LIMIT + 1
    assert cutter.feed(b"\nnext\n") == [(b"x" * (LIMIT + 1), 1_000_001), (b"next", 5)]
