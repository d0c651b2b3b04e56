"""The record's engine, its pragmas, and `transaction()`: the only place that commits."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import Any, TextIO

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.pool import ConnectionPoolEntry

import cgii.model.registry  # noqa: F401  tables name each other: who opens the record needs all
from cgii.base.durable import must_be_writable, told_if_unusable
from cgii.base.errors import Conflict, Invalid, Unavailable

BUSY_SECONDS = 30  # a writer waits this long for another; our transactions take milliseconds
MIGRATIONS = Path(__file__).resolve().parent / "migrations"
SCHEMA = "0005"  # the newest of them
TURN = "cgii_turn"  # in a connection's notes: that it has the turn to write
MIGRATION_LOCK = 0x43474949  # one process migrates at a time on PostgreSQL
NO_RIGHT = "42501"  # from PostgreSQL 15 on, only a database's owner may make tables in it


class Database:
    """An engine and its sessions. Build one per process, close it at the end."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.engine = _engine(url, pool_size)
        # One snapshot for a reader on PostgreSQL; on SQLite every transaction is one.
        snapshots = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._readers = sessionmaker(self.engine.execution_options(**snapshots))
        self._writers = sessionmaker(
            self.engine.execution_options(cgii_writes=True), expire_on_commit=False
        )

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits at the end, or rolls back if anything was raised.

        Raises Conflict if somebody else changed the same row, Unavailable if the database
        does not answer.
        """
        with _own_errors(), self._writers() as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that never writes; what it reads is one consistent state.

        Rows stay readable after the end, without their relations.
        """
        with _own_errors(), self._readers() as session:
            yield session

    def migrate(self) -> None:
        """Bring the schema to the newest version; safe when several processes start at once.

        Raises Unavailable if the database does not answer, or SQLite's folder is read-only. Of a
        server it gives the reason: whoever starts a process can mend the settings.
        """
        try:
            with self._migrating_alone():
                if not self.is_current():
                    self._upgrade()
        except DBAPIError as error:
            is_no_right = getattr(error.orig, "sqlstate", "") == NO_RIGHT
            if not self.is_sqlite and (is_no_right or isinstance(error, OperationalError)):
                raise _unusable_server(error.orig) from error
            with _own_errors():
                raise

    def _upgrade(self) -> None:
        # Here and not above: most starts find the schema as it should be.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()

    def analyse(self) -> None:
        """Tell SQLite's planner what the tables hold; PostgreSQL sees to it by itself.

        Without it the planner takes an index on a column that is nearly always NULL for a good
        one, and reads a whole table through it.
        """
        if self.is_sqlite:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA analysis_limit=1000")
                connection.exec_driver_sql("ANALYZE")
                connection.commit()

    def is_current(self) -> bool:
        """Whether the schema is the one that this program expects."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return False
            found = connection.scalars(text("SELECT version_num FROM alembic_version"))
            return found.all() == [SCHEMA]

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    @contextmanager
    def _migrating_alone(self) -> Iterator[None]:
        # Each kind of database has its own way to let processes wait for each other.
        if self.is_sqlite:
            with _lock_file(Path(f"{self.engine.url.database}.lock")) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
            return
        with self.engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            try:
                yield
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
                connection.commit()


def _lock_file(path: Path) -> TextIO:
    must_be_writable(path.parent)  # SQLite makes files beside the record, even to read it
    with told_if_unusable(path):
        return path.open("w")


def _engine(url: str, pool_size: int) -> Engine:
    if not url.startswith("sqlite://"):
        return create_engine(
            _server(url),
            pool_size=pool_size,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
        )
    path = url.removeprefix("sqlite:///")
    if path and path != url and ":memory:" not in path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    # Without an isolation level the driver starts no transaction of its own: `_begin` does.
    options = {"timeout": BUSY_SECONDS, "isolation_level": None}
    engine = create_engine(url, pool_size=pool_size, connect_args=options)
    event.listen(engine, "connect", _set_pragmas)
    turn = Lock()
    event.listen(engine, "begin", partial(_begin, turn))
    event.listen(engine, "checkin", partial(_end_turn, turn))
    return engine


def _server(url: str) -> URL:
    """PostgreSQL's address, with our driver; raises Invalid for any other, without showing it."""
    try:
        made = make_url(url.replace("postgresql://", "postgresql+psycopg://", 1))
    except (ArgumentError, ValueError):  # a port that is no number; both may quote the password
        made = None
    if made is None or made.drivername != "postgresql+psycopg":
        raise Invalid(
            "CGII_DATABASE no es la dirección de una base de datos que se pueda usar; escriba "
            "postgresql://usuario:clave@servidor:5432/base, con los signos de la clave en %XX, o "
            "déjelo vacío para SQLite."
        )
    return made


def _set_pragmas(connection: Any, _record: object) -> None:  # a DB-API connection
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # on disk before anything is acknowledged
        "foreign_keys=ON",
        "cache_size=-65536",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("translate", 3, _translate, deterministic=True)


def _translate(text: str | None, letters: str, others: str) -> str | None:
    """PostgreSQL's `translate`, which SQLite lacks: each letter becomes the other in its place."""
    return None if text is None else text.translate(_letter_table(letters, others))


@cache
def _letter_table(letters: str, others: str) -> dict[int, int]:
    return str.maketrans(letters, others)


def _begin(turn: Lock, connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails with "database is locked" at once;
    # an immediate one waits its turn.
    if not connection.get_execution_options().get("cgii_writes", False):
        connection.exec_driver_sql("BEGIN")
        return
    # SQLite looks again after up to a tenth of a second, while others come and go; threads of
    # ours follow each other at once. For other processes there is no better way.
    connection.info[TURN] = turn.acquire(timeout=BUSY_SECONDS)
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _end_turn(turn: Lock, connection: object, record: ConnectionPoolEntry) -> None:
    """Let the next thread write; a connection comes back however its transaction ended."""
    if record.info.pop(TURN, False):
        turn.release()


def _unusable_server(error: object) -> Unavailable:
    """The sentence for a server that cannot be used; its own words, which show no password."""
    return Unavailable(
        "No se puede usar la base de datos de CGII_DATABASE: {reason}. Revise que PostgreSQL esté "
        "en marcha, la dirección, el usuario y su clave, y que la base exista y sea de ese usuario "
        "(CREATE DATABASE … OWNER …).",
        reason=" ".join(str(error).split())[:300],
    )


@contextmanager
def _own_errors() -> Iterator[None]:
    try:
        yield
    except StaleDataError as error:
        raise Conflict(
            "Otra persona cambió esto mientras usted lo editaba. Revise y vuelva a intentar."
        ) from error
    except OperationalError as error:
        raise Unavailable(
            "La base de datos no responde. Intente de nuevo en unos segundos."
        ) from error
