"""Starts the child that looks into files with YARA, kills it when it must, checks its answers."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import takewhile
from time import monotonic
from typing import Any, BinaryIO

from pydantic import ValidationError

from cgii.base import content, limits
from cgii.base.errors import ContentError
from cgii.detect.yara_answers import ANSWER, Answer, Rejected, Result, RulesOfFile, Step
from cgii.detect.yara_rules import YaraFile, YaraRule, YaraSources
from cgii.model.verdicts import CLEAN, MATCH, UNKNOWN, FileMatch, Hit, Verdict

CHILD = "cgii.detect.yara_scan"
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
MISSING = (
    "Falta la biblioteca de YARA. Instale el centro completo (cgii[centre]) o el paquete "
    "yara-python."
)


@dataclass(frozen=True)
class Bounds:
    """What one scan may take: of the file, of time, of memory, of archives in archives."""

    file_bytes: int = 100 * 1024 * 1024
    seconds: int = 30
    memory_bytes: int = 512 * 1024 * 1024
    depth: int = 3


@dataclass(frozen=True)
class Target:
    """An open file, and what rules may know of it besides its bytes."""

    name: str
    file: BinaryIO
    owner: str = ""  # the account that owns it on its machine, where that is known


@dataclass(frozen=True)
class Compiled:
    """What became of the files of a set: its rules, what was refused, what may be slow."""

    version: str
    rules: tuple[YaraRule, ...] = ()
    rejected: tuple[ContentError, ...] = ()
    warnings: tuple[ContentError, ...] = ()


def is_available() -> bool:
    """Whether the library is installed; it is never loaded in this process."""
    return find_spec("yara") is not None


def compile_rules(sources: YaraSources, bounds: Bounds | None = None) -> Compiled:
    """Every rule with its meta, and every file that YARA refuses, with its line."""
    if not is_available():
        return Compiled(sources.version, rejected=sources.rejected)
    work = _Work(sources, bounds or Bounds())
    work.compile()
    rejected = (*sources.rejected, *work.rejected)
    return Compiled(sources.version, tuple(work.rules), rejected, tuple(work.warnings))


def scan(
    sources: YaraSources, targets: Sequence[Target], bounds: Bounds | None = None
) -> Iterator[Verdict]:
    """A verdict for each file, in order; files that kill the child are unknown, others go on."""
    version = sources.version if is_available() else ""
    for verdict in _Work(sources, bounds or Bounds()).verdicts(targets):
        yield replace(verdict, rules_version=version)


# --- the children, and what is left to do when one dies ------------------------------------------
class ChildError(Exception):
    """The child ended or had to be ended; `reason` is what an unknown verdict says of it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class _Child:
    """One process under way."""

    def __init__(self, request: dict[str, Any], descriptors: Sequence[int]) -> None:
        with tempfile.TemporaryFile() as letter:  # a pipe would have to be fed while it is read
            letter.write(json.dumps(request).encode())
            letter.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-m", CHILD],
                stdin=letter,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=descriptors,
                cwd="/",
                env=ENVIRONMENT | {"PYTHONPATH": str(content.PACKAGE.parent)},
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._buffer = b""
        self._deadline = 0.0
        self.allow(limits.YARA_START_SECONDS)

    def allow(self, seconds: float) -> None:
        """Let it go on for so long from now."""
        self._deadline = monotonic() + seconds

    def answers(self) -> Iterator[Answer]:
        """What it says until it ends well. Raises ChildError."""
        while (line := self._line()) is not None:
            try:
                yield ANSWER.validate_json(line)
            except ValidationError as error:
                raise ChildError("crashed") from error

    def _line(self) -> bytes | None:
        """The next line; None when the child ended as it should."""
        pipe = self._process.stdout
        assert pipe is not None, "it was started with a pipe"
        poller = select.poll()
        poller.register(pipe, select.POLLIN | select.POLLHUP)
        while b"\n" not in self._buffer:
            left = self._deadline - monotonic()
            if not poller.poll(max(0, int(left * 1000))):
                raise ChildError("timeout")
            piece = os.read(pipe.fileno(), limits.READ_CHUNK_BYTES)
            if not piece:
                self._expect_good_end()
                return None
            self._buffer += piece
            if len(self._buffer) > limits.YARA_ANSWER_BYTES_MAX:
                raise ChildError("crashed")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _expect_good_end(self) -> None:
        try:
            code = self._process.wait(limits.YARA_START_SECONDS)  # a busy machine is slow to end
        except subprocess.TimeoutExpired as error:
            raise ChildError("timeout") from error
        if code:
            raise ChildError("timeout" if code == -signal.SIGXCPU else "crashed")

    def end(self) -> None:
        """Kill it if it still lives, and forget it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class _Work:
    """Files still to be looked into and rule files still trusted, over as many children as that
    takes: whatever kills one is left out when the next begins.
    """

    def __init__(self, sources: YaraSources, bounds: Bounds) -> None:
        self.bounds = bounds
        self.files = dict(enumerate(sources.files))
        self.rules: list[YaraRule] = []
        self.rejected: list[ContentError] = []
        self.warnings: list[ContentError] = []

    def compile(self) -> None:
        """Learn what the rules are."""
        before = -1
        while before != len(self.files):  # one more round after each file that killed a child
            before = len(self.files)
            self.rules, self.warnings = [], []
            for _ in self._batch([], describe=True):
                pass  # without targets there are no verdicts

    def verdicts(self, targets: Sequence[Target]) -> Iterator[Verdict]:
        """One for each target, in order."""
        done = 0
        while done < len(targets):
            if reason := self._refusal(targets[done]):
                yield Verdict(UNKNOWN, (reason,))
                done += 1
                continue
            batch = list(
                takewhile(
                    lambda one: not self._refusal(one),
                    targets[done : done + limits.YARA_BATCH_FILES],
                )
            )
            for verdict in self._batch(batch, describe=False):
                done += 1
                yield verdict

    def _refusal(self, target: Target) -> str:
        if not is_available():
            return "no_library"
        size = os.fstat(target.file.fileno()).st_size
        return "too_big" if size > self.bounds.file_bytes else ""

    def _batch(self, targets: Sequence[Target], *, describe: bool) -> Iterator[Verdict]:
        """What one child says; fewer verdicts than targets when it died over one of them."""
        numbers = list(self.files)
        child = _Child(self._request(targets, describe=describe), _descriptors(targets))
        now: Step | None = None
        told = 0
        try:
            for answer in child.answers():
                if isinstance(answer, Step):
                    now = answer
                    child.allow(self._seconds(answer))
                elif isinstance(answer, Result):
                    if now is None or (now.kind, now.target) != ("scanning", answer.target):
                        raise ChildError("crashed")
                    told += 1
                    yield _verdict(answer)
                else:
                    if answer.file >= len(numbers):
                        raise ChildError("crashed")
                    self._note(numbers[answer.file], answer)
        except ChildError as gone:
            if told == len(targets) > 0:
                pass  # it has said of every file what there was to say
            elif now is not None and now.kind == "compiling" and now.file < len(numbers):
                self._leave_out(numbers[now.file], gone.reason)
            elif now is not None and now.kind == "scanning":
                yield Verdict(UNKNOWN, (gone.reason,))
            else:  # it never began, or all rules together are too much
                yield from [Verdict(UNKNOWN, (gone.reason,))] * len(targets)
        finally:
            child.end()

    def _request(self, targets: Sequence[Target], *, describe: bool) -> dict[str, Any]:
        seconds = self.bounds.seconds + limits.YARA_GRACE_SECONDS
        return {
            "describe": describe,
            "files": [
                {"namespace": one.namespace, "text": one.text} for one in self.files.values()
            ],
            "targets": [
                {
                    "descriptor": one.file.fileno(),
                    "size": os.fstat(one.file.fileno()).st_size,
                    "name": one.name.encode("utf-8", "replace").decode(),
                    "owner": one.owner,
                }
                for one in targets
            ],
            "seconds": self.bounds.seconds,
            "depth": self.bounds.depth,
            "memory_bytes": self.bounds.memory_bytes,
            "cpu_seconds": 3 * limits.YARA_COMPILE_SECONDS + seconds * max(1, len(targets)),
        }

    def _seconds(self, step: Step) -> float:
        if step.kind == "scanning":
            return self.bounds.seconds + limits.YARA_GRACE_SECONDS
        return limits.YARA_COMPILE_SECONDS

    def _note(self, number: int, answer: Rejected | RulesOfFile) -> None:
        file = self.files[number]
        if isinstance(answer, Rejected):
            reason = f"YARA no la acepta: {answer.reason}"
            self._reject(ContentError(file.path, reason, answer.line))
            return
        self.warnings += [
            ContentError(file.path, f"aviso de YARA: {text}", line)
            for line, text in answer.warnings
        ]
        self.rules += [
            YaraRule(
                file.namespace, one.name, file.path, _line_of(file, one.name), one.tags, one.meta
            )
            for one in answer.rules
        ]

    def _leave_out(self, number: int, reason: str) -> None:
        file = self.files.pop(number)
        text = (
            "YARA no terminó de leerla en el tiempo permitido"
            if reason == "timeout"
            else "YARA se cayó al leerla"
        )
        self._reject(ContentError(file.path, text))

    def _reject(self, problem: ContentError) -> None:
        if str(problem) not in map(str, self.rejected):  # a second child says it again
            self.rejected.append(problem)


def _descriptors(targets: Sequence[Target]) -> list[int]:
    return [target.file.fileno() for target in targets]


def _line_of(file: YaraFile, rule: str) -> int | None:
    found = re.search(rf"^[^\n/]*\brule\s+{re.escape(rule)}\b", file.text, re.MULTILINE)
    return file.text.count("\n", 0, found.end()) + 1 if found else None


def _verdict(answer: Result) -> Verdict:
    outcome = MATCH if answer.matches else UNKNOWN if answer.reasons else CLEAN
    return Verdict(
        outcome,
        answer.reasons,
        tuple(
            FileMatch(
                one.rule,
                one.namespace,
                one.tags,
                one.meta,
                one.member,
                tuple(Hit(hit.identifier, hit.offset, hit.length, hit.sha256) for hit in one.hits),
            )
            for one in answer.matches
        ),
        members=answer.members,
        bytes_scanned=answer.bytes,
        seconds=answer.seconds,
    )
