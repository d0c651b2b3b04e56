"""Rules and files for the tests of YARA, harmless all of them."""

import gzip
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from typing import BinaryIO

from cgii.detect.yara_child import Bounds, Target, scan
from cgii.detect.yara_rules import YaraFile, YaraSources
from cgii.model.verdicts import Verdict

RULE = 'rule marked { meta: title = "Marca" level = "high" strings: $a = "MARCA-7" condition: $a }'
BOUNDS = Bounds(seconds=120)  # what takes its time is not called unknown on a busy machine
MARK = b"antes MARCA-7 despues"


def sources(*texts: str) -> YaraSources:
    """A set of rules; without texts, the one that looks for the mark."""
    return YaraSources(
        tuple(YaraFile(f"f{n}", f"f{n}.yar", text) for n, text in enumerate(texts or (RULE,)))
    )


def temporary(data: bytes) -> BinaryIO:
    """An open file with these bytes."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(data)
    file.flush()
    return file


def look(data: bytes, *texts: str, name: str = "a.bin", bounds: Bounds = BOUNDS) -> Verdict:
    """What a scan of these bytes says."""
    with temporary(data) as file:
        [verdict] = scan(sources(*texts), [Target(name, file)], bounds)
    return verdict


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A ZIP file."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return whole.getvalue()


def encrypted(members: Mapping[str, bytes]) -> bytes:
    """A ZIP file whose members say that they are encrypted."""
    whole = bytearray(zipped(members))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = whole.find(mark)
        while start >= 0:
            whole[start + place] |= 1
            start = whole.find(mark, start + 4)
    return bytes(whole)


def tarred(members: Mapping[str, bytes]) -> bytes:
    """A gzipped tar file."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return whole.getvalue()


def bomb() -> bytes:
    """A small file that unpacks to a gigabyte."""
    return gzip.compress(bytes(1024 * 1024), 1) * 1024


def ovba(source: bytes) -> bytes:
    """A macro's source as Office packs it: one chunk of literals, with one back reference."""
    packed = bytearray()
    pieces = [source[n : n + 8] for n in range(0, len(source), 8)]
    for piece in pieces:
        packed += b"\x00" + piece
    head = 0xB000 | (len(packed) + 2 - 3)
    return b"\x01" + head.to_bytes(2, "little") + bytes(packed)
