"""Records of several lines and records under a heading: the same in whatever pieces they come."""

import itertools
import os
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base import limits
from cgii.base.counters import EVENTS_DROPPED
from cgii.collect.inputs.follow import FollowedFile
from cgii.collect.shapes import (
    LINES,
    Cut,
    RecordCutter,
    Shape,
    indented_lines_continue,
    stays_open,
)

HEADED = Shape(heads=re.compile(rb"#").match)
QUOTED = Shape(heads=re.compile(rb"#").match, quoted=b",")
DATED = Shape(begins=re.compile(rb"\d{4}-").match)
INDENTED = Shape(begins=indented_lines_continue)
PARTS = st.sampled_from(
    [
        b"#a\tb\n",
        b"#c\r\n",
        b"2026-1 uno\n",
        b"2026-2\r\n",
        b"  at x\n",
        b"\n",
        b"otra\n",
        b"  \n",
        b'"x\n',
        b'1,"y\r\n',
        b'z",2\n',
        b'"a""b",c\n',
        b'5" de alto\n',
    ]
)


def cut(shape: Shape, *pieces: bytes) -> Cut:
    cutter = shape.cutter()
    return [one for piece in pieces for one in cutter.feed(piece)] + cutter.end()


def records(found: Cut) -> list[bytes]:
    return [data for data, _ in found if data]


def test_a_record_goes_on_to_where_the_next_begins() -> None:
    found = records(cut(DATED, b"2026-1 error\n  at a\n  at b\r\n2026-2 ok\n"))

    assert found == [b"2026-1 error\n  at a\n  at b", b"2026-2 ok"]
    assert records(cut(INDENTED, b"a\n\tb\nc\n")) == [b"a\n\tb", b"c"]


def test_what_stands_before_the_first_beginning_is_a_record() -> None:
    assert records(cut(DATED, b"  at a\n  at b\n2026-1\n")) == [b"  at a\n  at b", b"2026-1"]


def test_every_record_carries_the_heading_above_it() -> None:
    found = records(cut(HEADED, b"\xef\xbb\xbf#a\r\n#b\nuno\n\ndos\r\n#c\ntres\n#d\n"))

    assert found == [b"#a\n#b\nuno", b"#a\n#b\ndos", b"#c\ntres"]


def test_a_quoted_value_may_have_line_breaks() -> None:
    found = cut(QUOTED, b'#a,b\n1,"dos\r\n\ntres ""o"" ",x\n"4",5\n')

    assert records(found) == [b'#a,b\n1,"dos\r\rtres ""o"" ",x', b'#a,b\n"4",5']
    assert len(found) == 5, "each line has one result"


@pytest.mark.parametrize("spoiled", [b'5" de alto,1', b'"a"b"c,1', b'a,b"'])
def test_a_quote_within_a_value_opens_nothing(spoiled: bytes) -> None:
    assert records(cut(QUOTED, b"#a,b\n" + spoiled + b"\nx,y\n"))[1] == b"#a,b\nx,y"


def test_a_quote_that_nothing_closes_spoils_its_own_line_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "QUOTED_LINES_MAX", 3)
    alone = [b'#a\n"uno', b"#a\ndos", b"#a\ntres"]

    assert records(cut(QUOTED, b'#a\n"uno\ndos\ntres\n"x\ny"\n')) == [*alone, b'#a\n"x\ry"']
    assert records(cut(QUOTED, b'#a\n"uno\ndos\n#b\n1\n')) == [*alone[:2], b"#b\n1"]
    assert records(cut(QUOTED, b'#a\n"uno\ndos')) == alone[:2]


def test_an_open_quote_takes_no_more_than_a_record_may_have() -> None:
    line = b"x" * 99_999 + b"\n"
    found = records(cut(QUOTED, b'#a\n"uno\n', line * 4, b'"2"\n'))

    assert [len(one) for one in found] == [7, *[100_002] * 4, 6]


def test_quotes_that_nothing_closes_are_looked_through_a_bounded_number_of_times() -> None:
    lines = 3 * limits.QUOTED_LINES_MAX
    with patch("cgii.collect.shapes.stays_open", wraps=stays_open) as looks:
        found = cut(QUOTED, b"#a,b\n", b'x",y,"z\n' * 2, b'"x",y,"z\n', b'x",y,"z\n' * lines)

    assert len(records(found)) > lines
    assert looks.call_count <= 2 * (lines + 3) + limits.QUOTED_LINES_MAX


