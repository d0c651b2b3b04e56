"""Real servers for tests: takes the one that the environment names, else starts one on loopback.

`CGII_TEST_POSTGRES`, `CGII_TEST_RABBITMQ` and `CGII_TEST_ELASTICSEARCH` hold the address of a
server that runs already. `CGII_TEST_REQUIRE=postgres,rabbitmq,elasticsearch,browser,strace` turns
the skip of a named server or tool into a failure.
"""

import os
import secrets
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from time import monotonic, sleep

import psycopg
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from elasticsearch import ApiError, Elasticsearch, TransportError
from kombu import Connection  # type: ignore[attr-defined]

from tests.own_server import START_SECONDS, OwnServer, Server, as_owner, missing, own_folder
from tests.ports import free_port


def chromium() -> str:
    """Path of a Chromium, or a loud skip."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing("browser", "no Chromium on this machine: apt-get install chromium")
    return found


# --- PostgreSQL --------------------------------------------------------------------------------


@contextmanager
def postgres() -> Iterator[Server]:
    """A PostgreSQL server where databases may be made and dropped."""
    given = os.environ.get("CGII_TEST_POSTGRES")
    if given:
        yield Server(given)
        return
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    if not folders:
        missing("postgres", "not installed: apt-get install postgresql")
    with own_folder("postgres") as folder, _postgres_in(folder, folders[-1]) as server:
        yield server


@contextmanager
def _postgres_in(folder: Path, programs: Path) -> Iterator[OwnServer]:
    data, port = folder / "data", free_port()
    as_user = as_owner("postgres", folder)
    initdb = [*as_user, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust"]
    initdb += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        "fsync": "off",  # nothing here outlives the machine, and kill -9 leaves what was written
        "max_connections": 200,
    }
    command = [*as_user, programs / "postgres", "-D", data]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    server = OwnServer(
        url, "postgres", command, folder,
        connect=lambda: psycopg.connect(url).close(), stop=signal.SIGINT,
    )  # fmt: skip
    with server.running():
        yield server


@contextmanager
def fresh_database(server_url: str, template: str = "template0") -> Iterator[str]:
    """An empty database of its own on that server, dropped afterwards."""
    name = f"cgii_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[call-overload]
    try:
        yield f"{server_url.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


# --- RabbitMQ ----------------------------------------------------------------------------------


@contextmanager
def rabbitmq() -> Iterator[Server]:
    """A RabbitMQ server; its address is for AMQP."""
    given = os.environ.get("CGII_TEST_RABBITMQ")
    if given:
        yield Server(given)
        return
    # Not the wrapper in /usr/sbin, which wants to be another user.
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not program.exists():
        missing("rabbitmq", "not installed: apt-get install rabbitmq-server")
    with own_folder("rabbitmq") as folder, _rabbitmq_in(folder, program) as server:
        yield server


@contextmanager
def _rabbitmq_in(folder: Path, program: Path) -> Iterator[OwnServer]:
    port, names_port = free_port(), free_port()
    plugins = folder / "enabled_plugins"
    plugins.write_text("[].\n")
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folder),  # the cookie lies here
        "RABBITMQ_NODENAME": f"cgii-{secrets.token_hex(4)}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",  # it would listen everywhere
        "ERL_EPMD_PORT": str(names_port),
    }
    url = f"amqp://guest:guest@127.0.0.1:{port}//"

    def connect() -> None:
        with Connection(url, connect_timeout=30) as connection:
            connection.connect()

    server = OwnServer(
        url, "rabbitmq", [program], folder, connect=connect, environment=environment
    )  # fmt: skip
    try:
        with server.running():
            yield server
    finally:
        names = ["epmd", "-port", str(names_port), "-kill"]
        with suppress(OSError):
            subprocess.run(names, capture_output=True, check=False)


# --- Elasticsearch -----------------------------------------------------------------------------

_ELASTICSEARCH = Path(__file__).parents[2] / "shared" / "bin" / "elasticsearch"
_ELASTICSEARCH_SECONDS = 900  # the first time it is fetched


@dataclass
class SearchServer(Server):
    """An Elasticsearch server; `folder` is where ours keeps its files, None when it is not ours."""

    folder: Path | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it may be killed."""
        return self.folder is not None

    def kill(self) -> None:
        """End it without warning, as a power cut does."""
        assert self.folder is not None
        number = int((self.folder / "pid").read_text())
        os.kill(number, signal.SIGKILL)
        deadline = monotonic() + START_SECONDS
        while Path(f"/proc/{number}").exists() and monotonic() < deadline:
            sleep(0.05)
        for lock in (self.folder / "data").rglob("*.lock"):
            lock.unlink()

    def start_again(self) -> None:
        """Start it on the files that it left."""
        assert self.folder is not None
        (home,) = Path("/opt/cgii-test").glob("elasticsearch-*")
        owner = self.folder.stat().st_uid
        as_user: list[str] = []
        if os.geteuid() != owner:
            as_user = ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups"]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "ES_PATH_CONF": str(self.folder / "config"),
            "ES_TMPDIR": str(self.folder / "tmp"),
            "ES_JAVA_OPTS": _HEAP,
        }
        subprocess.run(
            [*as_user, home / "bin" / "elasticsearch", "-d", "-p", self.folder / "pid"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            env=environment,
            timeout=2 * START_SECONDS,  # it comes back when all is read again
        )


_HEAP = "-Xms512m -Xmx512m"


@contextmanager
def elasticsearch() -> Iterator[SearchServer]:
    """An Elasticsearch server where indices may be made and dropped."""
    given = os.environ.get("CGII_TEST_ELASTICSEARCH")
    if given:
        yield SearchServer(given.rstrip("/"))
        return
    if not _ELASTICSEARCH.exists():
        missing("elasticsearch", "set CGII_TEST_ELASTICSEARCH to the address of a server")
    port = free_port(100)  # the nodes' own port lies there
    environment = {**os.environ, "ES_PORT": str(port), "ES_HEAP": "512m"}
    folder = Path(f"/var/tmp/cgii-elasticsearch-{port}")
    try:
        started = subprocess.run(
            [_ELASTICSEARCH, "start"],
            capture_output=True,
            text=True,
            env=environment,
            timeout=_ELASTICSEARCH_SECONDS,
            check=False,
        )
        # Its own patience may end before a busy machine has started the server.
        if started.returncode and not (folder / "pid").exists():
            missing("elasticsearch", f"it does not start:\n{started.stderr[-2000:]}")
        url = f"http://127.0.0.1:{port}"
        _wait_for_elasticsearch(url, started.stderr)
        yield SearchServer(url, folder)
    finally:
        with suppress(OSError, ValueError):
            os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_elasticsearch(url: str, said: str) -> None:
    deadline = monotonic() + START_SECONDS
    with Elasticsearch(url, request_timeout=30) as client:
        while True:
            try:
                client.cluster.health(wait_for_status="yellow")
                return
            except (ApiError, TransportError) as error:
                if monotonic() > deadline:
                    missing("elasticsearch", f"it does not answer ({error}):\n{said[-2000:]}")
                sleep(0.5)


def drop_indices(url: str) -> None:
    """Delete the indices of a prefix, which is the path of the address; the templates stay."""
    server, _, prefix = url.rpartition("/")
    with Elasticsearch(server, request_timeout=240) as client:
        names = list(client.indices.get_alias(index=f"{prefix}-events-*").body)
        names += [f"{prefix}-refused"]
        client.options(ignore_status=404).indices.delete(index=names, ignore_unavailable=True)


def drop_templates(url: str) -> None:
    """Delete what made the indices of a prefix."""
    server, _, prefix = url.rpartition("/")
    with Elasticsearch(server, request_timeout=240) as plain:
        client = plain.options(ignore_status=404)
        client.indices.delete_index_template(name=f"{prefix}-events")
        for part in ("settings", "ecs", "search"):
            client.cluster.delete_component_template(name=f"{prefix}-{part}")
        client.ilm.delete_lifecycle(name=prefix)


# --- SMTP --------------------------------------------------------------------------------------


@dataclass
class Inbox:
    """A mail server's memory. `answers` are given to the next mails instead of taking them."""

    host: str
    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:
        """Take a mail, or give the next answer."""
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients += envelope.rcpt_tos
        return "250 taken"


@contextmanager
def smtp(tls: ssl.SSLContext | None = None) -> Iterator[Inbox]:
    """A mail server on loopback that keeps what it gets; with `tls` it demands STARTTLS."""
    # Port 0 would be taken literally when the controller looks whether it is up.
    inbox = Inbox("localhost", free_port())
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=inbox.port,
        tls_context=tls,
        require_starttls=tls is not None,
        ready_timeout=START_SECONDS,
    )
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop()
