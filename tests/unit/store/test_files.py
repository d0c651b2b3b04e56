"""Evidence files: named by content, complete or absent."""

import hashlib
import io
from pathlib import Path

import pytest

from cgii.base.errors import Invalid, NotFound, Unavailable
from cgii.store.files import Stored, open_stored, save, verify

CONTENT = b"MZ evidence" * 200_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Broken:
    """A stream whose sender goes away in the middle."""

    def __init__(self) -> None:
        self.left = 3

    def read(self, size: int) -> bytes:
        self.left -= 1
        if self.left == 0:
            raise ConnectionResetError
        return b"x" * size


def test_a_file_is_kept_under_its_digest(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    assert save(io.BytesIO(CONTENT), folder) == Stored(DIGEST, len(CONTENT))
    assert [path.name for path in folder.iterdir()] == [DIGEST]
    with open_stored(folder, DIGEST) as file:
        assert file.read() == CONTENT
    assert verify(folder, DIGEST)


def test_a_kept_file_cannot_be_executed_or_read_by_others(tmp_path: Path) -> None:
    stored = save(io.BytesIO(b"#!/bin/sh"), tmp_path)
    assert (tmp_path / stored.sha256).stat().st_mode & 0o777 == 0o600


def test_the_same_content_twice_is_one_file(tmp_path: Path) -> None:
    save(io.BytesIO(CONTENT), tmp_path)
    save(io.BytesIO(CONTENT), tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    stored = save(io.BytesIO(CONTENT), tmp_path)
    with (tmp_path / stored.sha256).open("r+b") as file:
        file.write(b"XX")
    assert not verify(tmp_path, stored.sha256)


def test_too_much_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    assert save(io.BytesIO(b"x" * 10), tmp_path / "a", max_bytes=10).size == 10
    with pytest.raises(Invalid):
        save(io.BytesIO(b"x" * 11), tmp_path / "b", max_bytes=10)
    assert list((tmp_path / "b").iterdir()) == []


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        save(io.BytesIO(b""), tmp_path)


def test_a_sender_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        save(Broken(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "/etc/passwd", "a" * 63, DIGEST.upper(), DIGEST + "\n", DIGEST]
)
def test_a_name_that_is_no_kept_digest_leads_nowhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        open_stored(tmp_path, name)
