"""Opens archives, mails, macros and PDF streams, within bounds; runs in the child that may die.

Nothing is written anywhere: each member is bytes in memory, cut at a limit. Whatever was not
opened leaves a code in `Opening.reasons`, so that nobody calls the file clean.
"""

import bz2
import email
import email.policy
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from mmap import mmap
from typing import IO

from cgii.base import limits
from cgii.detect.yara_macros import macros

Data = bytes | mmap
HEADS = (
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"\x1f\x8b", "GZIP"),
    (b"BZh", "BZIP2"),
    (b"\xfd7zXZ\0", "XZ"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7Z"),
    (b"MSCF\0\0\0\0", "CAB"),
    (b"\x28\xb5\x2f\xfd", "ZSTD"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE"),
    (b"\x7fELF", "ELF"),
    (b"L\0\0\0\x01\x14\x02\0", "LNK"),
    (b"{\\rt", "RTF"),
    (b"MZ", "EXE"),
)
NOT_OPENED = frozenset({"RAR", "7Z", "CAB", "ZSTD"})
PACKED = frozenset({"GZIP", "BZIP2", "XZ"})
# What broken, hostile or unsupported input makes these libraries raise.
BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(ValueError, LookupError, OverflowError, NotImplementedError, RuntimeError),
)
MAIL_HEAD = re.compile(
    rb"(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*){0,40}?"
    rb"(?:from|subject|message-id|mime-version|received):",
    re.IGNORECASE,
)
PDF_STREAM = re.compile(rb"stream\r?\n(?=x)")
ZIP_TAIL_BYTES = 66_000  # an archive glued to something else has its directory at the end


@dataclass
class Opening:
    """How much of one file has been unpacked, and what was left unseen."""

    depth_max: int
    members: int = 0
    unpacked: int = 0
    reasons: set[str] = field(default_factory=set)

    def take(self, stream: IO[bytes]) -> bytes:
        """The next member, cut at what is left of the bounds."""
        most = min(limits.YARA_MEMBER_BYTES_MAX, limits.YARA_UNPACKED_BYTES_MAX - self.unpacked)
        data = stream.read(max(most, 0) + 1)
        self.members += 1
        if len(data) > most:
            self.reasons.add("unpacked_too_big")
            data = data[:most]
        self.unpacked += len(data)
        return data

    @property
    def is_over(self) -> bool:
        """Whether no further member is to be opened; says why."""
        if self.members >= limits.YARA_MEMBERS_MAX:
            self.reasons.add("too_many_members")
            return True
        if self.unpacked >= limits.YARA_UNPACKED_BYTES_MAX:
            self.reasons.add("unpacked_too_big")
            return True
        return False


def kind_of(data: Data) -> str:
    """What the first bytes say a file is: "ZIP", "PDF", "ELF", …; empty when unknown."""
    head = bytes(data[:1_024])
    for start, kind in HEADS:
        if head.startswith(start):
            return kind
    if b"%PDF-" in head:
        return "PDF"
    if head[257:262] == b"ustar":
        return "TAR"
    if MAIL_HEAD.match(bytes(data[:8_192])):
        return "MAIL"
    return ""


