"""A table of `make bench` says of each figure with a goal whether it is reached."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import figures
from tests.benchmarks.figures import Figure, show


def test_a_missed_goal_is_told_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figures, "ARTIFACTS", tmp_path)
    show("Prueba: cuatro", [
        Figure("soon", 5.0, "s", "empty 1 s", at_most=5),
        Figure("late", 5.1, "s", at_most=5),
        Figure("few", 9_999.0, "events/s", at_least=10_000),
        Figure("nothing", float("nan"), "s", at_most=5),
        Figure("free", 1e9, "s"),
    ])  # fmt: skip

    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[3:]}
    assert lines["soon"].endswith("empty 1 s; goal: at most 5")
    assert lines["late"].endswith("GOAL MISSED: at most 5")
    assert lines["few"].endswith("GOAL MISSED: at least 10,000")
    assert "goal" not in lines["free"].lower()
    assert lines["GOALS"].strip() == "GOALS MISSED: late, few, nothing"
    kept = json.loads((tmp_path / "bench-prueba.json").read_text())
    assert [one["at_most"] for one in kept["figures"]] == [5, 5, None, 5, None]


@pytest.mark.parametrize("value", [1.0, 2.0])
def test_a_goal_is_reached_at_its_limit(value: float) -> None:
    assert Figure("x", value, "s", at_most=value, at_least=value).verdict == (
        f"goal: at most {value:g}; goal: at least {value:g}"
    )
