"""Looks whether each input of a sensor, its centre and its queue can work, and changes nothing."""

import asyncio
import fcntl
import fnmatch
import gzip
import imaplib
import os
import shutil
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cgii.base import confine, limits
from cgii.base.errors import CgiiError, Invalid, NotSignedIn
from cgii.base.reasons import why
from cgii.collect.certificate_dates import valid_from_to
from cgii.collect.config import SensorConfig
from cgii.collect.definition import Definitions
from cgii.collect.identity import Identity
from cgii.collect.input_config import FollowConfig, LiveConfig, MailboxConfig, PullConfig
from cgii.collect.inputs.captures import is_offered
from cgii.collect.inputs.matching import matching
from cgii.collect.inputs.pages import read_page
from cgii.collect.inputs.pull import Pull
from cgii.collect.inputs.tls import TlsFiles, server_context
from cgii.collect.mailbox import connected, quoted, words_of
from cgii.collect.outgoing import Asker, address_of
from cgii.collect.packets import filters
from cgii.collect.packets.captures import is_capture
from cgii.collect.packets.child import SOURCE as PACKETS
from cgii.collect.packets.decode import ETHERNET
from cgii.collect.packets.live import LINKS
from cgii.collect.ports import ports_of, why_not
from cgii.collect.send import Sender
from cgii.collect.sensor import authorise_of
from cgii.collect.spool import SUFFIX

# A batch that the centre refuses, and keeps nothing of: for its zone, or if it knows none, its seq.
NOTHING = gzip.compress(b'{"source": "-", "zone": 0}', mtime=0)
ROTATED = (".2.gz", "-20261130.gz")  # what rotation adds to a name, in the two usual ways
KINDS = Path("/sys/class/net")  # of interfaces, by their names


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    is_good: bool
    sentence: str


def look(
    sensor: SensorConfig, spool: Path, definitions: Definitions, now: datetime
) -> Iterator[Finding]:
    """What there is to say of everything that `sensor.toml` names."""
    is_running = _is_owned(spool)
    yield _spool(sensor, spool, is_running=is_running)
    yield from _centre(sensor, spool)
    if sensor.site is not None and not sensor.site.is_dir():
        sentence = "no es una carpeta; corrija site, o quítelo para usar las fuentes del centro"
        yield Finding(f"fuentes {sensor.site}", False, sentence)
    yield from _ports(sensor, is_running=is_running)
    if sensor.syslog_tls_port is not None and sensor.tls_files is not None:
        yield _certificate(sensor.tls_files, now)
    for source in sorted(_sources(sensor) - definitions.by_name.keys()):
        yield Finding(source, False, "no es una fuente conocida; use el nombre de una definición")
    for file in sensor.follow:
        yield _files(file)
    yield from _read_twice(sensor.follow)
    for logs in sensor.evtx:
        yield _files(FollowConfig(source=logs.source, path=logs.folder, whole=True))
    for folder in sensor.pcap:
        yield _captures(folder.folder)
    for card in sensor.capture:
        yield _interface(card)
    for one in sensor.pull:
        yield asyncio.run(_pull(one))
    for box in sensor.imap:
        yield asyncio.run(_mailbox(box))


def _sources(sensor: SensorConfig) -> set[str]:
    return {
        *(one.source for one in sensor.follow),
        *(one.source for one in sensor.evtx),
        *(one.source for one in sensor.pull),
        *(one.source for one in sensor.imap),
    }


# --- what the sensor itself needs ---------------------------------------------------------------
def _is_owned(spool: Path) -> bool:
    """Whether a sensor at work holds the queue."""
    try:
        with (spool / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _spool(sensor: SensorConfig, spool: Path, *, is_running: bool) -> Finding:
    name = f"cola {spool}"
    folder = spool
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK) or not folder.is_dir():
        return Finding(name, False, f"no se puede escribir en {folder}")
    most = sensor.spool_mib_max << 20
    waits = sum(path.stat().st_size for path in spool.glob(f"*{SUFFIX}"))
    free = shutil.disk_usage(folder).free
    state = f"{waits >> 20} de {sensor.spool_mib_max} MiB ocupados, {free >> 20} MiB libres"
    if waits * 100 >= most * limits.SPOOL_FULL_PERCENT:
        return Finding(name, False, f"{state}: casi llena; mire si el centro responde")
    if waits + free < most:
        return Finding(name, False, f"{state}: el disco no alcanza para spool_mib_max")
    return Finding(name, True, f"{state}{'; un sensor la está usando' if is_running else ''}")


