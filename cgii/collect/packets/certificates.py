"""The facts of an X.509 certificate that a server showed in the clear, read from its DER."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from cgii.base import limits

INTEGER, OBJECT, SEQUENCE, SET, TIME, LONG_TIME = 0x02, 0x06, 0x30, 0x31, 0x17, 0x18
WIDE_TEXT = 0x1E
NAMES = {
    b"\x55\x04\x03": "CN", b"\x55\x04\x06": "C", b"\x55\x04\x07": "L", b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU", b"\x55\x04\x05": "serialNumber",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "emailAddress",
}  # fmt: skip
OTHER_NAMES = b"\x55\x1d\x11"
EXTENSIONS_TAG, DNS_NAME, IP_NAME = 0xA3, 0x82, 0x87
MOMENT = re.compile(rb"(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z")
TEXT_CHARS_MAX = 1_000


class NotCertificate(Exception):  # noqa: N818  a verdict on bytes, not a fault of ours
    """The bytes are no certificate."""


@dataclass(frozen=True, slots=True)
class _Part:
    tag: int
    body: bytes

    def parts(self) -> "list[_Part]":
        """What it is made of. Raises NotCertificate."""
        found, at = [], 0
        while at < len(self.body):
            part, at = _part(self.body, at)
            found.append(part)
        return found


def read_certificate(data: bytes) -> dict[str, Any]:
    """Subject, issuer, serial, validity, names and hash. Raises NotCertificate."""
    try:
        whole, _ = _part(data, 0)
        fields = whole.parts()[0].parts()
        if fields[0].tag == 0xA0:  # the version, which old ones leave out
            fields = fields[1:]
        serial, _, issuer, validity, subject = fields[:5]
        begin, end = (_moment(part) for part in validity.parts()[:2])
        told = {
            "subject": _name(subject),
            "issuer": _name(issuer),
            "serial": serial.body[:64].hex().upper(),
            "not_valid_before": begin,
            "not_valid_after": end,
            "self_signed": subject.body == issuer.body,
            "cert_sha256": hashlib.sha256(data).hexdigest(),
            "cert_sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        }
        names = [name for part in fields[5:] if part.tag == EXTENSIONS_TAG for name in _names(part)]
    except (IndexError, ValueError) as error:
        raise NotCertificate from error
    return told | ({"san": names[: limits.NAMES_MAX]} if names else {})


def _part(data: bytes, at: int) -> tuple[_Part, int]:
    tag, size = data[at], data[at + 1]
    at += 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4:
            raise NotCertificate
        size = int.from_bytes(data[at : at + count])
        at += count
    if at + size > len(data):
        raise NotCertificate
    return _Part(tag, data[at : at + size]), at + size


def _name(part: _Part) -> str:
    """`CN=…,O=…`, the most particular first, as Zeek writes it."""
    found = []
    for group in part.parts():
        for pair in group.parts():
            kind, value = pair.parts()[:2]
            text = value.body.decode("utf-16-be" if value.tag == WIDE_TEXT else "utf-8", "replace")
            escaped = re.sub(r'([,+"\\<>;])', r"\\\1", text[:TEXT_CHARS_MAX])
            found.append(f"{NAMES.get(kind.body, kind.body.hex())}={escaped}")
    return ",".join(reversed(found))[:TEXT_CHARS_MAX]


def _moment(part: _Part) -> str:
    found = MOMENT.fullmatch(part.body)
    if found is None:
        raise NotCertificate
    year, month, day, hour, minute, second = (
        one.decode() if one else "00" for one in found.groups()
    )
    if len(year) == 2:
        year = ("19" if year >= "50" else "20") + year
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"


def _names(part: _Part) -> list[str]:
    (extensions,) = part.parts()
    found = []
    for extension in extensions.parts():
        kind, *_, value = extension.parts()
        if kind.body == OTHER_NAMES:
            (names,) = _Part(0, value.body).parts()
            for name in names.parts():
                if name.tag == DNS_NAME:
                    found.append(name.body.decode("ascii", "backslashreplace")[:TEXT_CHARS_MAX])
                elif name.tag == IP_NAME and len(name.body) == 4:
                    found.append(".".join(map(str, name.body)))
    return found
