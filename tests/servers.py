"""Real servers for tests: takes the one that the environment names, else starts one on loopback.

`CGII_TEST_POSTGRES`, `CGII_TEST_RABBITMQ` and `CGII_TEST_ELASTICSEARCH` hold the address of a
server that runs already. `CGII_TEST_REQUIRE=postgres,rabbitmq,elasticsearch,browser` turns the
skip of a named server into a failure.
"""

import os
import pwd
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from time import monotonic, sleep
from typing import NoReturn

import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from amqp import AMQPError
from elasticsearch import ApiError, Elasticsearch, TransportError
from kombu import Connection  # type: ignore[attr-defined]

from tests.ports import free_port

START_SECONDS = 240  # a busy machine starts ten things at once


def missing(name: str, reason: str) -> NoReturn:
    """Skip what needs the server `name`, or fail if this run must not go without it."""
    required = os.environ.get("CGII_TEST_REQUIRE", "").replace(" ", "").split(",")
    if name in required:
        pytest.fail(f"{name} is required by CGII_TEST_REQUIRE: {reason}", pytrace=False)
    pytest.skip(f"NO {name.upper()}: {reason}")


def chromium() -> str:
    """Path of a Chromium, or a loud skip."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    missing("browser", "no Chromium on this machine: apt-get install chromium")


# --- PostgreSQL --------------------------------------------------------------------------------


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server where databases may be made and dropped."""
    given = os.environ.get("CGII_TEST_POSTGRES")
    if given:
        yield given
        return
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    if not folders:
        missing("postgres", "not installed: apt-get install postgresql")
    with _folder("postgres") as folder, _postgres_in(folder, folders[-1]) as url:
        yield url


@contextmanager
def _postgres_in(folder: Path, programs: Path) -> Iterator[str]:
    data, port = folder / "data", free_port()
    as_user = _as_user("postgres", folder)
    initdb = [*as_user, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust"]
    initdb += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        "fsync": "off",  # nothing here outlives the tests
        "max_connections": 200,
    }
    server = [*as_user, programs / "postgres", "-D", data]
    for name, value in options.items():
        server += ["-c", f"{name}={value}"]
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    with _process("postgres", server, folder, stop=signal.SIGINT) as process:
        _wait_for("postgres", lambda: psycopg.connect(url).close(), process, folder)
        yield url


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
def rabbitmq() -> Iterator[str]:
    """The AMQP address of a RabbitMQ server."""
    given = os.environ.get("CGII_TEST_RABBITMQ")
    if given:
        yield given
        return
    # Not the wrapper in /usr/sbin, which wants to be another user.
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not program.exists():
        missing("rabbitmq", "not installed: apt-get install rabbitmq-server")
    with _folder("rabbitmq") as folder, _rabbitmq_in(folder, program) as url:
        yield url


@contextmanager
def _rabbitmq_in(folder: Path, program: Path) -> Iterator[str]:
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

    try:
        with _process("rabbitmq", [program], folder, environment=environment) as process:
            _wait_for("rabbitmq", connect, process, folder)
            yield url
    finally:
        names = ["epmd", "-port", str(names_port), "-kill"]
        with suppress(OSError):
            subprocess.run(names, capture_output=True, check=False)


# --- Elasticsearch -----------------------------------------------------------------------------

_ELASTICSEARCH = Path(__file__).parents[2] / "shared" / "bin" / "elasticsearch"
_ELASTICSEARCH_SECONDS = 900  # the first time it is fetched


@dataclass
class SearchServer:
    """An Elasticsearch server; `folder` is where ours keeps its files, None when it is not ours."""

    url: str
    folder: Path | None = None

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
            timeout=START_SECONDS,
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


# --- shared ------------------------------------------------------------------------------------


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"cgii-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_user(name: str, folder: Path) -> list[str]:
    """How to start a program as that user, who then owns the folder; nothing unless we are root."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        missing(name, f"we are root and there is no user {name} to run it")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


@contextmanager
def _process(
    name: str,
    command: Sequence[str | Path],
    folder: Path,
    *,
    environment: dict[str, str] | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, stop)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(
    name: str, attempt: Callable[[], object], process: subprocess.Popen[bytes], folder: Path
) -> None:
    deadline = monotonic() + START_SECONDS
    while True:
        try:
            attempt()
            return
        except (OSError, psycopg.OperationalError, AMQPError) as error:
            if process.poll() is None and monotonic() < deadline:
                sleep(0.1)
                continue
            said = (folder / "output").read_text(errors="replace")[-2000:]
            missing(name, f"installed, but it does not start ({error}):\n{said}")
