"""NetFlow v5, v9 and IPFIX: datagrams in, flow records out, templates and losses kept in bounds."""

import struct
from collections import deque
from dataclasses import dataclass, field

from cgii.base import limits
from cgii.collect.packets.flow_fields import NAMES, TEXTS, Moment, Record, Samplers, finished

V5_HEAD = struct.Struct(">HHIIIIBBH")
V5_FLOW = struct.Struct(">4s4s4sHHIIIIHHxBBBHHBBxx")
LONGEST_GAP = 2**20  # more is a restart of the exporter
GAPS_KEPT = 16  # of one domain: numbers that are missing, and may still come
VARIABLE = 0xFFFF


class NotNetflow(Exception):  # noqa: N818  a verdict on a datagram, not a fault of ours
    """The datagram is none, or is cut."""


@dataclass(frozen=True, slots=True)
class Template:
    """How records of one kind are laid out: (element, length) each; a private element is 0."""

    fields: tuple[tuple[int, int], ...]
    is_options: bool = False

    @property
    def least(self) -> int:
        """Bytes of the shortest record."""
        return sum(1 if size == VARIABLE else size for _, size in self.fields)


@dataclass(slots=True)
class Domain:
    """One exporter's observation domain."""

    version: int
    templates: dict[int, Template] = field(default_factory=dict)
    waiting: deque[tuple[int, bytes, Moment]] = field(default_factory=deque)
    expected: int | None = None
    gaps: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=GAPS_KEPT))
    samplers: Samplers = field(default_factory=Samplers)
    started_ms: int = 0  # since 1970, as IPFIX tells it; 0 is unknown


