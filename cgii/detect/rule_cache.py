"""Remembers rules that have been read, by the content of their files: starting again is quick.

What is remembered holds only for the program, the libraries and the placeholders it was made with.
A cache that is damaged, old or not ours is passed over, and everything is read again.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import orjson

from cgii.base import ids, limits
from cgii.base.errors import ContentError
from cgii.base.logs import logger
from cgii.detect.legacy import Read
from cgii.detect.rule_codec import decode_rule, encode_rule
from cgii.detect.rule_files import Document, RuleError, documents_in, read_file
from cgii.detect.rules import SingleRule, read_single

log = logger("rules")
FOLDER, FILE = "cache", "rules.cache"  # in the centre's data
LIBRARIES = ("google-re2", "PyYAML", "orjson")

Known = list[SingleRule]


@cache
def program() -> str:
    """Another text for every version of what turns a file into a rule."""
    code = (path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    libraries = (f"{name} {version(name)}" for name in LIBRARIES)
    return ids.digest(platform.python_version(), *libraries, *map(_digest, code))


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


class RuleCache:
    """The rules of files by their content; kept in memory, and in a folder if there is one."""

    def __init__(self, folder: Path | None = None, *, is_written: bool = True) -> None:
        self._path = folder / FILE if folder is not None else None
        self._is_written = is_written
        self._for = ""  # what the entries hold for
        self._stored: dict[str, Any] = {}  # from the folder, not decoded yet
        self._known: dict[str, Known] = {}
        self._asked: set[str] = set()
        self._is_new = False

    def open(self, placeholders: Mapping[str, Sequence[str]]) -> None:
        """Get ready for rules with these placeholders."""
        self._asked = set()
        told = orjson.dumps({name: list(values) for name, values in sorted(placeholders.items())})
        wanted = ids.digest(program(), _digest(told))
        if wanted != self._for:
            self._for, self._known, self._is_new = wanted, {}, False
            self._stored = self._load()

    def read(self, path: Path, placeholders: Mapping[str, Sequence[str]]) -> Sequence[Read]:
        """The documents of a file, those of single-event rules as rules where that is possible."""
        data = read_file(path)
        if isinstance(data, ContentError):
            return [data]
        key = _digest(data)
        self._asked.add(key)
        known = self._known.get(key) or self._decoded(key, str(path))
        if known is None:
            documents = documents_in(data, path)
            known = _rules(documents, placeholders)
            if known is None:
                return documents
            self._is_new = True
            self._known[key] = known
        return [one if one.path == str(path) else replace(one, path=str(path)) for one in known]

    def _decoded(self, key: str, path: str) -> Known | None:
        stored = self._stored.pop(key, None)
        if stored is None:
            return None
        try:
            known = [decode_rule(one, path) for one in stored]
        except (KeyError, TypeError, ValueError, IndexError):
            log.warning("cached rule passed over", path=path)
            return None
        self._known[key] = known
        return known

    def _load(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            data = self._path.read_bytes()
        except OSError:
            return {}
        seal, _, body = data.partition(b"\n")
        if seal.decode("ascii", "replace") != self._seal(body):
            return {}
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def _seal(self, body: bytes) -> str:
        return ids.digest(self._for, _digest(body))

    def save(self) -> None:
        """Write down what is new. A folder that cannot be written to is no harm."""
        if self._path is None or not self._is_written or not self._is_new:
            return
        kept = self._stored | {k: list(map(encode_rule, known)) for k, known in self._known.items()}
        if len(kept) > limits.CACHED_FILES_MAX:  # what nobody asked for this time goes
            kept = {key: one for key, one in kept.items() if key in self._asked}
        body = orjson.dumps(kept)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._path.parent, delete=False) as file:
                file.write(f"{self._seal(body)}\n".encode() + body)
            os.replace(file.name, self._path)
        except OSError as error:
            log.warning("rules could not be cached", reason=str(error))
            return
        self._is_new = False


def cache_in(data: Path) -> RuleCache:
    """What a command uses: the cache of the centre that keeps its data here, if there is one.

    It is written only by the owner of the folder: a file that root left there would shut out the
    centre itself.
    """
    try:
        is_ours = data.stat().st_uid == os.geteuid()
    except OSError:
        return RuleCache()
    return RuleCache(data / FOLDER, is_written=is_ours and os.access(data, os.W_OK))


def _rules(
    documents: Sequence[Document | ContentError], placeholders: Mapping[str, Sequence[str]]
) -> Known | None:
    """The rules of a file that holds nothing else; None leaves it to be read in full."""
    found: Known = []
    for document in documents:
        if isinstance(document, ContentError) or not _is_single(document.data):
            return None
        try:
            rule = read_single(document, placeholders)
            orjson.dumps(encode_rule(rule))
        except (RuleError, TypeError):  # wrong, or with a number that JSON cannot hold
            return None
        found.append(rule)
    return found or None


def _is_single(data: Mapping[str, Any]) -> bool:
    return "detection" in data and not data.keys() & {"correlation", "filter", "action"}