def _centre(sensor: SensorConfig, spool: Path) -> Iterator[Finding]:
    name = f"centro {sensor.centre}"
    answer: type[CgiiError] = Invalid  # who is known is told what is wrong with the batch
    told = "responde y reconoce a este sensor"
    try:
        authorise = authorise_of(sensor, Identity(spool))
    except CgiiError as error:  # whether the centre is there can be seen all the same
        yield Finding("inscripción", False, str(error))
        authorise, answer, told = _stranger, NotSignedIn, "responde"
    try:
        with Sender(sensor.centre, authorise, ca_file=sensor.ca_file) as sender:
            refused_for = _refused_for(sender, answer)
            skew = sender.skew
    except CgiiError as error:
        yield Finding(name, False, str(error))
        return
    yield Finding(name, True, told)
    if refused_for == "seq" and _has_zone(sensor):
        sentence = "este centro es anterior a las zonas de las entradas; actualícelo primero"
        yield Finding("zone", False, sentence)
    seconds = round(skew.total_seconds())
    is_good = abs(seconds) <= limits.SENSOR_SKEW_SECONDS
    advice = "" if is_good else "; sincronice la hora (NTP)"
    yield Finding("reloj", is_good, f"{seconds:+d} s respecto del centro{advice}")


def _refused_for(sender: Sender, answer: type[CgiiError]) -> str | None:
    """The field for which the centre refuses a batch as it should. Raises CgiiError."""
    try:
        sender.send(NOTHING)
    except answer as error:
        return error.field
    return None


def _has_zone(sensor: SensorConfig) -> bool:
    zones = (*(one.zone for one in sensor.follow), *(one.zone for one in sensor.pull))
    return any((sensor.syslog_zone, *zones))


def _stranger(path: str, body: bytes, now: datetime) -> Mapping[str, str]:
    return {}


# --- what listens -------------------------------------------------------------------------------
def _ports(sensor: SensorConfig, *, is_running: bool) -> Iterator[Finding]:
    taken: dict[tuple[socket.SocketKind, int], str] = {}
    for port in ports_of(sensor):
        name = f"{port.way} {sensor.host}:{port.number}"
        other = taken.setdefault((port.kind, port.number), port.way)
        if other != port.way:
            yield Finding(name, False, f"es el mismo puerto que el de {other}; elija otro")
        elif is_running:  # it is the sensor that has it
            yield Finding(name, True, "un sensor con esta cola está en marcha")
        elif reason := why_not(sensor.host, port):
            yield Finding(name, False, f"no se puede usar: {reason}")
        else:
            yield Finding(name, True, "libre")


def _interface(card: LiveConfig) -> Finding:
    name = card.interface
    if all(name != known for _, known in socket.if_nameindex()):
        return Finding(name, False, "no hay una interfaz con ese nombre")
    problems = []
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        problems.append("falta el permiso CAP_NET_RAW para capturar")
    if card.filter:
        try:
            filters.compiled(card.filter, _link(name))
        except CgiiError as error:
            problems.append(str(error))
    return Finding(name, not problems, "; ".join(problems) or "se puede capturar")


def _link(name: str) -> int:
    """The kind of frames of an interface, for which a filter is written."""
    try:
        return LINKS.get(int((KINDS / name / "type").read_text()), ETHERNET)
    except (OSError, ValueError):
        return ETHERNET


def _certificate(files: TlsFiles, now: datetime) -> Finding:
    name = f"certificado {files.certificate}"
    try:
        server_context(files)
        begins, ends = valid_from_to(files.certificate)
    except Invalid as error:
        return Finding(name, False, str(error))
    shown = f"válido del {begins:%d/%m/%Y} al {ends:%d/%m/%Y}"
    if not begins <= now < ends:
        return Finding(name, False, f"{shown}: hoy no vale")
    if ends - now < timedelta(days=limits.CERTIFICATE_DAYS_MIN):
        return Finding(name, False, f"{shown}: renuévelo")
    return Finding(name, True, shown)


# --- what is read -------------------------------------------------------------------------------
def _files(one: FollowConfig) -> Finding:
    name = str(one.path)
    if not (one.is_pattern or one.is_whole):
        return _file(one.path)
    matched = matching(name)
    found = matched.files
    unreadable = [seen.path for seen in found if not os.access(seen.path, os.R_OK)]
    if unreadable:
        return Finding(
            name, False, f"no se puede leer {unreadable[0]} ({len(unreadable)} en total)"
        )
    folder = one.path if os.path.isdir(one.path) else _fixed_part(one.path)
    if not os.access(folder, os.R_OK | os.X_OK):
        return Finding(name, False, f"no se puede leer la carpeta {folder}")
    if matched.beyond:
        most = limits.FOLLOW_LOOKED_AT_MAX
        return Finding(name, False, f"tiene más de {most} nombres; los demás no se miran")
    return Finding(name, True, f"{len(found)} archivos ahora")