def test_a_heading_without_end_is_not_kept() -> None:
    long = b"#" + b"x" * 1_000 + b"\n"

    (found,) = records(cut(HEADED, long * 100, b"uno\n"))
    assert len(found) < limits.HEADING_BYTES_MAX + 100


def test_a_record_without_end_is_bounded_and_keeps_its_beginning() -> None:
    line = b"  " + b"x" * 998 + b"\n"
    found = cut(DATED, b"2026-1 inicio\n", line * 1_000, b"2026-2 fin\n")

    first, last = records(found)
    assert first.startswith(b"2026-1 inicio\n  xxx")
    assert first.endswith("x\n…".encode())
    assert len(first) <= limits.LINE_BYTES_MAX
    assert last == b"2026-2 fin"
    assert sum(size for _, size in found) == 14 + 1_001 * 1_000 + 11


def test_a_record_of_too_many_lines_loses_its_end_and_takes_no_other_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "RECORD_LINES_MAX", 3)
    lost = EVENTS_DROPPED.labels("file", "lines")
    before = lost._value.get()

    found = cut(DATED, b"2026-1\n  a\n  b\n  c\n\n  d\n2026-2\n")
    assert records(found) == [b"2026-1\n  a\n  b", b"2026-2"]
    assert len(found) == 7, "each line has one result"
    assert lost._value.get() - before == 2


