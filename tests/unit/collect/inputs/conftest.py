"""What the tests of inputs that run by themselves share."""

from pathlib import Path

import pytest

from tests.unit.collect.inputs.collecting import QUICK, Kept


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and waits that would take seconds take moments."""
    for name, value in QUICK.items():
        monkeypatch.setattr(f"cgii.base.limits.{name}", value)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Where records and places arrive."""
    return Kept(tmp_path)
