"""What `cgii collect check` says of the files of a pattern, and of filters of captures."""

from pathlib import Path

import pytest

from cgii.base.errors import Invalid, Unavailable
from cgii.collect.input_config import FollowConfig, LiveConfig
from cgii.collect.packets import filters
from cgii.collect.packets.decode import ETHERNET
from cgii.collect.readiness import NOTHING, _files, _interface, _read_twice
from cgii.web.api import ingest
from cgii.web.senders import Sender


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


def test_a_filter_that_cannot_be_compiled_is_told() -> None:
    """It is no filter; where libpcap is missing none can be."""
    with pytest.raises((Invalid, Unavailable)) as problem:
        filters.compiled("tcp porto 80", ETHERNET)
    told = _interface(LiveConfig(interface="lo", filter="tcp porto 80"))
    assert not told.is_good
    assert str(problem.value) in told.sentence
    assert str(problem.value) not in _interface(LiveConfig(interface="lo")).sentence


def test_a_centre_that_knows_zones_refuses_the_batch_that_asks_for_its() -> None:
    with pytest.raises(Invalid) as refused:
        ingest._read(Sender(1, None), NOTHING, "gzip")
    assert refused.value.field == "zone"


@pytest.mark.parametrize(
    ("follows", "packed", "is_twice"),
    [
        ("apache2/*.log", "apache2/*.gz", True),
        ("apache2", "apache2/*.gz", True),
        ("apache2/access.log", "apache2/access.log.*.gz", True),
        ("apache2/*.log", "apache2/access.log-*.gz", True),
        ("apache2/*.log", "**/*.gz", True),
        ("apache2/*.log", "*.gz", False),
        ("apache2/*.log", "apache2/error.log.*.gz", False),
        ("apache2/*.log", "before/*.gz", False),
    ],
)
def test_packed_files_that_were_followed_before_are_told(
    tmp_path: Path, follows: str, packed: str, is_twice: bool
) -> None:
    (tmp_path / "apache2").mkdir()
    (tmp_path / "apache2" / "access.log").touch()
    both = [FollowConfig(source="web_access", path=tmp_path / one) for one in (follows, packed)]
    told = [found.name for found in _read_twice(both) if not found.is_good]
    assert told == [str(tmp_path / packed)] * is_twice