@given(st.lists(PARTS, max_size=20), st.lists(st.integers(0, 200), max_size=6))
@pytest.mark.parametrize("shape", [HEADED, QUOTED, DATED, INDENTED, LINES])
def test_the_pieces_change_nothing(shape: Shape, parts: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(parts)
    places = sorted({0, *(place for place in cuts if place < len(whole)), len(whole)})
    pieces = [whole[start:end] for start, end in itertools.pairwise(places)]

    found = cut(shape, whole)
    assert cut(shape, *pieces) == found
    assert sum(size for _, size in found) == len(whole)
    assert len(found) == len(parts), "each line has one result"


@given(st.lists(PARTS, max_size=20), st.data())
@pytest.mark.parametrize("shape", [HEADED, QUOTED, DATED, INDENTED])
@pytest.mark.parametrize("lines_max", [limits.RECORD_LINES_MAX, 2])
def test_reading_goes_on_after_any_record(
    shape: Shape, lines_max: int, parts: list[bytes], data: st.DataObject
) -> None:
    with (
        patch.object(limits, "RECORD_LINES_MAX", lines_max),
        patch.object(limits, "QUOTED_LINES_MAX", min(lines_max, 100) + 1),
    ):
        goes_on_after_any_record(shape, parts, data)


def goes_on_after_any_record(shape: Shape, parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    found = cut(shape, whole)
    after = data.draw(st.integers(0, len(found)))
    # A place is kept after a record, never within one.
    while after < len(found) and found[after][1] == 0:
        after += 1
    offset = sum(size for _, size in found[:after])
    if shape.heads is None and after and not records(found[:after]):
        return

    cutter = shape.cutter()
    cutter.resume(offset, lambda size, place: whole[place : place + size])
    rest = cutter.feed(whole[offset:]) + cutter.end()
    assert records(rest) == records(found[after:])


# --- a followed file ----------------------------------------------------------------------------
def read(file: FollowedFile, polls: int = limits.FOLLOW_IDLE_POLLS + 2) -> list[tuple[int, bytes]]:
    return [(line.seq, line.data) for _ in range(polls) for line in file.poll()]


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_the_last_record_waits_for_its_end_but_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    append(path, b"2026-1 error\n  at a\n")
    file = FollowedFile(path, None, DATED)

    assert read(file, limits.FOLLOW_IDLE_POLLS - 1) == []
    append(path, b"  at b\n")
    assert read(file, limits.FOLLOW_IDLE_POLLS - 1) == [], "the waiting begins anew"
    assert read(file) == [(0, b"2026-1 error\n  at a\n  at b")]


def test_an_open_quote_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    append(path, b'#a,b\n1,"dos\n')
    file = FollowedFile(path, None, QUOTED)

    assert read(file, 50) == []
    append(path, b'tres"\n4,5\n')
    assert read(file) == [(0, b'#a,b\n1,"dos\rtres"'), (1, b"#a,b\n4,5")]


def test_a_line_that_is_half_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    append(path, b"2026-1 error\n  at")
    file = FollowedFile(path, None, DATED)

    assert read(file, 50) == []
    append(path, b" a\n2026-2\n")
    assert read(file) == [(0, b"2026-1 error\n  at a"), (1, b"2026-2")]


def test_what_comes_too_late_does_not_change_the_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    append(path, b"2026-1 error\n")
    file = FollowedFile(path, None, DATED)
    assert read(file) == [(0, b"2026-1 error")]
    append(path, b"  at a\n2026-2\n2026-3\n")
    assert read(file) == [(1, b"2026-2"), (2, b"2026-3")]

    again = read(FollowedFile(path, None, DATED))
    assert again == [(0, b"2026-1 error\n  at a"), (1, b"2026-2"), (2, b"2026-3")]


@pytest.mark.parametrize("shape", [HEADED, DATED])
@pytest.mark.parametrize("stop", range(6))
def test_after_a_restart_the_records_and_numbers_are_the_same(
    tmp_path: Path, shape: Shape, stop: int
) -> None:
    path = tmp_path / "x.log"
    lines = [b"#fields a\n", b"#types b\n", b"2026-1\n", b"2026-2\n", b" at x\n", b"#fields c\n",
             b"2026-3\n", b"2026-4\n", b" at y\n"]  # fmt: skip
    path.write_bytes(b"".join(lines))
    first = FollowedFile(path, None, shape)
    seen = [line for _ in range(20) for line in first.poll()]
    kept = seen[min(stop, len(seen) - 1)]

    second = FollowedFile(path, kept.after, shape)
    rest = [line for _ in range(20) for line in second.poll()]
    after = [(one.seq, one.data) for one in seen if one.seq > kept.seq]
    assert [(one.seq, one.data) for one in rest] == after


def test_a_renamed_file_is_read_to_the_end_of_its_last_record(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    append(path, b"2026-1\n  at a\n")
    file = FollowedFile(path, None, DATED)
    assert read(file, 1) == []
    path.rename(tmp_path / "x.log.1")
    append(path, b"2026-2\n2026-3\n")

    assert [data for _, data in read(file)] == [b"2026-1\n  at a", b"2026-2", b"2026-3"]


def test_a_file_that_was_only_closed_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.log"
    append(path, b"#fields a\n" + b"uno\n" * 100_000)
    file = FollowedFile(path, None, HEADED)
    assert len(read(file)) == 100_000
    sizes: list[int] = []

    def pread(descriptor: int, size: int, place: int) -> bytes:
        piece = real(descriptor, size, place)
        sizes.append(len(piece))
        return piece

    real = os.pread
    monkeypatch.setattr(os, "pread", pread)
    file.close()
    append(path, b"dos\n")

    assert read(file) == [(100_000, b"#fields a\ndos")]
    assert sum(sizes) < 5_000


def test_a_record_that_was_begun_outlives_a_close(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    append(path, b"2026-1 error\n  at a\n  at")
    file = FollowedFile(path, None, DATED)
    assert read(file, 1) == []
    file.close()
    append(path, b" b\n2026-2\n")

    assert read(file) == [(0, b"2026-1 error\n  at a\n  at b"), (1, b"2026-2")]


def test_a_file_rewritten_while_it_was_closed_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    append(path, b"#fields a\nuno\ndos")
    file = FollowedFile(path, None, HEADED)
    assert read(file, 1) == [(0, b"#fields a\nuno")]
    file.close()
    path.write_bytes(b"#fields b\ntres\n")

    assert read(file) == [(0, b"#fields b\ntres")]


def test_lines_are_given_as_they_come() -> None:
    cutter = RecordCutter(LINES)

    assert cutter.feed(b"a\nb") == [(b"a", 2)]
    assert (cutter.pending, cutter.rest()) == (1, [])
