"""Reads files part by part, in this process or in several, and finds what single rules match."""

import os
import stat
import tempfile
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from cgii.base import clock, limits
from cgii.base.errors import Invalid
from cgii.base.ids import event_id
from cgii.base.reasons import why
from cgii.collect.definition import Definitions
from cgii.collect.files import guess_source, read_records
from cgii.collect.normalize import normalize
from cgii.collect.rejects import FILE_DAMAGED, HEADING
from cgii.detect.alerts import Match, single_alert
from cgii.detect.detector import Detector
from cgii.detect.ruleset import RuleSet
from cgii.model.event import Alert, Event, Origin, Raw
from cgii.sift import Sieve

BATCH = 1_000  # records examined at once
BATCHES_PER_TASK = 8  # of a large file that is handed to another process
WHOLE_FILE_BYTES_MAX = 4 * 1024 * 1024  # a smaller one is read by the process that examines it
PACKED_TIMES = 15  # what logs usually gain by unpacking
AHEAD = 3  # tasks waiting per process
STDIN = "-"
NO_RECORDS = (FILE_DAMAGED, HEADING)  # the one is told of its file, the other says nothing itself


@dataclass(frozen=True, slots=True)
class File:
    """One file to read and the name by which people know it."""

    path: Path
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands, and what it said."""

    file: str
    line: int | None  # from 1
    original: str


@dataclass(frozen=True, slots=True)
class Found:
    """One alert and the record that completed it."""

    alert: Alert
    place: Place | None


@dataclass(frozen=True, slots=True)
class Counted:
    """A match that a correlation counts; the rule by its place in the rule set."""

    rule: int
    event: Event
    place: Place


@dataclass(slots=True)
class Part:
    """What came of some records of one file; the last part of a file says so."""

    file: File
    events: int = 0
    size: int = 0  # bytes looked at
    reasons: Counter[str] = field(default_factory=Counter)  # of rejects
    unread: dict[str, str] = field(default_factory=dict)  # the first record's place, by reason
    found: list[Found] = field(default_factory=list)
    counted: list[Counted] = field(default_factory=list)
    newest: datetime | None = None  # of its events, when correlations want to know
    is_last: bool = False
    error: str = ""  # why the file could not be read, or not to its end


class Examiner:
    """What one process needs to examine records; made before the others are started."""

    def __init__(self, definitions: Definitions, rules: RuleSet, source: str) -> None:
        self.definitions = definitions
        self.detector = Detector(rules)
        self.source = source
        self._sieves: dict[str, Sieve] = {}
        self._numbers = {rule.id: number for number, rule in enumerate(rules.single)}
        self._silent = rules.silent
        self._asked = {one for rule in rules.correlations for one in rule.rule_ids}

    def source_of(self, file: File) -> str:
        """The file's source, as given or recognised. Raises Invalid."""
        return guess_source(file.path, self.definitions) if self.source == "auto" else self.source

    def records(self, file: File) -> Iterator[Raw]:
        """The file's records. Raises Invalid."""
        return read_records(file.path, self.source_of(file), self.definitions)

    def whole(self, file: File) -> list[Part]:
        """All parts of a file, or the reason why there are none."""
        return list(self.parts(file))

    def parts(self, file: File) -> Iterator[Part]:
        """The same one after another."""
        try:
            source = self.source_of(file)
            records = read_records(file.path, source, self.definitions)
            while batch := list(islice(records, BATCH)):
                yield self.examine(file, source, batch)
            yield Part(file, is_last=True)
        except Invalid as error:
            yield Part(file, is_last=True, error=str(error))

    def batches(self, file: File, source: str, raws: list[Raw]) -> list[Part]:
        """The parts of records that another process has read."""
        return [
            self.examine(file, source, raws[begin : begin + BATCH])
            for begin in range(0, len(raws), BATCH)
        ]

    def examine(self, file: File, source: str, batch: Sequence[Raw]) -> Part:
        """What is in one batch."""
        origin = Origin(source, f"file:{file.name}", "scan")
        now = clock.now()
        sieve = self._sieves.get(source)
        if sieve is None:
            sieve = self._sieves[source] = Sieve(source, self.definitions, self.detector)
        sifted = sieve.sift(origin, batch, received_at=now)
        matches = sifted.matches
        part = Part(file, sifted.events)
        part.size = sum(len(raw.data) for raw in batch if type(raw.data) is bytes)
        part.reasons.update(rejected.reason for rejected in sifted.rejected)
        for one in sifted.rejected:
            if one.reason not in NO_RECORDS:
                part.unread.setdefault(one.reason, _place(file, one.peer))
        # A file that was read in part must not look like one in which nothing was found.
        damages = (one.detail for one in sifted.rejected if one.reason == FILE_DAMAGED)
        part.error = next(damages, "")
        if self._asked:
            part.newest = self._newest(origin, batch, matches)
        if not matches:
            return part
        lines = {event_id(origin.stream, origin.epoch, raw.seq): _line(raw) for raw in batch}
        for match in matches:
            event = match.event
            place = Place(file.name, lines.get(event.id), event.original[: limits.FIELD_CHARS_MAX])
            rule_id = match.rule.id
            if rule_id not in self._silent:
                part.found.append(Found(single_alert(match), place))
            if rule_id in self._asked:
                part.counted.append(Counted(self._numbers[rule_id], event, place))
        return part

    def _newest(
        self, origin: Origin, batch: Sequence[Raw], matches: Sequence[Match]
    ) -> datetime | None:
        """How far the batch goes: correlations that wait for an end ask for it."""
        # Records that match nothing make no event; logs are in order, so the last one will do.
        last = normalize(origin, batch[-1:], self.definitions, received_at=clock.now()).events
        moments = [event.at for event in (*last, *(match.event for match in matches))]
        return max(moments, default=None)

    def match_of(self, counted: Counted) -> Match:
        """The match again, in the process that counts."""
        return Match(self.detector.rules.single[counted.rule], counted.event, ())


