"""A day of logs of the demonstration country: everyday noise with attacks hidden in it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from cgii.base.clock import LA_PAZ
from cgii.demo import names

PAGES = (
    "/ /inicio /tramites /tramites/certificados /noticias /transparencia /contacto "
    "/convocatorias /normativa/gaceta /servicios/citas /assets/app.js /assets/estilos.css "
    "/img/escudo.png /api/v1/consultas?tipo=persona /buscar?q=requisitos+certificado "
    "/descargas/formulario-12.pdf"
).split()
BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Linux; Android 15; SM-A165M) AppleWebKit/537.36 Chrome/142.0 Mobile",
)
# Attackers come from the ranges reserved for documentation: nobody real is accused.
COMMAND_DOMAINS = ("panel-estadistico.example", "sincroniza-nube.example", "repuestos-web.example")
ATTACKERS = tuple(f"203.0.113.{n}" for n in range(3, 250, 7)) + tuple(
    f"198.51.100.{n}" for n in range(5, 250, 11)
)
INJECTIONS = (
    "/noticias.php?id=12%27%20UNION%20SELECT%201,usuario,clave%20FROM%20usuarios--%20-",
    "/buscar?q=1%27%20OR%20%271%27=%271",
    "/tramites.php?id=7%20AND%20SLEEP(5)",
)
TRAVERSALS = (
    "/descargas?archivo=../../../../etc/passwd",
    "/ver.php?doc=..%2f..%2f..%2f..%2fetc%2fshadow",
)
SHELLS = ("/uploads/img_2291.php?cmd=id", "/wp-content/uploads/2026/11/x.php?cmd=whoami")
PROBED = (
    "/.env /.git/config /wp-login.php /phpmyadmin/ /admin /backup.zip /config.php.bak "
    "/server-status /vendor/phpunit/ /actuator/env /cgi-bin/test /xmlrpc.php "
    "/.aws/credentials /old/ /test.php"
).split()


@dataclass(frozen=True)
class Place:
    """What the traffic needs to know of an entity."""

    acronym: str
    domain: str
    network: str  # the first three octets


@dataclass(frozen=True)
class Line:
    """One record of one source at one moment."""

    at: datetime
    source: str
    data: bytes
    is_cut: bool = False  # in the middle: a centre refuses and keeps it


def day(random_: random.Random, place: Place, end: datetime, *, weight: float) -> list[Line]:
    """The 24 hours before `end` at one entity, oldest first. `weight` 1 is about 400 lines."""
    start = end - timedelta(hours=24)
    lines: list[Line] = []
    for source, count in PER_DAY.items():
        for _ in range(int(count * weight)):
            lines.append(MAKERS[source](random_, place, _moment(random_, start)))
    for _ in range(int(CUT_PER_DAY * weight)):
        lines.append(cut(random_, place, _moment(random_, start)))
    for attack in random_.sample(ATTACKS, k=random_.choice((0, 0, 1, 1, 2, 3))):
        at = start + timedelta(hours=random_.uniform(1, 23.5))
        lines.extend(attack(random_, place, at))
    return sorted(lines, key=lambda line: line.at)


def cut(random_: random.Random, place: Place, at: datetime) -> Line:
    """A record that its sensor was cut off in."""
    whole = _flow(random_, place, at)
    return Line(whole.at, whole.source, whole.data[:70], is_cut=True)


def attack(random_: random.Random, place: Place, at: datetime) -> list[Line]:
    """One attack that begins at this moment and may last for hours, oldest line first."""
    return sorted(random_.choice(ATTACKS)(random_, place, at), key=lambda line: line.at)


def _moment(random_: random.Random, start: datetime) -> datetime:
    # Offices work from half past eight to half past six in La Paz; nights are quiet.
    for _ in range(4):
        at = start + timedelta(seconds=random_.uniform(0, 86_400))
        if 8 <= at.astimezone(LA_PAZ).hour <= 18:
            return at
    return at


def _syslog(host: str, program: str, at: datetime, text: str) -> Line:
    stamp = f"{at.astimezone(LA_PAZ):%b %e %H:%M:%S}"
    return Line(at, "linux_auth", f"{stamp} {host} {program}: {text}".encode())


def _access(
    random_: random.Random, place: Place, at: datetime, *, client: str, path: str, status: int,
    agent: str | None = None, method: str = "GET",
) -> Line:  # fmt: skip
    stamp = f"{at.astimezone(LA_PAZ):%d/%b/%Y:%H:%M:%S %z}"
    size = random_.randrange(180, 90_000)
    text = (
        f'{client} - - [{stamp}] "{method} {path} HTTP/1.1" {status} {size} "-" '
        f'"{agent or random_.choice(BROWSERS)}"'
    )
    return Line(at, "web_access", text.encode())


def _visit(random_: random.Random, place: Place, at: datetime) -> Line:
    client = f"{place.network}.{random_.randrange(10, 240)}"
    if random_.random() < 0.6:
        client = f"192.0.2.{random_.randrange(1, 255)}"
    status = random_.choices((200, 304, 302, 404, 500), (86, 6, 4, 3, 1))[0]
    return _access(random_, place, at, client=client, path=random_.choice(PAGES), status=status)


def _login(random_: random.Random, place: Place, at: datetime) -> Line:
    user = names.plain(names.person(random_)).split(".")[0]
    pid = random_.randrange(900, 32_000)
    text = random_.choice(
        (
            f"Accepted publickey for {user} from {place.network}.{random_.randrange(10, 240)} "
            f"port {random_.randrange(32768, 60999)} ssh2: ED25519 SHA256:q8Zr",
            f"pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)",
            f"Failed password for {user} from {place.network}.{random_.randrange(10, 240)} "
            f"port {random_.randrange(32768, 60999)} ssh2",
        )
    )
    return _syslog(f"srv-app01.{place.domain}", f"sshd[{pid}]", at, text)


def windows(place: Place, at: datetime, *, channel: str, event_id: int, **data: Any) -> Line:
    """A Windows event as NXLog writes it; `data` are the producer's own fields."""
    record = {
        "EventTime": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "Hostname": f"SRV-DC01.{place.domain}",
        "Computer": f"SRV-DC01.{place.domain}",
        "Channel": channel,
        "EventID": event_id,
        "SourceName": "Microsoft-Windows-Security-Auditing"
        if channel == "Security"
        else "Microsoft-Windows-Eventlog",
        **data,
    }
    return Line(at, "windows_events", orjson.dumps(record))


