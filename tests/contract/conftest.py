"""The same tests on every kind of database, job runner and event store; servers start once."""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cgii.base import limits
from cgii.store.database import Database
from tests import servers
from tests.own_server import Server


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """Servers may be slow here: this machine may be busy, and speed is measured elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("QUERY_SECONDS_MAX", "ELASTIC_SECONDS_MAX", "BULK_SECONDS_MAX"):
            patch.setattr(limits, name, 240)
        patch.setattr(limits, "STORE_WAIT_SECONDS", 240)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server, or a loud skip."""
    with servers.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(postgres: Server) -> str:
    """Its address."""
    return postgres.url


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Server]:
    """A RabbitMQ server, or a loud skip."""
    with servers.rabbitmq() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server(rabbitmq: Server) -> str:
    """Its AMQP address."""
    return rabbitmq.url


@pytest.fixture(scope="session")
def elasticsearch_server() -> Iterator[servers.SearchServer]:
    """An Elasticsearch server, or a loud skip."""
    with servers.elasticsearch() as server:
        yield server


@pytest.fixture(scope="session")
def elastic_prefix(elasticsearch_server: servers.SearchServer) -> Iterator[str]:
    """The address of indices that nobody else uses."""
    url = f"{elasticsearch_server.url}/t{secrets.token_hex(6)}"
    yield url
    servers.drop_indices(url)  # a test that failed may have left some
    servers.drop_templates(url)


@pytest.fixture
def elastic_url(elastic_prefix: str) -> Iterator[str]:
    """The address of indices with nothing in them."""
    yield elastic_prefix
    servers.drop_indices(elastic_prefix)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite record made by the migrations, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "record.sqlite"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_name(postgres_server: str) -> Iterator[str]:
    """The name of a PostgreSQL database made by the migrations, to be a template."""
    with servers.fresh_database(postgres_server) as url:
        _migrate(url)
        yield url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine_name(request: pytest.FixtureRequest) -> str:
    """Which kind of database this test runs on."""
    return str(request.param)


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, engine_name: str, tmp_path: Path) -> Iterator[str]:
    """The address of a database with nothing in it."""
    if engine_name == "sqlite":
        yield f"sqlite:///{tmp_path / 'record.sqlite'}"
        return
    with servers.fresh_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture
def record_url(request: pytest.FixtureRequest, engine_name: str, tmp_path: Path) -> Iterator[str]:
    """The address of an empty record made by the migrations."""
    if engine_name == "sqlite":
        path = tmp_path / "record.sqlite"
        shutil.copyfile(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("migrated_name")
    with servers.fresh_database(server, template) as url:
        yield url


@pytest.fixture
def record(record_url: str) -> Iterator[Database]:
    """An empty record made by the migrations."""
    database = Database(record_url)
    yield database
    database.close()


def _migrate(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.close()
