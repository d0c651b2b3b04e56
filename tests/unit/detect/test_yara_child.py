"""Files are looked into in a child that may die; what is not known is never called clean."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from cgii.base import content, limits
from cgii.detect import yara_child
from cgii.detect.yara_child import Bounds, Target, compile_rules, scan
from cgii.detect.yara_rules import YaraSources
from tests.yara_samples import (
    BOUNDS,
    MARK,
    RULE,
    bomb,
    encrypted,
    look,
    sources,
    tarred,
    temporary,
    zipped,
)

pytest.importorskip("yara", reason="yara-python is not installed")
# A loop of the condition, which no timeout of libyara interrupts quickly.
ENDLESS = "rule endless { condition: for all i in (1..2000000000) : (i > 0) }"

SLOW_SECONDS = 240  # the child is killed long before
SLOW_BY_NAME = ENDLESS.replace("for all", 'filename == "lento" and for all')


def test_a_match_says_rule_place_and_hash_of_what_matched() -> None:
    verdict = look(MARK)

    assert verdict.outcome == "match"
    [found] = verdict.matches
    assert (found.rule, found.namespace, found.title, found.level) == (
        "marked", "f0", "Marca", "high",
    )  # fmt: skip
    [hit] = found.hits
    assert (hit.identifier, hit.offset, hit.length) == ("$a", 6, 7)
    assert hit.sha256 == sha256(b"MARCA-7").hexdigest()
    assert verdict.bytes_scanned == len(MARK)
    assert verdict.rules_version == sources().version


def test_what_was_seen_whole_and_does_not_match_is_clean() -> None:
    verdict = look(b"nada")
    assert (verdict.outcome, verdict.reasons) == ("clean", ())
    assert look(b"").outcome == "clean"


@pytest.mark.parametrize(
    ("data", "member"),
    [
        (zipped({"carpeta/x.txt": MARK}), "carpeta/x.txt"),
        (tarred({"x.txt": MARK}), "x.txt"),
        (zipped({"dentro.tgz": tarred({"x.txt": MARK})}), "dentro.tgz/x.txt"),
    ],
)
def test_archives_are_looked_into_member_by_member(data: bytes, member: str) -> None:
    verdict = look(data)
    assert (verdict.outcome, [one.member for one in verdict.matches]) == ("match", [member])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encrypted({"x.txt": b"secreto"}), "encrypted"),
        (zipped({"a": zipped({"b": zipped({"c": zipped({"d": MARK})})})}), "too_deep"),
        (tarred({"x": b"x" * 10_000})[:60], "damaged"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(50), "unsupported_archive"),
        (bomb(), "unpacked_too_big"),
    ],
    ids=["encrypted", "deep", "damaged", "rar", "bomb"],
)
def test_what_could_not_be_opened_is_unknown_with_its_reason(data: bytes, reason: str) -> None:
    verdict = look(data)
    assert (verdict.outcome, verdict.reasons) == ("unknown", (reason,))


def test_a_match_beside_something_unseen_is_a_match_that_says_so() -> None:
    verdict = look(zipped({"x.txt": MARK, "y.7z": b"7z\xbc\xaf\x27\x1c" + bytes(30)}))
    assert (verdict.outcome, verdict.reasons) == ("match", ("unsupported_archive",))


def test_a_file_above_the_limit_is_not_given_to_the_child() -> None:
    verdict = look(b"x" * 100, bounds=replace(BOUNDS, file_bytes=99))
    assert (verdict.outcome, verdict.reasons, verdict.bytes_scanned) == ("unknown", ("too_big",), 0)


def test_a_rule_that_takes_too_long_ends_in_time_and_is_not_clean() -> None:
    begun = monotonic()
    verdict = look(b"x", ENDLESS, bounds=Bounds(seconds=1))
    assert (verdict.outcome, verdict.reasons) == ("unknown", ("timeout",))
    assert monotonic() - begun < SLOW_SECONDS


def test_a_slow_regular_expression_ends_in_time() -> None:
    rule = r"rule slow { strings: $a = /a.{1,900}b.{1,900}c.{1,900}d/s condition: $a }"
    begun = monotonic()
    verdict = look(b"ab" * 3_000_000, rule, bounds=Bounds(seconds=2))
    assert (verdict.outcome, verdict.reasons) == ("unknown", ("timeout",))
    assert monotonic() - begun < SLOW_SECONDS


def test_more_memory_than_granted_is_unknown() -> None:
    verdict = look(bomb(), bounds=Bounds(seconds=120, memory_bytes=96 * 1024 * 1024))
    assert verdict.outcome == "unknown"
    assert set(verdict.reasons) <= {"memory", "crashed", "unpacked_too_big"}
    assert {"memory", "crashed"} & set(verdict.reasons)


def test_killing_the_child_makes_one_file_unknown_and_the_next_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = Event()
    pids: list[int] = []
    allow = yara_child._Child.allow

    def watch(child: yara_child._Child, seconds: float) -> None:
        allow(child, seconds)
        pids.append(child.pid)
        if seconds == SLOW_SECONDS + limits.YARA_GRACE_SECONDS:  # it begins with a file
            started.set()

    def kill() -> None:
        started.wait(240)
        os.kill(pids[-1], signal.SIGKILL)

    monkeypatch.setattr(yara_child._Child, "allow", watch)
    killer = Thread(target=kill)
    killer.start()
    with temporary(b"x") as slow, temporary(MARK) as fast:
        verdicts = list(
            scan(
                sources(RULE, SLOW_BY_NAME),
                [Target("lento", slow), Target("rapido", fast)],
                Bounds(seconds=SLOW_SECONDS),
            )
        )
    killer.join()
    assert [(one.outcome, one.reasons) for one in verdicts] == [
        ("unknown", ("crashed",)),
        ("match", ()),
    ]


def test_one_wrong_file_does_not_stop_the_others() -> None:
    wrong = "rule wrong {\n strings:\n  $a = mal\n condition:\n  $a\n}"
    compiled = compile_rules(sources(wrong, RULE, 'include "f1.yar"'))
    assert [rule.id for rule in compiled.rules] == ["f1/marked"]
    assert [(one.path, one.line) for one in compiled.rejected] == [("f0.yar", 3), ("f2.yar", 1)]
    assert look(MARK, wrong, RULE).outcome == "match"


def test_a_file_of_rules_that_kills_the_compiler_is_left_out() -> None:
    # Too little memory for its long list, enough for everything else.
    heavy = (
        "rule heavy { strings: "
        + " ".join(f"$a{n} = /x{n}[a-f0-9]{{200}}(y|z){{50}}/" for n in range(20_000))
        + " condition: any of them }"
    )
    bounds = Bounds(seconds=120, memory_bytes=112 * 1024 * 1024)
    compiled = compile_rules(sources(heavy, RULE), bounds)
    assert [rule.id for rule in compiled.rules] == ["f1/marked"]
    assert [one.path for one in compiled.rejected] == ["f0.yar"]


def test_slow_rules_are_told_with_their_line() -> None:
    compiled = compile_rules(sources("rule a {\n strings:\n  $a = /x.*y/\n condition:\n  $a\n}"))
    assert {one.line for one in compiled.warnings} == {3}


def test_what_rules_know_besides_the_bytes_is_declared() -> None:
    rule = """rule known { condition: filename == "a.php" and extension == ".php"
              and filepath == "fotos.zip/web/a.php" and filetype == "" and size == 4 }"""
    verdict = look(zipped({"web/a.php": b"hola"}), rule, name="fotos.zip")
    assert [one.member for one in verdict.matches] == ["web/a.php"]


def test_rules_that_print_do_not_reach_the_answers() -> None:
    rule = 'import "console"\nrule talks { condition: console.log("{\\"kind\\":\\"ready\\"}") }'
    assert look(b"x", rule).outcome == "match"


def test_too_many_places_are_bounded() -> None:
    verdict = look(b"MARCA-7 " * 500_000, RULE.replace("condition: $a", "condition: #a > 3"))
    assert verdict.outcome == "match"
    assert len(verdict.matches[0].hits) == limits.YARA_HITS_MAX


def test_without_any_rule_nothing_is_clean() -> None:
    with temporary(b"x") as file:
        [verdict] = scan(YaraSources(), [Target("x", file)], BOUNDS)
    assert (verdict.outcome, verdict.reasons) == ("unknown", ("no_rules",))


def test_without_the_library_nothing_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yara_child, "is_available", lambda: False)
    verdict = look(b"x")
    assert (verdict.outcome, verdict.reasons, verdict.rules_version) == (
        "unknown", ("no_library",), "",
    )  # fmt: skip
    assert compile_rules(sources()).rules == ()


@pytest.mark.parametrize(
    "answer",
    [
        "no es JSON",
        '{"kind": "result", "target": 0}',
        '{"kind": "ready", "extra": 1}',
        '{"kind": "result", "target": 7, "reasons": [], "matches": [], "members": 0, "bytes": 0, '
        '"seconds": 0}',
        '{"kind": "rejected", "file": 99, "line": 1, "reason": "x"}',
    ],
)
def test_a_child_that_talks_nonsense_is_not_believed(
    answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "liar.py").write_text(f"print({answer!r}, flush=True)")
    monkeypatch.setattr(yara_child, "CHILD", "liar")
    monkeypatch.setattr(yara_child, "ENVIRONMENT", {"PYTHONPATH": ""})
    monkeypatch.setattr(content, "PACKAGE", tmp_path / "cgii")
    verdict = look(MARK)
    assert (verdict.outcome, verdict.reasons) == ("unknown", ("crashed",))


def test_a_child_that_ends_badly_after_its_last_file_has_said_what_it_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = (
        '{"kind": "scanning", "target": 0}',
        '{"kind": "result", "target": 0, "reasons": [], "matches": [], "members": 1, "bytes": 4, '
        '"seconds": 0}',
    )
    program = "".join(f"print({one!r}, flush=True)\n" for one in said)
    (tmp_path / "falls.py").write_text(f"{program}raise SystemExit(1)\n")
    monkeypatch.setattr(yara_child, "CHILD", "falls")
    monkeypatch.setattr(yara_child, "ENVIRONMENT", {"PYTHONPATH": ""})
    monkeypatch.setattr(content, "PACKAGE", tmp_path / "cgii")
    with temporary(b"nada") as file:
        verdicts = list(scan(sources(), [Target("x", file)], BOUNDS))
    assert [one.outcome for one in verdicts] == ["clean"]


def test_scans_at_the_same_time_do_not_mix() -> None:
    def one(number: int) -> tuple[int, str]:
        return number, look(MARK if number % 2 else b"nada").outcome

    with ThreadPoolExecutor(4) as pool:
        found = dict(pool.map(one, range(8)))
    assert found == {n: "match" if n % 2 else "clean" for n in range(8)}


def test_many_files_go_through_few_children() -> None:
    def targets() -> Iterator[Target]:
        for number in range(limits.YARA_BATCH_FILES + 3):
            yield Target(f"{number}.txt", temporary(MARK if number % 5 == 0 else b"nada"))

    given = list(targets())
    outcomes = [one.outcome for one in scan(sources(), given, BOUNDS)]
    for target in given:
        target.file.close()
    assert outcomes == ["match" if n % 5 == 0 else "clean" for n in range(len(given))]


def test_no_child_is_left_behind() -> None:
    look(MARK)
    with temporary(MARK) as file:
        verdicts = scan(sources(), [Target("a", file), Target("b", file)], BOUNDS)
        next(verdicts)
        verdicts.close()  # type: ignore[attr-defined]
    ours = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True
    )
    assert "yara_scan" not in ours.stdout