def members(
    data: Data, file: IO[bytes], opening: Opening, *, depth: int = 0
) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of everything inside, at any depth; `file` is the same data to be read."""
    file.seek(0)  # whoever had it before left it anywhere
    kind = kind_of(data)
    if kind in NOT_OPENED:
        opening.reasons.add("unsupported_archive")
        return
    if depth >= opening.depth_max and _is_archive(kind, data):
        opening.reasons.add("too_deep")
        return
    if depth > opening.depth_max:
        return  # what came out of a document is looked at, and not opened again
    inside = _inside(kind, data, file, opening)
    while True:
        try:
            name, member = next(inside)
        except StopIteration:
            return
        except BROKEN:
            opening.reasons.add("damaged")
            return
        yield name, member
        for inner, found in members(member, io.BytesIO(member), opening, depth=depth + 1):
            yield f"{name}/{inner}", found


def _is_archive(kind: str, data: Data) -> bool:
    return kind in ("ZIP", "TAR", "MAIL", *PACKED) or _has_zip_tail(data)


def _has_zip_tail(data: Data) -> bool:
    return b"PK\x05\x06" in bytes(data[max(0, len(data) - ZIP_TAIL_BYTES) :])


def _inside(
    kind: str, data: Data, file: IO[bytes], opening: Opening
) -> Iterator[tuple[str, bytes]]:
    if kind == "ZIP":
        yield from _zip(file, opening)
    elif kind == "TAR":
        yield from _tar(file, opening)
    elif kind in PACKED:
        yield from _packed(kind, file, opening)
    elif kind == "PDF":
        yield from _pdf(data, opening)
    elif kind == "OLE":
        if data.find("EncryptedPackage".encode("utf-16-le")) >= 0:
            opening.reasons.add("encrypted")
    elif kind == "MAIL":
        yield from _mail(file, opening)
    elif _has_zip_tail(data):
        yield from _zip(file, opening)
    if kind in ("OLE", ""):  # a macro project lies bare in an OOXML file, too
        for number, source in enumerate(macros(data), start=1):
            yield f"macro {number}", opening.take(io.BytesIO(source))


def _zip(file: IO[bytes], opening: Opening) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if opening.is_over:
                return
            if info.flag_bits & 0x1:
                opening.reasons.add("encrypted")
                continue
            try:
                with archive.open(info) as stream:
                    data = opening.take(stream)
            except NotImplementedError:
                opening.reasons.add("unsupported_archive")
                continue
            except BROKEN:
                opening.reasons.add("damaged")  # the other members may be whole
                continue
            yield info.filename, data


def _tar(file: IO[bytes], opening: Opening) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=file, mode="r|") as archive:
        for info in archive:
            if not info.isreg():
                continue
            if opening.is_over:
                return
            stream = archive.extractfile(info)
            if stream is not None:
                yield info.name, opening.take(stream)


def _packed(kind: str, file: IO[bytes], opening: Opening) -> Iterator[tuple[str, bytes]]:
    file.seek(0)
    with _stream(kind, file) as stream:
        head = stream.read(512)
    file.seek(0)
    with _stream(kind, file) as stream:
        if kind_of(head) == "TAR":
            yield from _tar(stream, opening)
        elif not opening.is_over:
            yield "contenido", opening.take(stream)


def _stream(kind: str, file: IO[bytes]) -> IO[bytes]:
    if kind == "GZIP":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]  # it reads like one
    if kind == "BZIP2":
        return bz2.BZ2File(file)
    return lzma.LZMAFile(file)


def _pdf(data: Data, opening: Opening) -> Iterator[tuple[str, bytes]]:
    """All streams of a PDF together: what it runs may stand in a compressed one."""
    if data.find(b"/Encrypt") >= 0:
        opening.reasons.add("encrypted")
    whole = io.BytesIO()
    room = limits.YARA_MEMBER_BYTES_MAX
    for found in PDF_STREAM.finditer(data):
        begin = found.end()
        try:
            piece = zlib.decompressobj().decompress(data[begin : begin + room], room)
        except zlib.error:
            continue  # it is compressed in another way, or only looks like a stream
        whole.write(piece + b"\n")
        room -= len(piece) + 1
        if room <= 0:
            opening.reasons.add("unpacked_too_big")
            break
    if whole.tell():
        whole.seek(0)
        yield "flujos", opening.take(whole)


def _mail(file: IO[bytes], opening: Opening) -> Iterator[tuple[str, bytes]]:
    file.seek(0)
    raw = file.read(limits.YARA_MEMBER_BYTES_MAX)
    message = email.message_from_bytes(raw, EmailMessage, policy=email.policy.default)
    for number, part in enumerate(message.walk(), start=1):
        if part.is_multipart():
            continue
        if opening.is_over:
            return
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            name = part.get_filename() or f"parte {number}"
            yield str(name), opening.take(io.BytesIO(payload))
