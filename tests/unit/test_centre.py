"""What the parts of one process share with those of another."""

import secrets
from pathlib import Path

import pytest

from cgii.base.settings import load
from cgii.centre import Centre


def test_of_two_that_start_at_once_on_empty_data_both_have_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, found = load(data=tmp_path), []

    def another_starts(length: int) -> str:
        monkeypatch.undo()
        other = Centre(settings)
        found.append(other.secret)
        other.close()
        return secrets.token_urlsafe(length)

    monkeypatch.setattr("cgii.centre.secrets.token_urlsafe", another_starts)
    centre = Centre(settings)
    found.append(centre.secret)
    centre.close()

    assert found[0] == found[1] != b""
    assert [path.name for path in tmp_path.glob("secret*")] == ["secret"]
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
