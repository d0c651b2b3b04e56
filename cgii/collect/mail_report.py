"""What a mail says of itself, bounded: senders, subject, authentication, addresses, attachments.

Of the body only a bounded beginning is kept. A mail that carries another one (a reported phishing
sent on as an attachment) has that one's facts under `reported`.
"""

import hashlib
import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses
from html import unescape
from ipaddress import ip_address
from typing import Any

from cgii.base import limits
from cgii.collect import convert

# The parser of the standard library stumbles over some mails with whatever it was doing. OSError is
# a part of itself that it wants to load late, when the child can open nothing any more.
STUMBLES = (ValueError, LookupError, AttributeError, TypeError, RecursionError, MessageError)
BROKEN = (*STUMBLES, OSError)
URL = re.compile(r"""\bhttps?://[^\s<>"'\\^`{|}]{3,1900}""", re.IGNORECASE)
METHOD = re.compile(r"\b(spf|dkim|dmarc|arc)\s*=\s*([a-z]{1,20})", re.IGNORECASE)
ADDRESS = re.compile(r"\[(?:IPv6:)?([0-9a-fA-F:.]{3,45})\]")


def report(data: bytes) -> dict[str, Any]:
    """The facts of a mail. Whatever the bytes are, there is an answer."""
    try:
        message = BytesParser().parsebytes(data)
    except BROKEN as error:
        return {"unreadable": type(error).__name__}
    found = _facts(message)
    inner = next(_carried(message), None)
    if inner is not None:
        found["reported"] = _facts(inner)
        for name in ("urls", "attachment_names", "attachment_hashes"):
            both = dict.fromkeys([*found[name], *found["reported"].pop(name)])
            found[name] = list(both)[: limits.MAIL_PARTS_MAX]
    return found


def _facts(message: Message) -> dict[str, Any]:
    texts, attachments = _parts(message)
    whole = " ".join(texts)
    urls = (unescape(url).rstrip(".,;:!?)]") for url in URL.findall(whole))
    facts: dict[str, Any] = {
        "from": next(iter(_addresses(message, "from")), ""),
        "from_name": _name(message),
        "reply_to": next(iter(_addresses(message, "reply-to")), ""),
        "return_path": next(iter(_addresses(message, "return-path")), ""),
        "to": _addresses(message, "to"),
        "cc": _addresses(message, "cc"),
        "subject": _header(message, "subject"),
        "date": _header(message, "date"),
        "message_id": _header(message, "message-id").strip("<> "),
        "mailer": _header(message, "x-mailer") or _header(message, "user-agent"),
        "sender_ip": _sender_ip(message),
        "urls": list(dict.fromkeys(urls))[: limits.MAIL_PARTS_MAX],
        "attachment_names": [name for name, _ in attachments],
        "attachment_hashes": [value for _, value in attachments],
        "body": " ".join(texts[:1])[: limits.MAIL_BODY_CHARS_MAX].strip(),
    }
    # The topmost result is the one that the reader's own server wrote.
    for method, result in reversed(METHOD.findall(_header(message, "authentication-results"))):
        facts[method.lower()] = result.lower()
    return {name: value for name, value in facts.items() if value or isinstance(value, list)}


def _header(message: Message, name: str) -> str:
    return _decoded(_written(message, name))


def _written(message: Message, name: str) -> str:
    """A header as it was sent, so much of it as is looked at."""
    return " ".join(str(message.get(name, ""))[: limits.MAIL_HEADER_CHARS_MAX].split())


def _decoded(text: str) -> str:
    try:
        return str(make_header(decode_header(text)))
    except BROKEN:
        return text


def _pairs(message: Message, name: str) -> list[tuple[str, str]]:
    """Name and address of each, split before decoding: a name may have a comma in it."""
    found = getaddresses([_written(message, name)])[: limits.MAIL_PARTS_MAX]
    return [(_decoded(shown), address) for shown, address in found if "@" in address]


def _addresses(message: Message, name: str) -> list[str]:
    return [address for _, address in _pairs(message, name)]


def _name(message: Message) -> str:
    return next((shown for shown, _ in _pairs(message, "from")), "")


def _sender_ip(message: Message) -> str:
    """The first public address of the way here, from the newest on."""
    lines = [str(line) for line in message.get_all("received", [])]
    for line in lines[: limits.MAIL_PARTS_MAX]:
        for text in ADDRESS.findall(line[: limits.MAIL_HEADER_CHARS_MAX]):
            address = convert.bare_ip(text)
            if address and not _is_inside(address):
                return address
    return ""


def _is_inside(address: str) -> bool:
    return not ip_address(address).is_global


def _walk(message: Message) -> Iterator[Message]:
    """Its parts, bounded, without what is inside a mail that it carries."""
    waiting, seen = [message], 0
    while waiting and seen < limits.MAIL_PARTS_MAX:
        part = waiting.pop(0)
        seen += 1
        yield part
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            inside = part.get_payload()
            waiting += [one for one in inside if isinstance(one, Message)]


def _carried(message: Message) -> Iterator[Message]:
    for part in _walk(message):
        if part.get_content_type() == "message/rfc822" and part.is_multipart():
            yield from (one for one in part.get_payload() if isinstance(one, Message))


def _parts(message: Message) -> tuple[list[str], list[tuple[str, str]]]:
    texts: list[str] = []
    attachments: list[tuple[str, str]] = []
    for part in _walk(message):
        if part.get_content_maintype() in ("multipart", "message"):
            continue
        try:
            name = part.get_filename() or ""
            data = part.get_payload(decode=True)
            if not isinstance(data, bytes):
                continue
            if not name and part.get_content_maintype() == "text":
                charset = part.get_content_charset("utf-8")
                texts.append(data[: limits.MAIL_BYTES_MAX].decode(charset, "replace"))
            else:
                shown = name[: limits.MAIL_HEADER_CHARS_MAX] or part.get_content_type()
                attachments.append((shown, hashlib.sha256(data).hexdigest()))
        except BROKEN:
            continue
    return texts, attachments
