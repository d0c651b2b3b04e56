"""Keeps the tables of indicators that a process looks values up in as fresh as the record."""

from collections.abc import Callable
from datetime import datetime
from threading import Lock, Thread

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cgii.base import counters, limits
from cgii.base.logs import logger
from cgii.detect.indicator_rows import indicators_revision, load_indicators
from cgii.detect.indicators import Indicators, IndicatorTable
from cgii.model.indicators import IndicatorList
from cgii.store.database import Database

log = logger("indicators")


class IndicatorWatch:
    """The indicators of the record, loaded again when lists change.

    Few are loaded at once. Many are loaded in the background while the former ones go on serving;
    only the first time a batch waits for them, so that none is looked at without.
    """

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._lock = Lock()
        self._known: Indicators | None = None
        self._loading: Thread | None = None

    def current(self, session: Session) -> Indicators:
        """What to look for in events that are read now."""
        revision = indicators_revision(session)
        if not revision:
            return NONE
        with self._lock:
            known = self._known
            if known is not None and known.revision == revision:
                return known
            count = session.scalar(select(func.sum(IndicatorList.indicator_count))) or 0
            if known is None or count <= limits.INDICATOR_WAIT_MAX:
                self._known = self._load(session)
                return self._known
            if self._loading is None or not self._loading.is_alive():
                self._loading = Thread(target=self._refresh, name="indicators", daemon=True)
                self._loading.start()
            return known

    def _load(self, session: Session) -> Indicators:
        loaded = load_indicators(session, now=self._now())
        counters.INDICATORS_LOADED.set(len(loaded.wanted))
        return loaded

    def _refresh(self) -> None:
        try:
            with self._database.reading() as session:
                loaded = self._load(session)
        except OperationalError as error:  # the next batch tries again
            log.warning("indicators could not be loaded", error=str(error))
            return
        with self._lock:
            self._known = loaded
        log.info("indicators loaded", count=len(loaded.wanted))


NONE = Indicators(IndicatorTable(), IndicatorTable())