@dataclass
class Exporters:
    """All exporters heard. `read` gives the flows of a datagram; what is lost is counted."""

    domains: dict[tuple[str, int, int], Domain] = field(default_factory=dict)
    lost: int = 0  # flows, or datagrams of version 9, that the numbering shows to be missing
    unexplained: int = 0  # sets given up, because their template did not come
    surplus: int = 0  # records left out, because one datagram brought too many
    malformed: int = 0
    held: int = 0  # bytes of all sets that wait
    fields: int = 0  # of all templates
    _room: int = 0  # records that the datagram at hand may still bring

    def read(self, data: bytes, exporter: str) -> list[Record]:
        """The flows that are known by this datagram. Never raises."""
        try:
            return self._read(data, exporter)
        except (NotNetflow, struct.error, IndexError):
            self.malformed += 1
            return []

    def _read(self, data: bytes, exporter: str) -> list[Record]:
        (version,) = struct.unpack_from(">H", data)
        self._room = limits.NETFLOW_RECORDS_MAX
        if version == 5:
            return self._version_5(data, exporter)
        if version == 9:
            _, _, uptime, seconds, sequence, number = struct.unpack_from(">HHIIII", data)
            domain = self._domain(exporter, 9, number)
            self._count(domain, sequence, 1)
            found = self._sets(data[20:], domain, Moment(9, float(seconds), uptime))
        elif version == 10:
            _, length, seconds, sequence, number = struct.unpack_from(">HHIII", data)
            if length > len(data):
                raise NotNetflow
            domain = self._domain(exporter, 10, number)
            before = len(domain.waiting), self.surplus, self.malformed
            found = self._sets(data[16:length], domain, Moment(10, float(seconds)))
            # Its numbers count records, those of options too; how many wait or are cut is unknown.
            knows = (len(domain.waiting), self.surplus, self.malformed) == before
            count = limits.NETFLOW_RECORDS_MAX - self._room
            self._count(domain, sequence, count if knows else None)
        else:
            raise NotNetflow
        return [{"netflow_version": version, "exporter": exporter, "domain": number, **one}
                for one in found]  # fmt: skip

    def _domain(self, exporter: str, version: int, number: int) -> Domain:
        key = (exporter, version, number)
        domain = self.domains.pop(key, None) or Domain(version)
        self.domains[key] = domain  # the newest last: the one unheard of for longest gives way
        if len(self.domains) > limits.NETFLOW_DOMAINS_MAX:
            self._give_up(self.domains.pop(next(iter(self.domains))))
        return domain

    def _give_up(self, domain: Domain) -> None:
        self.unexplained += len(domain.waiting)
        self.held -= sum(_weight(body) for _, body, _ in domain.waiting)
        domain.waiting.clear()
        for number in list(domain.templates):
            self._forget(domain, number)

    def _forget(self, domain: Domain, number: int) -> None:
        template = domain.templates.pop(number, None)
        self.fields -= len(template.fields) if template else 0

    def _count(self, domain: Domain, sequence: int, size: int | None) -> None:
        for gap in domain.gaps:
            before = (sequence - gap[0]) % 2**32
            if size and before < gap[1]:  # it was overtaken on its way
                behind = max(gap[1] - before - size, 0)
                self.lost -= gap[1] - before - behind
                domain.gaps.remove(gap)
                domain.gaps += [(gap[0], before), ((sequence + size) % 2**32, behind)]
                return
        if domain.expected is not None:
            missing = (sequence - domain.expected) % 2**32
            if 0 < missing < LONGEST_GAP:
                self.lost += missing
                domain.gaps.append((domain.expected, missing))
        domain.expected = None if size is None else (sequence + size) % 2**32

    def _version_5(self, data: bytes, exporter: str) -> list[Record]:
        _, count, uptime, seconds, nanoseconds, sequence, kind, engine, sampling = (
            V5_HEAD.unpack_from(data)
        )
        if count > 30 or len(data) < 24 + count * 48:
            raise NotNetflow
        domain = self._domain(exporter, 5, kind << 8 | engine)
        self._count(domain, sequence, count)
        moment = Moment(5, seconds + nanoseconds / 1e9, uptime)
        found = []
        for number in range(count):
            (source, destination, hop, put_in, put_out, packets, size, first, last, source_port,
             port, flags, protocol, tos, source_as, destination_as, _, _) = V5_FLOW.unpack_from(
                data, 24 + 48 * number
            )  # fmt: skip
            told: Record = {
                "src_ip": source, "dst_ip": destination, "next_hop": hop, "input_if": put_in,
                "output_if": put_out, "packets": packets, "bytes": size, "src_port": source_port,
                "dst_port": port, "tcp_flags": flags, "protocol": protocol, "tos": tos,
                "src_as": source_as, "dst_as": destination_as, "first_uptime": first,
                "last_uptime": last,
            }  # fmt: skip
            if sampling & 0x3FFF:
                told["sampling_interval"] = sampling & 0x3FFF
            found.append(finished(told, moment, 0))
        return [{"netflow_version": 5, "exporter": exporter, "domain": kind << 8 | engine, **one}
                for one in found]  # fmt: skip

    def _sets(self, data: bytes, domain: Domain, moment: Moment) -> list[Record]:
        found: list[Record] = []
        at, has_templates = 0, False
        while at + 4 <= len(data):
            number, size = struct.unpack_from(">HH", data, at)
            if size < 4 or at + size > len(data):
                self.malformed += 1  # what stood before is still worth telling
                break
            body = data[at + 4 : at + size]
            at += size
            if number in (0, 2):
                self._templates(body, domain)
                has_templates = True
            elif number in (1, 3):
                self._option_templates(body, domain, number)
                has_templates = True
            elif number >= 256:
                template = domain.templates.get(number)
                if template is None:
                    self._wait(domain, number, body, moment)
                else:
                    found += self._records(body, template, domain, moment)
        if has_templates:  # once, however many there were
            found += self._explained(domain)
        return found

    def _wait(self, domain: Domain, number: int, body: bytes, moment: Moment) -> None:
        domain.waiting.append((number, body, moment))
        self.held += _weight(body)
        if len(domain.waiting) > limits.NETFLOW_WAITING_SETS_MAX:
            _, gone, _ = domain.waiting.popleft()
            self.held -= _weight(gone)
            self.unexplained += 1
        if self.held > limits.NETFLOW_WAITING_BYTES_MAX:
            # Of all that wait, those of whoever has not been heard of for longest.
            self._give_up(next(one for one in self.domains.values() if one.waiting))

    def _explained(self, domain: Domain) -> list[Record]:
        found, still = [], deque[tuple[int, bytes, Moment]]()
        for number, body, moment in domain.waiting:
            template = domain.templates.get(number)
            if template is None:
                still.append((number, body, moment))
            else:
                self.held -= _weight(body)
                found += self._records(body, template, domain, moment)
        domain.waiting = still
        return found

    def _templates(self, body: bytes, domain: Domain) -> None:
        at = 0
        while at + 4 <= len(body):
            number, count = struct.unpack_from(">HH", body, at)
            if number < 256:
                return  # what fills up the set
            fields, at = _layout(body, at + 4, count, domain.version)
            self._keep(domain, number, Template(fields))

    def _option_templates(self, body: bytes, domain: Domain, kind: int) -> None:
        at = 0
        while at + 6 <= len(body):
            number, first, second = struct.unpack_from(">HHH", body, at)
            if number < 256:
                return
            # Version 9 tells the bytes of scope and options, IPFIX how many fields there are.
            count, scope = ((first + second) // 4, first // 4) if kind == 1 else (first, 0)
            fields, at = _layout(body, at + 6, count, domain.version)
            if kind == 1:  # scopes of version 9 have numbers of their own
                fields = (*((0, size) for _, size in fields[:scope]), *fields[scope:])
            self._keep(domain, number, Template(fields, is_options=True))

    def _keep(self, domain: Domain, number: int, template: Template) -> None:
        """Have a template apply from now on; one without fields is taken back."""
        self._forget(domain, number)
        if not template.fields:
            return
        # A field of no bytes says nothing, and many of them would cost time for each record.
        fields = tuple((element, size) for element, size in template.fields if size)
        template = Template(fields, template.is_options)
        # What samples, and how, fits in a byte or two; a flow has addresses and counts.
        if template.least < (1 if template.is_options else limits.NETFLOW_RECORD_BYTES_MIN):
            self.malformed += 1
            return
        domain.templates[number] = template
        self.fields += len(template.fields)
        if len(domain.templates) > limits.NETFLOW_TEMPLATES_MAX:
            self._forget(domain, next(iter(domain.templates)))
        while self.fields > limits.NETFLOW_ALL_FIELDS_MAX:
            oldest = next(one for one in self.domains.values() if one.templates)
            self._forget(oldest, next(iter(oldest.templates)))

    def _records(
        self, body: bytes, template: Template, domain: Domain, moment: Moment
    ) -> list[Record]:
        found: list[Record] = []
        at, least = 0, template.least
        while at + least <= len(body):
            if not self._room:
                self.surplus += (len(body) - at) // least
                break
            self._room -= 1
            try:
                told, at = _one(body, at, template)
            except (NotNetflow, struct.error, IndexError):
                self.malformed += 1  # what stood before is still worth telling
                break
            if template.is_options:
                domain.samplers.learn(told)
                domain.started_ms = told.get("started_ms", domain.started_ms)
                continue
            started = told.pop("started_ms", domain.started_ms)
            found.append(finished(told, moment.started(started), domain.samplers.of(told)))
        return found


def _layout(
    body: bytes, at: int, count: int, version: int
) -> tuple[tuple[tuple[int, int], ...], int]:
    if count > limits.NETFLOW_FIELDS_MAX:
        raise NotNetflow
    fields = []
    for _ in range(count):
        element, size = struct.unpack_from(">HH", body, at)
        at += 4
        # A maker's own, named by its number. In version 9 makers just took high numbers.
        if element & 0x8000 and version != 9:
            struct.unpack_from(">I", body, at)
            element, at = 0, at + 4
        fields.append((element, size))
    return tuple(fields), at


def _weight(body: bytes) -> int:
    """Bytes of memory that a waiting set takes, about."""
    return len(body) + 200


def _one(body: bytes, at: int, template: Template) -> tuple[Record, int]:
    """A record as it lies there, and where the next one begins."""
    raw: dict[str, bytes] = {}
    for element, size in template.fields:
        if size == VARIABLE:
            size, at = body[at], at + 1
            if size == 255:
                (size,) = struct.unpack_from(">H", body, at)
                at += 2
        value = body[at : at + size]
        if len(value) < size:
            raise NotNetflow
        at += size
        name = NAMES.get(element)
        # Of two (IPv4 and IPv6, or both kinds of counters) the one that is not used is zero.
        if name is not None and (name not in raw or (any(value) and not any(raw[name]))):
            raw[name] = value
    told = {
        name: value if name in TEXTS else int.from_bytes(value[:8]) for name, value in raw.items()
    }
    return told, at
