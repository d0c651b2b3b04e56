"""Changed rules come into force without stopping; what is of no use does not."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cgii.base import limits
from cgii.detect.rule_watch import HERE, RuleWatch, rules_revision, written_rules
from cgii.model.detection import SiteRule
from cgii.store.database import Database
from tests.unit.detect.build import event, rule_text

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    found = tmp_path / "site" / "rules" / "sigma"
    found.mkdir(parents=True)
    (found / "one.yml").write_text(text("a1"))
    return tmp_path / "site"


@pytest.fixture
def watch(database: Database, site: Path, tmp_path: Path, clock: Clock) -> Iterator[RuleWatch]:
    found = RuleWatch(database, site, cache=tmp_path / "cache", now=clock)
    yield found
    found.close()


def text(wanted: str, rule_id: str = "prueba") -> str:
    return rule_text(f"sel: {{campo: {wanted}}}").replace("id: prueba", f"id: {rule_id}")


def write(database: Database, number: int, state: str, text: str, rule_id: str = "prueba") -> None:
    with database.transaction() as session:
        session.add(
            SiteRule(
                rule_id=rule_id, number=number, state=state, text=text, reason="por la prueba",
                created_at=NOW, examples=[], untested="", over="",
            )
        )  # fmt: skip


def fires(watch: RuleWatch, value: str) -> bool:
    matches = watch.current().detector.match([event({"campo": value})])
    return "prueba" in [match.rule.id for match in matches]


def test_a_changed_file_comes_into_force_in_the_background(
    watch: RuleWatch, site: Path, clock: Clock
) -> None:
    assert fires(watch, "a1")
    (site / "rules" / "sigma" / "one.yml").write_text(text("b22"))
    assert fires(watch, "a1")  # it is not looked at for every batch
    clock.at += timedelta(seconds=limits.RULES_LOOK_SECONDS)
    watch.current()
    watch.close()
    assert fires(watch, "b22")
    assert not fires(watch, "a1")


def test_nothing_is_made_anew_while_nothing_changed(watch: RuleWatch, clock: Clock) -> None:
    first = watch.current()
    clock.at += timedelta(seconds=limits.RULES_LOOK_SECONDS)
    watch.current()
    watch.close()
    assert watch.refresh() is first


def test_a_rule_written_here_stands_above_the_file(watch: RuleWatch, database: Database) -> None:
    assert fires(watch, "a1")
    write(database, 1, "active", text("c3"))
    watch.refresh()
    assert fires(watch, "c3")
    assert not fires(watch, "a1")
    write(database, 2, "active", text("d4"))
    watch.refresh()
    assert fires(watch, "d4")
    assert not fires(watch, "c3")


def test_a_rule_taken_out_of_use_is_gone_until_it_is_released(
    watch: RuleWatch, database: Database
) -> None:
    assert fires(watch, "a1")
    write(database, 1, "retired", text("a1"))
    watch.refresh()
    assert not fires(watch, "a1")
    write(database, 2, "released", text("a1"))
    watch.refresh()
    assert fires(watch, "a1")


def test_a_wrong_rule_written_here_is_listed_and_harms_no_other(
    watch: RuleWatch, database: Database
) -> None:
    write(database, 1, "active", "title: [", "otra")
    rules = watch.refresh().rules
    assert [error.path for error in rules.rejected] == [HERE]
    assert fires(watch, "a1")


def test_only_the_newest_version_counts(database: Database) -> None:
    write(database, 1, "active", text("a"))
    write(database, 2, "active", text("b"))
    with database.reading() as session:
        assert [one.text for one in written_rules(session)] == [text("b")]


def test_a_broken_table_of_logsources_leaves_the_old_rules_in_force(
    watch: RuleWatch, site: Path
) -> None:
    first = watch.current()
    (site / "rules" / "logsources.yml").write_text("sources: 5")
    assert watch.refresh() is first
    (site / "rules" / "logsources.yml").unlink()
    assert watch.refresh() is first


def test_the_revision_tells_one_set_from_another(watch: RuleWatch, site: Path) -> None:
    before = watch.current().revision
    (site / "rules" / "sigma" / "two.yml").write_text(text("x", "dos"))
    assert watch.refresh().revision != before


def test_the_record_that_does_not_answer_leaves_the_rules_as_they_are(
    watch: RuleWatch, database: Database, site: Path
) -> None:
    write(database, 1, "active", text("c3"))
    first = watch.current()
    (site / "rules" / "sigma" / "two.yml").write_text(text("x", "dos"))
    SiteRule.__table__.drop(database.engine)  # type: ignore[attr-defined]  # a Table it is
    assert watch.refresh() is first


def test_no_event_is_left_out_while_rules_are_reloaded(watch: RuleWatch, site: Path) -> None:
    watch.current()
    missed: list[int] = []
    done = threading.Event()

    def detect() -> None:
        number = 0
        while not done.is_set() or number < 50:
            number += 1
            batch = [event({"campo": "fijo"}, number=number)]
            if not watch.current().detector.match(batch):
                missed.append(number)
            time.sleep(0.001)  # or two threads that never wait would keep a reload from ending

    (site / "rules" / "sigma" / "fixed.yml").write_text(text("fijo", "fija"))
    watch.refresh()
    threads = [threading.Thread(target=detect) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(5):
        (site / "rules" / "sigma" / "one.yml").write_text(text(f"b{number}" * (number + 1)))
        watch.refresh()
    done.set()
    for thread in threads:
        thread.join()
    assert missed == []
    assert fires(watch, "b4" * 5)


def test_a_new_set_knows_the_traffic_of_the_old_one(watch: RuleWatch, site: Path) -> None:
    seen = [event({"campo": f"v{number}"}, number=number) for number in range(200)]
    watch.current().detector.match(seen)
    (site / "rules" / "sigma" / "two.yml").write_text(text("x", "dos"))
    router = watch.refresh().detector.router
    plans = [plan for route in router._routes.values() for plan in route._plans.values()]
    values = {fields.get("campo") for plan in plans for fields in plan.sample()}
    assert values & {one.fields["campo"] for one in seen}


def test_a_version_that_is_committed_after_a_later_number_is_seen(database: Database) -> None:
    def row(number: int, rule_id: str) -> SiteRule:
        return SiteRule(
            id=number, rule_id=rule_id, number=1, state="active", text="x", reason="por la prueba",
            created_at=NOW, examples=[], untested="", over="",
        )  # fmt: skip

    seen = []
    for number, rule_id in ((2, "later"), (1, "earlier")):  # as two people may save at once
        with database.transaction() as session:
            session.add(row(number, rule_id))
        with database.reading() as session:
            seen.append(rules_revision(session))
    assert seen[0] != seen[1]
