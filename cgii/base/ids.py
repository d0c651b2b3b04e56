"""Identifiers: deterministic ones from content, random ones for secrets, public codes."""

import hashlib
import secrets
from collections.abc import Callable

_STREAM_DIGITS = 20  # of the 32 in an event's id
_NUMBERS = 16**12  # as many as the other 12 can hold


def event_id(stream: str, epoch: str, seq: int) -> str:
    """The id of the record that `stream` numbered `seq` in `epoch`: 32 hex digits.

    The same record sent twice has the same id, two equal lines have different ones. Records that
    follow one another have ids that do, so that an index of them grows in few places.
    """
    return event_ids(stream, epoch)(seq)


def event_ids(stream: str, epoch: str) -> Callable[[int], str]:
    """`event_id` for many records of one stream: what all of them share is digested once."""
    beginning = digest("event", stream, epoch)[:_STREAM_DIGITS]

    def of(seq: int) -> str:
        if 0 <= seq < _NUMBERS:
            return f"{beginning}{seq:012x}"
        return digest("event", stream, epoch, str(seq))  # a sender that numbers by a clock

    return of


def digest(*parts: str) -> str:
    """A 32-digit hex name for the parts; each has its length before it: ("ab","c") ≠ ("a","bc")."""
    return digest_packed(packed(*parts))


def packed(*parts: str) -> bytes:
    """The parts as `digest` puts them together; two of these one after the other are one more."""
    whole = bytearray()
    for part in parts:
        data = part.encode()
        whole += len(data).to_bytes(4, "big")
        whole += data
    return bytes(whole)


def digest_packed(whole: bytes) -> str:
    """The `digest` of parts that are packed: most names of a kind begin alike."""
    return hashlib.blake2b(whole, digest_size=16).hexdigest()


def token(prefix: str = "") -> str:
    """A fresh secret with 256 bits, shown once; store `hash_token` of it."""
    return prefix + secrets.token_urlsafe(32)


def hash_token(secret: str) -> str:
    """What is stored of a secret: SHA-256 in hex. Enough for 256 random bits, not for passwords."""
    return hashlib.sha256(secret.encode()).hexdigest()


def incident_code(year: int, number: int) -> str:
    """`CGII-2026-000042`."""
    return f"CGII-{year}-{number:06d}"


def notice_code(year: int, number: int) -> str:
    """`REP-2026-000042`: the number on a reporter's receipt."""
    return f"REP-{year}-{number:06d}"


def submission_code(year: int, number: int) -> str:
    """`PISI-2026-000042`: the number on the receipt of a filed plan."""
    return f"PISI-{year}-{number:06d}"


def decision_code(year: int, number: int) -> str:
    """`DEC-2026-000042`: the number of a decision on a plan."""
    return f"DEC-{year}-{number:06d}"