def _line(raw: Raw) -> int | None:
    return _number(raw.peer)


def _number(peer: str) -> int | None:
    number = peer.rpartition(":")[2]
    return int(number) if number.isdecimal() else None


def _place(file: File, peer: str) -> str:
    number = _number(peer)
    return file.name if number is None else f"{file.name}:{number}"


@contextmanager
def settled(paths: Sequence[Path]) -> Iterator[tuple[list[File], list[str]]]:
    """The files in the given files and folders, and a sentence for each that cannot be one.

    What can be read only once, as standard input, is copied aside first.
    """
    files: list[File] = []
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="cgii-scan-") as folder:
        for path in paths:
            try:
                files += _inside(path, Path(folder))
            except OSError as error:
                wrong.append(f"{path}: No se puede abrir: {why(error)}.")
            except Invalid as error:
                wrong.append(f"{path}: {error}")
        yield files, wrong


def _inside(path: Path, folder: Path) -> Iterator[File]:
    if str(path) == STDIN:
        path = Path("/dev/stdin")
    if path.is_dir():
        for one in sorted(path.rglob("*")):
            if one.is_file():
                yield File(one, str(one), one.stat().st_size)
        return
    if not path.exists():
        raise Invalid("El archivo no existe.")
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        yield File(path, str(path), path.stat().st_size)
    elif stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or (stat.S_ISCHR(mode) and _is_terminal(path)):
        copy = folder / f"{len(os.listdir(folder))}-{path.name}"
        yield File(copy, str(path), _copy(path, copy))
    else:
        raise Invalid("No es un archivo de registros.")


def _is_terminal(path: Path) -> bool:
    with path.open("rb", buffering=0) as file:
        return file.isatty()


def _copy(path: Path, copy: Path) -> int:
    size = 0
    with path.open("rb") as stream, copy.open("wb") as kept:
        while piece := stream.read(limits.READ_CHUNK_BYTES):
            size += len(piece)
            if size > limits.FILE_UNPACKED_BYTES_MAX:
                raise Invalid("La entrada es demasiado grande; guárdela en archivos más pequeños.")
            kept.write(piece)
    return size


def read_parts(examiner: Examiner, files: Sequence[File], jobs: int) -> Iterator[Part]:
    """Every part of every file in order; the same with any number of processes."""
    if jobs <= 1:
        for file in files:
            yield from examiner.parts(file)
        return
    # Forked, so that the others have the compiled rules without compiling them again.
    pool = ProcessPoolExecutor(
        jobs, mp_context=get_context("fork"), initializer=_become, initargs=(examiner,)
    )
    waiting: deque[Future[list[Part]]] = deque()
    try:
        for file in files:
            for task in _tasks(pool, examiner, file):
                waiting.append(task)
                while len(waiting) > jobs * AHEAD:
                    yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise Invalid(
            "Un proceso del análisis se interrumpió, quizás por falta de memoria; use menos "
            "procesos (--jobs)."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _tasks(
    pool: ProcessPoolExecutor, examiner: Examiner, file: File
) -> Iterator["Future[list[Part]]"]:
    if _goes_whole(file):
        yield pool.submit(_whole, file)
        return
    error = ""
    try:
        source = examiner.source_of(file)
        records = read_records(file.path, source, examiner.definitions)
        while raws := list(islice(records, BATCH * BATCHES_PER_TASK)):
            yield pool.submit(_batches, file, source, raws)
    except Invalid as problem:
        error = str(problem)
    ended: Future[list[Part]] = Future()
    ended.set_result([Part(file, is_last=True, error=error)])
    yield ended


def _goes_whole(file: File) -> bool:
    """Whether one process should read it: what is small, or is laborious to read."""
    if file.path.suffix == ".evtx":
        return True
    unpacked = file.size * PACKED_TIMES if file.path.suffix == ".gz" else file.size
    return unpacked <= WHOLE_FILE_BYTES_MAX


_mine: list[Examiner] = []  # of a process that was started to examine: one


def _become(examiner: Examiner) -> None:
    _mine[:] = [examiner]


def _whole(file: File) -> list[Part]:
    return _mine[0].whole(file)


def _batches(file: File, source: str, raws: list[Raw]) -> list[Part]:
    return _mine[0].batches(file, source, raws)
