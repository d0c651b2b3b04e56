"""What a collector lost is counted and told."""

from pathlib import Path

import orjson
import pytest

from cgii.collect import gaps

TABLE = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  512: 00000000:158A 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 {drops}
  513: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 99
"""  # noqa: E501  as the system writes it


def test_what_was_lost_is_told_once_with_its_number() -> None:
    gap = gaps.Gap("syslog_udp", gaps.FULL)
    assert gap.told() is None
    gap.add()
    gap.add(4)
    told = gap.told()
    assert told is not None
    found = orjson.loads(told)

    assert (found["kind"], found["input"], found["reason"]) == ("gap", "syslog_udp", "full")
    assert found["count"] == 5
    assert found["since"] <= found["time"]
    assert gap.told() is None


def test_what_the_system_dropped_is_read_for_the_own_port_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "udp"
    monkeypatch.setattr(gaps, "UDP_TABLES", (table, tmp_path / "absent"))
    table.write_text(TABLE.format(drops=7))
    losses = gaps.KernelLosses(5514)
    assert losses.new() == 0
    table.write_text(TABLE.format(drops=19))

    assert losses.new() == 12
    assert losses.new() == 0
    table.write_text("")
    assert losses.new() == 0


def test_a_name_that_is_no_text_can_be_told() -> None:
    told = orjson.loads(gaps.record("damage", "file", "size", file="/in/a\udcff.gz", n=1))

    assert (told["file"], told["n"]) == ("/in/a\\xff.gz", 1)
