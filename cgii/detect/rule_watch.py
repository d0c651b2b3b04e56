"""Keeps the rules in force as fresh as their folders and the record, without stopping detection."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock, Thread

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cgii.base import content, counters, ids, limits
from cgii.base.errors import Unavailable
from cgii.base.logs import logger
from cgii.detect.detector import Detector
from cgii.detect.rule_cache import RuleCache
from cgii.detect.ruleset import RuleSet, RuleText, load_rules
from cgii.model.detection import SiteRule
from cgii.store.database import Database

log = logger("rules")
HERE = "aquí"  # what errors name in the place of a file
NOT_WATCHED = "yara"  # rules of another kind, which have a library of their own


@dataclass(frozen=True)
class InForce:
    """A rule set, its detector, and the name of the state of folders and record it was made of."""

    rules: RuleSet
    detector: Detector
    revision: str


class RuleWatch:
    """The rules in force; a change is compiled in the background and takes the old set's place.

    Whoever holds the old set goes on with it until his batch ends, so no event is left out. A new
    set that is of no use (folders that cannot be read, a broken table of logsources, no rule at
    all) is logged, and the old one stays.
    """

    def __init__(
        self, database: Database, site: Path | None, *, cache: Path, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._site = site
        self._cache = RuleCache(cache)
        self._now = now
        self._lock = Lock()  # of the fields below
        self._in_force: InForce | None = None
        self._refused = ""  # the revision that could not be used
        self._looked_at: datetime | None = None
        self._looking: Thread | None = None
        self._loading = Lock()  # one set is made at a time

    def current(self) -> InForce:
        """What holds now. Looks for changes in the background, every few seconds at most."""
        with self._lock:
            found = self._in_force
            if found is not None:
                self._look_if_due()
                return found
        return self.refresh()

    def _look_if_due(self) -> None:
        now, before = self._now(), self._looked_at
        if before is not None and 0 <= (now - before).total_seconds() < limits.RULES_LOOK_SECONDS:
            return
        if self._looking is None or not self._looking.is_alive():
            self._looked_at = now
            self._looking = Thread(target=self.refresh, name="rules", daemon=True)
            self._looking.start()

    def refresh(self) -> InForce:
        """Look at once, and wait until what has changed is in force."""
        with self._loading:
            before = self._in_force
            written = self._written()
            if written is None and before is not None:
                return before  # what was written here would be lost from the set
            texts, number = written or ([], "")
            folders = content.stamp("rules", "**/*.y*ml", self._site, leave_out=NOT_WATCHED)
            revision = ids.digest(number, folders)
            if before is not None and revision in (before.revision, self._refused):
                return before
            rules = load_rules(self._site, texts=texts, cache=self._cache)
            if before is not None and (reason := _of_no_use(rules, before.rules)):
                log.error("rules not reloaded", reason=reason)
                counters.RULES_RELOADED.labels("refused").inc()
                self._refused = revision
                return before
            detector = Detector(rules)
            if before is not None:
                detector.rehearse(before.detector)
            found = InForce(rules, detector, revision)
            with self._lock:
                self._in_force, self._looked_at, self._refused = found, self._now(), ""
        _tell(found, before)
        return found

    def _written(self) -> tuple[list[RuleText], str] | None:
        """The rules of the record and its revision; None while it cannot be asked."""
        try:
            with self._database.reading() as session:
                return written_rules(session), rules_revision(session)
        except (Unavailable, DBAPIError) as error:  # before the schema is made, above all
            log.warning("rules of the record not read", reason=str(error))
            return None

    def close(self) -> None:
        """Wait for what is under way."""
        looking = self._looking
        if looking is not None:
            looking.join()


def _of_no_use(rules: RuleSet, before: RuleSet) -> str:
    """Why a new set should not take the place of the old one; empty if it should."""
    if before.all and not rules.all:
        return "no rule is left"
    if rules.logsources.rejected and not before.logsources.rejected:
        return f"logsources: {rules.logsources.rejected[0]}"
    return ""


def _tell(found: InForce, before: InForce | None) -> None:
    rules = found.rules
    counters.RULES_LOADED.labels("sigma").set(len(rules.single))
    counters.RULES_LOADED.labels("correlation").set(len(rules.correlations))
    counters.RULES_REJECTED.set(len(rules.rejected))
    counters.RULES_REVISION.set(int(found.revision[:12], 16))
    if before is not None:
        counters.RULES_RELOADED.labels("done").inc()
        log.info("rules reloaded", rules=len(rules.all), rejected=len(rules.rejected))


def rules_revision(session: Session) -> str:
    """Another text whenever a version of a rule was written; versions stay as they are.

    They are counted: the one with the highest number need not be the last to be committed.
    """
    return str(session.scalar(select(func.count(SiteRule.id))) or 0)


def written_rules(session: Session) -> list[RuleText]:
    """The newest version of every rule written here; one taken out of use has an empty text."""
    newest = (
        select(SiteRule.rule_id, func.max(SiteRule.number).label("number"))
        .group_by(SiteRule.rule_id)
        .subquery()
    )
    rows = session.scalars(
        select(SiteRule)
        .join(newest, (SiteRule.rule_id == newest.c.rule_id) & (SiteRule.number == newest.c.number))
        .where(SiteRule.state != "released")
        .order_by(SiteRule.rule_id)
    )
    return [RuleText(row.rule_id, HERE, row.text if row.state == "active" else "") for row in rows]
