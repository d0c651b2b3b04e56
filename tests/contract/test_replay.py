"""A reject that is read again is the event that its record would have been, on both databases."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from cgii.base.settings import load
from cgii.centre import Centre
from cgii.model.event import Event, Origin, Raw
from cgii.model.records import Reject
from cgii.pipeline import take
from cgii.replay import replay_rejects
from cgii.store.event_shapes import EventQuery

RECEIVED = datetime(2026, 11, 20, 18, tzinfo=UTC)
HEAD = """\
name: cortafuegos
title: Cortafuegos
description: Decisiones de un cortafuegos que no escribe su zona.
parser: patterns
time: [{field: hora, format: iso}]
logsource: {category: firewall}
ecs: {}
patterns:
"""
OLD = "  - {name: a, regex: '^(?P<hora>\\S+) PASA$'}\n"
NEW = OLD + "  - {name: b, regex: '^(?P<hora>\\S+) CORTA$'}\n"
LINE = b"2026-11-20T15:00:00 CORTA"


class Site:
    """A data folder and a record, over which centres with one definition or another begin."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url

    def begin(self, patterns: str) -> Centre:
        """A centre that reads the source by these patterns."""
        sources = self._folder / "site" / "collectors"
        sources.mkdir(parents=True, exist_ok=True)
        (sources / "cortafuegos.yml").write_text(HEAD + patterns)
        site = self._folder / "site"
        settings = load(data=self._folder, database=self._url, site=site, secret="tests")
        return Centre(settings, now=lambda: RECEIVED)

    def refuse(self, *origins: Origin) -> None:
        """Take a line of each by the old definition."""
        centre = self.begin(OLD)
        for origin in origins:
            assert take(centre, origin, [Raw(3, LINE)]).rejects == 1
        centre.close()

    def forget_zones(self) -> None:
        """Have the rows as the migration leaves those of an older version."""
        centre = self.begin(OLD)
        with centre.database.transaction() as session:
            session.execute(update(Reject).values(zone=None))
        centre.close()

    def replay(self) -> dict[str, Event]:
        """The events that the new definition makes of all of them, by their identity."""
        centre = self.begin(NEW)
        replay_rejects(centre, "cortafuegos")
        with centre.database.reading() as session:
            assert session.scalars(select(Reject.id)).all() == []
        found = centre.events.search(EventQuery(text="source:cortafuegos")).events
        centre.close()
        return {event.id: event for event in found}


@pytest.fixture
def site(tmp_path: Path, record_url: str) -> Site:
    return Site(tmp_path, record_url)


def of(stream: str, zone: str = "") -> Origin:
    return Origin("cortafuegos", stream, "1", zone=zone)


def straight(tmp_path: Path, *origins: Origin) -> dict[str, Event]:
    """The same lines, had the definition been right from the beginning."""
    (tmp_path / "other").mkdir()
    centre = Site(tmp_path / "other", f"sqlite:///{tmp_path / 'other' / 'r.sqlite'}").begin(NEW)
    centre.database.migrate()
    for origin in origins:
        assert take(centre, origin, [Raw(3, LINE)]).events == 1
    found = centre.events.search(EventQuery(text="source:cortafuegos")).events
    centre.close()
    return {event.id: event for event in found}


def test_a_reject_is_read_again_in_the_zone_of_its_input(site: Site, tmp_path: Path) -> None:
    origins = of("a", "UTC"), of("b", "Asia/Tokyo"), of("c")
    site.refuse(*origins)
    events = site.replay()

    assert events == straight(tmp_path, *origins), "with the identity that it would have had"
    hours = sorted(event.at.isoformat() for event in events.values())
    assert [hour[11:16] for hour in hours] == ["06:00", "15:00", "19:00"]


def test_what_an_older_version_kept_is_read_in_the_zone_of_its_source(site: Site) -> None:
    site.refuse(of("a", "UTC"))
    site.forget_zones()
    (event,) = site.replay().values()

    assert event.at == datetime(2026, 11, 20, 19, tzinfo=UTC)
