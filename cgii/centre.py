"""Builds the running parts from the settings and holds them; does no work itself."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from threading import Lock

from sqlalchemy import select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from cgii.base import clock, garbage
from cgii.base.durable import told_if_unusable
from cgii.base.errors import ContentError, Invalid, Unavailable
from cgii.base.settings import EMBEDDED, Settings
from cgii.collect.definition import Definitions, load_definitions
from cgii.collect.offered import OfferedSources
from cgii.detect.detector import Detector
from cgii.detect.indicator_watch import IndicatorWatch
from cgii.detect.rule_cache import FOLDER
from cgii.detect.rule_watch import RuleWatch
from cgii.detect.ruleset import RuleSet, read_placeholders
from cgii.detect.tuning import Tuning, load_tuning, tuning_revision
from cgii.detect.yara_library import YaraLibrary, bounds_of
from cgii.link.mail import Mailer
from cgii.measure.boards import Board, load_boards
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.records import Sensor
from cgii.report.definition import Report, load_reports
from cgii.respond.attribution import Attributor, attribution_version, load_attributor
from cgii.respond.cacao import Playbooks, load_playbooks
from cgii.respond.policies import load_policies
from cgii.store.act import Act
from cgii.store.audit import AuditTrail
from cgii.store.database import Database
from cgii.store.events import Access, EventStore, open_events

_EVENTS_OWNER = "owner of events"  # sealed: the name of this centre where others may read it


class OtherContent:
    """What analysts may change besides rules; each kind is read when it is first asked for."""

    def __init__(self, site: Path | None) -> None:
        self._site = site

    @cached_property
    def definitions(self) -> Definitions:
        """The sources that are understood."""
        return load_definitions(self._site)

    @cached_property
    def playbooks(self) -> Playbooks:
        """The playbooks that can be run."""
        return load_playbooks(self._site)

    @cached_property
    def boards(self) -> tuple[Mapping[str, Board], Sequence[ContentError]]:
        """The boards by id, and what was refused."""
        return load_boards(self._site)

    @cached_property
    def reports(self) -> tuple[Mapping[str, Report], Sequence[ContentError]]:
        """The reports by id, and what was refused."""
        return load_reports(self._site)

    @property
    def rejected(self) -> tuple[ContentError, ...]:
        """All that could not be used."""
        return (
            *self.definitions.rejected,
            *self.playbooks.rejected,
            *load_policies(self._site).rejected,
            *self.boards[1],
            *self.reports[1],
        )


@dataclass(frozen=True)
class Content:
    """Everything that analysts may change; each kind lists what it refused."""

    rules: RuleSet
    others: OtherContent

    @property
    def playbooks(self) -> Playbooks:
        """The playbooks that can be run."""
        return self.others.playbooks

    @property
    def boards(self) -> Mapping[str, Board]:
        """The boards by id."""
        return self.others.boards[0]

    @property
    def reports(self) -> Mapping[str, Report]:
        """The reports by id."""
        return self.others.reports[0]

    @property
    def rejected(self) -> tuple[ContentError, ...]:
        """All that could not be used."""
        return (*self.others.rejected, *self.rules.rejected)


class Centre:
    """The parts of one running process; `build` makes one, `close` ends it."""

    def __init__(self, settings: Settings, *, now: Callable[[], datetime] = clock.now) -> None:
        settings.data.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.clock = now
        self.secret = _secret(settings)
        self.trail = AuditTrail(self.secret)
        self.database = Database(settings.database_url)
        self.events: EventStore = _events(settings, owner=self.trail.seal(_EVENTS_OWNER)[:32])
        self._rules = RuleWatch(self.database, settings.site, cache=settings.data / FOLDER, now=now)
        self._others = OtherContent(settings.site)
        self.indicators = IndicatorWatch(self.database, now)
        self.yara = YaraLibrary(settings.site, bounds_of(settings))
        self.offered = OfferedSources(settings.site)
        self.mail = Mailer(settings)
        self.files_folder = settings.data / "evidence"
        self.documents_folder = settings.data / "documents"
        self._attributor: tuple[object, Attributor] | None = None
        self._attributor_lock = Lock()
        self._tuning: Tuning | None = None
        self._tuning_lock = Lock()

    @property
    def content(self) -> Content:
        """All content; the rules in it are those in force."""
        return Content(self._rules.current().rules, self._others)

    @property
    def detector(self) -> Detector:
        """The detector of the rules in force; who needs one state takes it once."""
        return self._rules.current().detector

    @property
    def rules_revision(self) -> str:
        """The name of the rules in force: the same in every process that has the same ones."""
        return self._rules.current().revision

    def reload_rules(self) -> None:
        """Take changed rules into force now; else it happens within seconds."""
        self._rules.refresh()

    @property
    def definitions(self) -> Definitions:
        """The sources that are understood."""
        return self._others.definitions

    def attributor(self, session: Session) -> Attributor:
        """Who owns which address; rebuilt when entities, networks or domains changed."""
        version = attribution_version(session)
        with self._attributor_lock:
            if self._attributor is None or self._attributor[0] != version:
                self._attributor = (version, load_attributor(session))
            return self._attributor[1]

    def tuning(self, session: Session) -> Tuning:
        """How rules are held back here; read anew when a row came, ended or was enforced."""
        revision = tuning_revision(session)
        with self._tuning_lock:
            if self._tuning is None or self._tuning.revision != revision:
                known = read_placeholders(self.settings.site)
                self._tuning = load_tuning(session, self.clock(), placeholders=known)
            return self._tuning

    def act(self, session: Session, user: User | None = None, *, via: str = "system") -> Act:
        """A deed in this session, now."""
        return Act(
            session,
            self.clock(),
            self.trail,
            user,
            via,
            site=self.settings.site,
            public_url=self.settings.public_url,
        )

    def close(self) -> None:
        """Give back files and connections."""
        self._rules.close()
        self.events.close()
        self.database.close()


def build(settings: Settings) -> Centre:
    """A centre whose schema is current.

    Raises Unavailable when a part does not answer, or the data folder cannot be used.
    """
    garbage.look_seldom()
    with told_if_unusable(settings.data):
        centre = Centre(settings)
    centre.database.migrate()
    _refuse_events_of_another_record(centre)
    return centre


def _refuse_events_of_another_record(centre: Centre) -> None:
    """Raise Invalid when an empty record on a server would take over the folder of one in SQLite.

    Events name entities and sensors by number. Those of another record would get their events,
    and what its sensors send could pass for something that is stored already.
    """
    embedded = centre.settings.data / EMBEDDED
    if centre.database.is_sqlite or not embedded.is_file() or _is_in_use(centre.database):
        return
    other = Database(f"sqlite:///{embedded.resolve()}")
    try:
        is_taken = _is_in_use(other)
    except (Unavailable, DatabaseError):  # it has no tables, or it is damaged
        is_taken = False
    finally:
        other.close()
    if is_taken:
        raise Invalid(
            "La carpeta {folder} es de un centro que trabaja con SQLite ({name}) y la base de "
            "CGII_DATABASE está vacía: sus eventos quedarían a nombre de otras entidades. No hay "
            "un traslado todavía. Siga con SQLite (CGII_DATABASE vacío), o empiece de nuevo con "
            "otra carpeta en CGII_DATA y, con Elasticsearch, otro prefijo en CGII_EVENTS.",
            folder=centre.settings.data,
            name=EMBEDDED,
        )


def _is_in_use(database: Database) -> bool:
    """Whether a record has entities or sensors, which events name."""
    with database.reading() as session:
        return any(session.scalar(select(table.id).limit(1)) for table in (Entity, Sensor))


def _events(settings: Settings, *, owner: str) -> EventStore:
    access = Access(
        user=settings.events_user,
        password=settings.events_password.get_secret_value(),
        api_key=settings.events_api_key.get_secret_value(),
        authority=settings.events_ca,
    )
    return open_events(settings.events, settings.data / "events", access, owner)


def _secret(settings: Settings) -> bytes:
    """The centre's key: as set, else one made on first use and readable by its owner only."""
    given = settings.secret.get_secret_value()
    if given:
        return given.encode()
    path = settings.data / "secret"
    if not path.exists():
        _make_secret(path)
    made = path.read_text().strip()
    if made:
        return made.encode()
    raise Invalid("{path} está vacío: recupérelo de un respaldo o dé CGII_SECRET.", path=path)


def _make_secret(path: Path) -> None:
    """Write a key that nobody ever sees half written; of those who start at once, one makes it."""
    own = path.with_name(f"secret.{secrets.token_hex(8)}")
    with os.fdopen(os.open(own, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()
