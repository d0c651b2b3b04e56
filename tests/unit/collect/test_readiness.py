"""What `cgii collect check` says of the files of a pattern."""

from pathlib import Path

import pytest

from cgii.collect.input_config import FollowConfig
from cgii.collect.readiness import _files


def test_more_names_than_anybody_looks_at_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.FOLLOW_LOOKED_AT_MAX", 2)
    pattern = FollowConfig(source="syslog", path=tmp_path / "*.log")
    for number in range(2):
        (tmp_path / f"{number}.log").touch()
    assert _files(pattern).is_good
    (tmp_path / "2.log").touch()
    told = _files(pattern)
    assert (told.is_good, "más de 2 nombres" in told.sentence) == (False, True)
