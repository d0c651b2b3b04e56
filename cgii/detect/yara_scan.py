"""The child that looks into files with YARA, and the only home of that library.

`python -m cgii.detect.yara_scan` may die at any moment; what it says is checked by yara_child.py.

It reads one JSON request from its standard input and answers in JSON lines. Before it sees any
rule or file it gives up the right to open files or connections, to write, to start processes, and
to more memory and time than it was granted.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import PurePosixPath
from time import perf_counter
from typing import IO, Any

import yara

from cgii.base import confine, limits
from cgii.base.late_parts import load_late_parts
from cgii.detect import yara_unpack

EXTERNALS: Mapping[str, str | int] = {
    "filename": "",
    "filepath": "",
    "extension": "",
    "filetype": "",
    "owner": "",
    "size": 0,
}
NAME_CHARS_MAX = 300  # of a member's name
ERROR_LINE = re.compile(r"^line (\d+): ?(.*)", re.DOTALL)
Source = mmap | bytes


class Answers:
    """Where answers go: the pipe that was standard output, which rules must not reach."""

    def __init__(self) -> None:
        self._pipe = os.fdopen(os.dup(1), "w", encoding="ascii")
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)

    def say(self, kind: str, **facts: Any) -> None:
        """One line."""
        self._pipe.write(json.dumps({"kind": kind, **facts}) + "\n")
        self._pipe.flush()


def main() -> None:
    """Compile what was sent, scan what was given, say it, and end."""
    request = json.load(sys.stdin.buffer)
    answers = Answers()
    targets = [_opened(one) for one in request["targets"]]
    load_late_parts()
    # The files are mapped, which counts as memory but takes none of its own.
    mapped = sum(one["size"] for one in request["targets"])
    confine.give_up_rights(request["cpu_seconds"], request["memory_bytes"] + mapped)
    yara.set_config(
        stack_size=65_536, max_strings_per_rule=limits.YARA_MATCHES_PER_STRING_MAX, max_match_data=1
    )
    rules = _compile(request, answers)
    answers.say("ready")
    for number, (target, *opened) in enumerate(targets):
        answers.say("scanning", target=number)
        answers.say("result", target=number, **_scan(rules, target, opened, request))


def _opened(target: dict[str, Any]) -> tuple[dict[str, Any], Source, IO[bytes]]:
    file = os.fdopen(target["descriptor"], "rb")
    size = os.fstat(file.fileno()).st_size
    data: Source = mmap(file.fileno(), size, access=ACCESS_READ) if size else b""
    return target, data, file


def _compile(request: dict[str, Any], answers: Answers) -> "yara.Rules | None":
    """All files that are right, in one set; each alone first, so that one cannot spoil others."""
    good: dict[str, str] = {}
    for number, file in enumerate(request["files"]):
        answers.say("compiling", file=number)
        try:
            alone = yara.compile(
                sources={file["namespace"]: file["text"]},
                includes=False,
                externals=dict(EXTERNALS),
            )
        except yara.Error as error:
            line, reason = _reason(str(error))
            answers.say("rejected", file=number, line=line, reason=reason)
            continue
        except MemoryError:
            answers.say("rejected", file=number, line=None, reason="out of memory")
            continue
        good[file["namespace"]] = file["text"]
        if request["describe"]:
            rules = [
                {"name": rule.identifier, "tags": _cut(rule.tags), "meta": _meta(rule.meta)}
                for rule in alone
            ]
            warnings = [_reason(one) for one in alone.warnings]
            answers.say("compiled", file=number, rules=rules, warnings=_cut(warnings))
    if not good or request["describe"]:
        return None
    answers.say("joining")
    return yara.compile(sources=good, includes=False, externals=dict(EXTERNALS))


def _reason(message: str) -> tuple[int | None, str]:
    # With several sources YARA writes `namespace(line): …` in place of `line n: …`.
    found = ERROR_LINE.match(message) or re.match(r"^.*?\((\d+)\): ?(.*)", message, re.DOTALL)
    if found is None:
        return None, message[: limits.YARA_TEXT_CHARS_MAX]
    return int(found[1]) or None, found[2][: limits.YARA_TEXT_CHARS_MAX]


class Look:
    """One file being looked into: what has been seen of it and found in it."""

    def __init__(self, rules: "yara.Rules", request: dict[str, Any]) -> None:
        self._rules = rules
        self._begun = perf_counter()
        self._seconds: int = request["seconds"]
        self.opening = yara_unpack.Opening(request["depth"])
        self.matches: list[dict[str, Any]] = []
        self.scanned = 0

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return perf_counter() - self._begun

    def whole(self, target: dict[str, Any], data: Source, file: IO[bytes]) -> None:
        """The file itself, then everything inside it, until the time is over."""
        name = target["name"]
        try:
            self._piece(data, "", name, target)
            for member, piece in yara_unpack.members(data, file, self.opening):
                if self.seconds >= self._seconds:
                    self.opening.reasons.add("timeout")
                    return
                self._piece(piece, _plain(member), f"{name}/{_plain(member)}", target)
        except yara.TimeoutError:
            self.opening.reasons.add("timeout")
        except MemoryError:
            self.opening.reasons.add("memory")
        except yara.Error:
            self.opening.reasons.add("engine")

    def _piece(self, data: Source, member: str, path: str, target: dict[str, Any]) -> None:
        name = PurePosixPath(path).name
        externals = {
            "filename": name,
            "filepath": path,
            "extension": PurePosixPath(name).suffix,
            "filetype": yara_unpack.kind_of(data),
            "owner": target["owner"],
            "size": len(data),
        }
        found = self._rules.match(
            data=data,
            externals=externals,
            timeout=max(1, int(self._seconds - self.seconds) + 1),
            fast=True,
            which_callbacks=yara.CALLBACK_MATCHES,
            warnings_callback=self._warned,
            console_callback=lambda _text: None,
        )
        self.scanned += len(data)
        room = limits.YARA_RULES_MAX - len(self.matches)
        self.matches += [_match(one, member, data) for one in found[:room]]

    def _warned(self, kind: int, _fact: object) -> int:
        if kind == yara.CALLBACK_TOO_MANY_MATCHES:
            self.opening.reasons.add("too_many_matches")
        return int(yara.CALLBACK_CONTINUE)


def _scan(
    rules: "yara.Rules | None",
    target: dict[str, Any],
    opened: Sequence[Any],  # its bytes, and the same as a file
    request: dict[str, Any],
) -> dict[str, Any]:
    if rules is None:
        return {"reasons": ["no_rules"], "matches": [], "members": 0, "bytes": 0, "seconds": 0.0}
    look = Look(rules, request)
    look.whole(target, *opened)
    return {
        "reasons": sorted(look.opening.reasons),
        "matches": look.matches,
        "members": look.opening.members,
        "bytes": look.scanned,
        "seconds": round(look.seconds, 3),
    }


def _match(found: "yara.Match", member: str, data: Source) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "namespace": found.namespace,
        "tags": _cut(found.tags),
        "meta": _meta(found.meta),
        "member": member,
        "hits": list(_hits(found, data))[: limits.YARA_HITS_MAX],
    }


def _hits(found: "yara.Match", data: Source) -> Iterator[dict[str, Any]]:
    for string in found.strings:
        for place in string.instances[: limits.YARA_HITS_MAX]:
            begin, length = place.offset, place.matched_length
            matched = data[begin : begin + min(length, limits.YARA_HIT_BYTES_MAX)]
            yield {
                "identifier": string.identifier,
                "offset": begin,
                "length": length,
                "sha256": hashlib.sha256(matched).hexdigest(),
            }


def _meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    pairs = list(meta.items())[: limits.YARA_META_MAX]
    return {key: _short(value) for key, value in pairs}


def _short(value: Any) -> Any:  # text, a number, true or false
    return value[: limits.YARA_TEXT_CHARS_MAX] if isinstance(value, str) else value


def _cut(values: Sequence[Any]) -> list[Any]:
    return [_short(value) for value in values[: limits.YARA_META_MAX]]


def _plain(name: str) -> str:
    """A member's name as text that every database takes: no controls, no halves of signs."""
    text = name.encode("utf-8", "replace").decode()
    return "".join(sign for sign in text if sign.isprintable())[-NAME_CHARS_MAX:]


if __name__ == "__main__":
    main()
