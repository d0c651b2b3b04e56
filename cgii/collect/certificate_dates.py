"""Until when a certificate is valid, read from its own bytes: the base install has no library."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from cgii.base.errors import Invalid

SEQUENCE, VERSION, UTC_TIME, LONG_TIME = 0x30, 0xA0, 0x17, 0x18


def valid_from_to(path: Path) -> tuple[datetime, datetime]:
    """The validity of the first certificate in a PEM file. Raises Invalid if there is none."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
        begin = text.index("-----BEGIN CERTIFICATE-----")
        end = text.index("-----END CERTIFICATE-----", begin) + len("-----END CERTIFICATE-----")
        return _validity(ssl.PEM_cert_to_DER_cert(text[begin:end]))
    except (OSError, ValueError, IndexError) as error:
        raise Invalid("{path} no trae un certificado legible.", path=path) from error


def _validity(der: bytes) -> tuple[datetime, datetime]:
    # Certificate { body { [version] serial algorithm issuer validity …
    _, whole, _ = _next(der)
    _, body, _ = _next(whole)
    kind, _, rest = _next(body)
    skipped = 3 if kind == VERSION else 2
    for _ in range(skipped):
        _, _, rest = _next(rest)
    _, validity, _ = _next(rest)
    first, begins, rest = _next(validity)
    second, ends, _ = _next(rest)
    return _time(first, begins), _time(second, ends)


def _next(data: bytes) -> tuple[int, bytes, bytes]:
    """Kind and content of the first element, and what follows it (DER)."""
    kind, length, at = data[0], data[1], 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[at : at + count], "big")
        at += count
    if at + length > len(data):
        raise ValueError("cut")
    return kind, data[at : at + length], data[at + length :]


def _time(kind: int, text: bytes) -> datetime:
    if kind not in (UTC_TIME, LONG_TIME):
        raise ValueError("no time")
    form = "%y%m%d%H%M%SZ" if kind == UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC)