def _windows_logon(random_: random.Random, place: Place, at: datetime) -> Line:
    return windows(
        place,
        at,
        channel="Security",
        event_id=4624,
        TargetUserName=names.plain(names.person(random_)),
        TargetDomainName=place.acronym,
        LogonType="3",
        IpAddress=f"{place.network}.{random_.randrange(10, 240)}",
    )


def _flow(random_: random.Random, place: Place, at: datetime) -> Line:
    name = random_.choice((place.domain, "actualizaciones.example", "correo.example"))
    return _query(random_, place, at, name)


def _query(random_: random.Random, place: Place, at: datetime, name: str) -> Line:
    record = {
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%f}+0000",
        "event_type": "dns",
        "src_ip": f"{place.network}.{random_.randrange(10, 240)}",
        "src_port": random_.randrange(32768, 60999),
        "dest_ip": f"{place.network}.5",
        "dest_port": 53,
        "proto": "UDP",
        "dns": {
            "type": "query",
            "rrname": name,
            "rrtype": "A",
        },
    }
    return Line(at, "suricata_eve", orjson.dumps(record))


def _brute_force(random_: random.Random, place: Place, at: datetime) -> Iterator[Line]:
    attacker = random_.choice(ATTACKERS)
    for number in range(random_.randrange(8, 60)):
        user = random_.choice(("root", "admin", "oracle", "postgres", "test", "soporte", "backup"))
        text = (
            f"Failed password for {'invalid user ' if user in ('test', 'soporte') else ''}{user} "
            f"from {attacker} port {random_.randrange(32768, 60999)} ssh2"
        )
        at_ = at + timedelta(seconds=number * random_.uniform(1, 4))
        yield _syslog(f"srv-web01.{place.domain}", f"sshd[{4000 + number}]", at_, text)


