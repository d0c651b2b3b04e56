"""The child that reads a mailbox over IMAP with TLS, from the last mail that was delivered.

It gets what to read and an address that was chosen for it, and writes a line of JSON for each
thing, as `whole_files` does; `{"step": uid}` before a mail tells which one it died over. Nothing in
the mailbox is changed.
"""

import base64
import imaplib
import json
import re
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from cgii.base import confine, limits
from cgii.base.late_parts import load_late_parts
from cgii.base.reasons import why
from cgii.collect.mail_report import report

PARTS = "(INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{size}>)"
NOT_ASCII = re.compile(r"[^ -~]+")
REFUSED = "refused"  # the loss of a mail that the server does not hand over


class PinnedIMAP(imaplib.IMAP4_SSL):
    """Goes to one address, and expects there the certificate of the name."""

    def __init__(self, address: str, host: str, port: int, context: ssl.SSLContext) -> None:
        self._address = address
        self.was_too_large = False
        super().__init__(host, port, ssl_context=context, timeout=limits.IMAP_SECONDS_MAX)

    def read(self, size: int) -> bytes:
        """As many bytes as the server announces, unless that is more than was asked for."""
        if size > limits.MAIL_BYTES_MAX + limits.READ_CHUNK_BYTES:
            self.was_too_large = True
            raise self.abort("el servidor anuncia más de lo pedido")
        return super().read(size)

    def readline(self) -> bytes:
        """A line, which lists all mails of a large mailbox."""
        line: bytes = self.file.readline(limits.IMAP_LINE_BYTES_MAX + 1)
        if len(line) > limits.IMAP_LINE_BYTES_MAX:
            raise self.abort("el servidor da una línea demasiado larga")
        return line

    def sign_in(self, user: str, password: str) -> None:
        """Raises IMAP4.error, or ValueError if the server takes no such password."""
        if (user + password).isascii():
            self.login(user, password)
        elif "AUTH=PLAIN" in self.capabilities:
            self.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        else:
            raise ValueError("el servidor no admite contraseñas con acentos (le falta AUTH=PLAIN)")

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        found = socket.create_connection((self._address, self.port), timeout)
        secured: ssl.SSLSocket = self.ssl_context.wrap_socket(found, server_hostname=self.host)
        return secured


def connected(address: str, host: str, port: int, *, ca: str | None) -> PinnedIMAP:
    """A connection with TLS 1.2 or newer. Raises IMAP4.error or OSError."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return PinnedIMAP(address, host, port, context)


def main() -> None:
    """Read the mailbox that the one argument names, as `mail.Request`."""
    request = json.loads(sys.argv[1])
    confine.bound_effort(limits.IMAP_CPU_SECONDS)
    load_late_parts()
    progress = confine.Progress()
    try:
        for answer in read(request):
            progress.renew()
            _say(answer)
    except (imaplib.IMAP4.error, OSError, ValueError) as error:
        _say({"loss": "unavailable", "detail": why(error)[: limits.SHORT_TEXT_CHARS_MAX]})
    _say({"done": True})


def read(request: dict[str, Any]) -> Iterator[Any]:
    """Every new mail in the order of its number. Raises IMAP4.error, OSError or ValueError."""
    password = Path(request["password_file"]).read_text(encoding="utf-8-sig").strip()
    box = connected(request["address"], request["host"], request["port"], ca=request["ca"])
    try:
        confine.open_nothing_more()  # whatever a mail does, it is heard by its own server alone
        box.sign_in(request["user"], password)
        yield from _new_mails(box, request)
    except imaplib.IMAP4.abort:
        if not box.was_too_large:
            raise
        yield {"loss": "size", "detail": ""}
    finally:
        box.shutdown()


def _new_mails(box: PinnedIMAP, request: dict[str, Any]) -> Iterator[Any]:
    _expect(box.select(quoted(request["folder"]), readonly=True))
    validity = _number((box.response("UIDVALIDITY")[1] or [None])[0])
    continues = str(validity) == request["validity"]
    after = request["after"] if continues else 0
    yield {"begins": str(validity), "continues": continues}
    listed = _expect(box.uid("SEARCH", f"UID {after + 1}:*"))
    found = b" ".join(filter(None, listed)).split()  # some servers say it in several lines
    numbers = sorted({int(one) for one in found if one.isdigit()})
    # `n:*` always has the newest mail in it, also when that is older than n.
    for number in [one for one in numbers if one > after][: limits.IMAP_MAILS_MAX]:
        yield {"step": number}
        try:
            head, data = _fetched(box, number)
        except FetchError as answer:  # the mail cannot be had, and the others can
            yield {"loss": REFUSED, "detail": str(answer)[: limits.SHORT_TEXT_CHARS_MAX]}
            return
        yield [number, _record(request, number, head, data)]


class FetchError(Exception):
    """The server does not hand a mail over, and the connection goes on."""


def _fetched(box: PinnedIMAP, number: int) -> tuple[bytes, bytes]:
    """What the server says of a mail, and the mail. Raises FetchError, IMAP4.abort or OSError."""
    try:
        status, found = box.uid("FETCH", str(number), PARTS.format(size=limits.MAIL_BYTES_MAX))
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:  # BAD
        raise FetchError(error) from error
    pair = next((one for one in found if isinstance(one, tuple)), None)
    if status != "OK" or pair is None:  # OK with nothing, or with NIL
        raise FetchError(words_of(found))
    return pair


def _record(request: dict[str, Any], number: int, head: bytes, data: bytes) -> str:
    facts = {
        "mail_report": 1,
        "time": _received(head),
        "mailbox": request["mailbox"],
        "uid": number,
        "is_cut": len(data) >= limits.MAIL_BYTES_MAX,
        **report(data),
    }
    text = json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace").decode()
    return text if len(text) <= limits.LINE_BYTES_MAX // 4 else _shorter(facts)


def _received(head: bytes) -> str | None:
    received = imaplib.Internaldate2tuple(head)
    try:
        at = datetime.fromtimestamp(time.mktime(received), UTC) if received else None
    except (ValueError, OverflowError):
        return None  # a year that no calendar has
    return at.isoformat() if at else None


def _shorter(facts: dict[str, Any]) -> str:
    keep = ("mail_report", "time", "mailbox", "uid", "from", "subject", "message_id")
    short = {name: facts[name] for name in keep if name in facts} | {"is_cut": True}
    return json.dumps(short)


def _expect(answer: tuple[str, list[Any]]) -> list[Any]:
    if answer[0] != "OK":
        raise imaplib.IMAP4.error(words_of(answer[1])[: limits.SHORT_TEXT_CHARS_MAX])
    return answer[1]


def words_of(said: list[Any]) -> str:
    """What a server said, as text."""
    found = (one for one in said if isinstance(one, bytes))
    return b" ".join(found).decode(errors="replace").strip() or "el servidor no dice por qué"


def _number(text: bytes | None) -> int:
    if not text or not text.isdigit():
        raise ValueError("el servidor no da UIDVALIDITY")
    return int(text)


def quoted(folder: str) -> str:
    """A folder's name as IMAP takes it: with accents in modified UTF-7 (RFC 3501), else as it is.

    So a name that somebody wrote in that form already stays right.
    """
    if not folder.isascii():
        folder = NOT_ASCII.sub(_in_base_64, folder.replace("&", "&-"))
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _in_base_64(found: re.Match[str]) -> str:
    data = base64.b64encode(found[0].encode("utf-16-be")).decode()
    return f"&{data.rstrip('=').replace('/', ',')}-"


def _say(answer: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
