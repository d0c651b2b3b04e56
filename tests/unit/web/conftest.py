"""A centre with pages for the tests of the web."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.make_web import Pages, make_centre, make_pages


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    """The pages of an empty centre."""
    centre = make_centre(tmp_path / "data")
    yield make_pages(centre)
    centre.close()