def _captures(folder: Path) -> Finding:
    found = _files(FollowConfig(source=PACKETS, path=folder, whole=True))
    if not found.is_good:
        return found
    seen = [one.path for one in matching(str(folder)).files if is_offered(one.path.name)]
    others = [path.name for path in seen if not _may_be_capture(path)]
    if not others:
        return found
    sentence = f"{found.sentence}; {len(others)} no son capturas y no se leen, como {others[0]}"
    return Finding(found.name, True, sentence)


def _may_be_capture(path: Path) -> bool:
    """An empty one is yet to be written, and one that went away is nobody's."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError:
        return True
    return not head or is_capture(head) or head.startswith(confine.GZIP)


def _read_twice(follow: Sequence[FollowConfig]) -> Iterator[Finding]:
    """Patterns of packed files that take those into which a followed file is rotated."""
    growing = [one for one in follow if not one.is_whole]
    for packed in (one for one in follow if one.is_whole):
        for one in growing:
            if any(_takes(packed.path, f"{name}{end}") for name in _names(one) for end in ROTATED):
                sentence = (
                    f"toma también lo que rota de {one.path}, que así llega dos veces; lleve los "
                    "empaquetados de antes a otra carpeta, o quite una de las dos entradas"
                )
                yield Finding(str(packed.path), False, sentence)


def _names(one: FollowConfig) -> Iterator[str]:
    yield str(one.path / "*" if os.path.isdir(one.path) else one.path)
    if one.is_pattern:
        yield from (str(seen.path) for seen in matching(str(one.path)).files)


def _takes(pattern: Path, name: str) -> bool:
    wanted = str(pattern / "*" if os.path.isdir(pattern) else pattern)
    is_as_deep = "**" in wanted or wanted.count(os.sep) == name.count(os.sep)
    return is_as_deep and fnmatch.fnmatch(name, wanted)


def _file(path: Path) -> Finding:
    if os.access(path, os.R_OK):
        return Finding(str(path), True, "se puede leer")
    if os.path.exists(path):
        return Finding(str(path), False, "no se puede leer: revise dueño y permisos")
    if os.access(path.parent, os.X_OK):
        return Finding(str(path), True, "todavía no existe; se lo espera")
    return Finding(str(path), False, f"no existe, ni se puede entrar en {path.parent}")


def _fixed_part(pattern: Path) -> Path:
    """The folder in front of the first part with a wildcard."""
    fixed = Path(pattern.anchor)
    for part in pattern.parts[len(fixed.parts) : -1]:
        if any(sign in part for sign in "*?["):
            break
        fixed /= part
    return fixed


async def _pull(one: PullConfig) -> Finding:
    asking = Pull(**one.asked, target=one.target)
    try:
        answer = await Asker(one.target).get(one.url, asking.request_headers())
        if answer.status not in (200, 204):
            return Finding(asking.shown, False, f"respondió {answer.status}")
        page = read_page(answer.body, answer.headers, records=one.records, cursor=one.cursor)
    except CgiiError as error:
        return Finding(asking.shown, False, str(error))
    cursor = "con cursor" if page.cursor else "sin cursor"
    return Finding(asking.shown, True, f"responde: {len(page.records)} registros, {cursor}")


async def _mailbox(box: MailboxConfig) -> Finding:
    name = f"{box.user}@{box.host}/{box.folder}"
    try:
        address = await address_of(box.target)
        password = box.password_file.read_text(encoding="utf-8-sig").strip()
        target = box.target
        ca = str(target.ca) if target.ca else None
        server = connected(address, target.host, target.port, ca=ca)
        try:
            server.sign_in(box.user, password)
            status, said = server.select(quoted(box.folder), readonly=True)
        finally:
            server.shutdown()
    except CgiiError as error:
        return Finding(name, False, str(error))
    except (imaplib.IMAP4.error, ssl.SSLError, OSError, ValueError) as error:
        return Finding(name, False, why(error)[: limits.SHORT_TEXT_CHARS_MAX])
    if status != "OK":
        return Finding(name, False, f"no se puede abrir la carpeta: {words_of(said)}")
    return Finding(name, True, "se puede leer")