def _scan(random_: random.Random, place: Place, at: datetime) -> Iterator[Line]:
    attacker = random_.choice(ATTACKERS)
    for number in range(random_.randrange(30, 90)):
        yield _access(
            random_, place, at + timedelta(seconds=number * 0.7), client=attacker,
            path=random_.choice(PROBED), status=404, agent="Mozilla/5.0 (compatible; Nikto/2.5.0)",
        )  # fmt: skip


def _inject(random_: random.Random, place: Place, at: datetime) -> Iterator[Line]:
    attacker = random_.choice(ATTACKERS)
    for number, path in enumerate(
        random_.choices(INJECTIONS + TRAVERSALS, k=random_.randrange(3, 14))
    ):
        yield _access(
            random_, place, at + timedelta(seconds=number * 9), client=attacker, path=path,
            status=random_.choice((200, 403, 500)),
        )  # fmt: skip


def _web_shell(random_: random.Random, place: Place, at: datetime) -> Iterator[Line]:
    attacker = random_.choice(ATTACKERS)
    for number in range(random_.randrange(2, 6)):
        yield _access(
            random_, place, at + timedelta(seconds=number * 40), client=attacker,
            path=random_.choice(SHELLS), status=200, method="POST", agent="curl/8.5.0",
        )  # fmt: skip


def _spray(random_: random.Random, place: Place, at: datetime) -> Iterator[Line]:
    attacker = random_.choice(ATTACKERS)
    for number in range(random_.randrange(12, 40)):
        yield windows(
            place, at + timedelta(seconds=number * 3), channel="Security", event_id=4625,
            TargetUserName=names.plain(names.person(random_)), TargetDomainName=place.acronym,
            LogonType="3", Status="0xc000006d", SubStatus="0xc000006a", IpAddress=attacker,
        )  # fmt: skip


def _cleared(random_: random.Random, place: Place, at: datetime) -> Iterator[Line]:
    yield windows(
        place, at, channel="Security", event_id=1102,
        SubjectUserName=names.plain(names.person(random_)), SubjectDomainName=place.acronym,
    )  # fmt: skip


def _signature(random_: random.Random, place: Place, at: datetime) -> Iterator[Line]:
    signature, category = random_.choice(
        (
            ("Conexión saliente a servidor de mando y control", "Malware Command and Control"),
            ("Intento de explotación de deserialización en servidor de aplicaciones",
             "Attempted Administrator Privilege Gain"),
            ("Descarga de ejecutable con extensión disfrazada", "A Network Trojan was detected"),
        )
    )  # fmt: skip
    attacker, victim = random_.choice(ATTACKERS), random_.randrange(10, 240)
    for number in range(random_.randrange(1, 7)):
        moment = at + timedelta(minutes=number * 6)
        record = {
            "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S.%f}+0000",
            "event_type": "alert",
            "src_ip": attacker,
            "src_port": 443,
            "dest_ip": f"{place.network}.{victim}",
            "dest_port": 49152 + number,
            "proto": "TCP",
            "alert": {
                "action": "allowed",
                "signature_id": 9_000_000 + number,
                "signature": signature,
                "category": category,
                "severity": 1,
            },
        }
        yield Line(moment, "suricata_eve", orjson.dumps(record))


def _beacon(random_: random.Random, place: Place, at: datetime) -> Iterator[Line]:
    name = f"cdn{random_.randrange(1, 9)}.{random_.choice(COMMAND_DOMAINS)}"
    for number in range(random_.randrange(4, 20)):
        moment = at + timedelta(minutes=5 * number, seconds=random_.uniform(0, 4))
        yield _query(random_, place, moment, name)


ATTACKS = (_brute_force, _scan, _inject, _web_shell, _spray, _cleared, _signature, _beacon)
PER_DAY = {  # ordinary records of one source at a place of weight 1
    "web_access": 220, "linux_auth": 90, "windows_events": 60, "suricata_eve": 30,
}  # fmt: skip
CUT_PER_DAY = 2
MAKERS = {
    "web_access": _visit, "linux_auth": _login, "windows_events": _windows_logon,
    "suricata_eve": _flow,
}  # fmt: skip
