"""Checks YARA rules: they compile, are quick, say what they are, and do what examples say."""

import io
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cgii.base import limits
from cgii.base.errors import ContentError
from cgii.base.labels import labels, load_table
from cgii.base.yaml_lines import BadYaml, read_yaml
from cgii.detect.yara_child import Bounds, Target, compile_rules, is_available, scan
from cgii.detect.yara_rules import YaraRule, YaraSources, load_sources

ENDING = ".examples.yml"
KEYS = frozenset({"match", "why", "rule", "name", "text", "parts"})
META = ("title", "description", "author", "date", "level", "attack", "rsit", "false_positives")
ATTACK = re.compile(r"T\d{4}(\.\d{3})?(, T\d{4}(\.\d{3})?)*")
TIMES_MAX = 100_000  # repetitions of one part
PART_KINDS: dict[str, Callable[[Any], bytes]] = {
    "text": lambda value: str(value).encode(),
    "utf16": lambda value: str(value).encode("utf-16-le"),
    "hex": lambda value: bytes.fromhex(str(value)),
    # Bytes without a pattern, the same at every run: a stand-in for what is encrypted.
    "random": lambda value: random.Random(1).randbytes(min(int(value), TIMES_MAX)),  # noqa: S311
}


@dataclass(frozen=True)
class YaraExample:
    """A file in the making, and which rule must match it, or must not."""

    path: str
    line: int | None
    must_match: bool
    why: str
    rule: str  # empty: any of its file
    name: str
    data: bytes


def check_yara(site: Path | None = None, paths: Sequence[Path] = ()) -> list[ContentError]:
    """What is wrong with YARA rules and their examples; with `paths`, with those alone.

    Our and the site's rules must say what they are and have examples; others may. Without the
    library nothing can be said, and nothing is.
    """
    if not is_available():
        return []
    return check_sources(load_sources(extra=paths, builtin=False) if paths else load_sources(site))


def check_sources(sources: YaraSources) -> list[ContentError]:
    """The same of files that were read; the library must be there."""
    compiled = compile_rules(sources)
    problems = [*compiled.rejected, *compiled.warnings]
    own = {file.path for file in sources.files if file.is_own}
    refused = {problem.path for problem in compiled.rejected}
    for rule in compiled.rules:
        if rule.path in own:
            problems += _slips(rule)
    for file in sources.files:
        if file.path in refused:
            continue
        rules = [rule for rule in compiled.rules if rule.path == file.path]
        if not rules:
            problems.append(ContentError(file.path, "no tiene ninguna regla"))
            continue
        examples = examples_path(Path(file.path))
        if examples.is_file():
            problems += try_yara_examples(examples, rules, sources)
        elif file.is_own:
            problems.append(ContentError(file.path, f"faltan los ejemplos ({examples.name})"))
    return problems


def examples_path(rule_file: Path) -> Path:
    """`<family>.examples.yml` beside the rules."""
    return rule_file.with_name(rule_file.stem + ENDING)


def try_yara_examples(
    path: Path, rules: Sequence[YaraRule], sources: YaraSources
) -> list[ContentError]:
    """What the examples of one file of rules say that the rules do not do."""
    try:
        examples = read_examples(path)
    except ContentError as error:
        return [error]
    own = YaraSources(tuple(file for file in sources.files if file.path == rules[0].path))
    problems = []
    for example, names in zip(examples, matched_rules(own, examples), strict=True):
        if example.rule and example.rule not in {rule.name for rule in rules}:
            reason = f"la regla «{example.rule}» no está en el archivo"
            problems.append(ContentError(path, reason, example.line))
        elif (example.rule in names if example.rule else bool(names)) != example.must_match:
            verb = "no coincide y debía" if example.must_match else "coincide y no debía"
            problems.append(
                ContentError(path, f"{example.rule} {verb}: {example.why}", example.line)
            )
    for rule in rules:
        seen = {one.must_match for one in examples if one.rule in ("", rule.name)}
        if seen != {True, False}:
            reason = f"{rule.name}: hace falta un ejemplo que coincida y uno que no"
            problems.append(ContentError(path, reason))
    return problems


def matched_rules(sources: YaraSources, examples: Sequence[YaraExample]) -> list[set[str]]:
    """The names of the rules that match each example."""
    files = [_as_file(example.data) for example in examples]
    targets = [Target(one.name, file) for one, file in zip(examples, files, strict=True)]
    try:
        verdicts = list(scan(sources, targets, Bounds()))
    finally:
        for file in files:
            file.close()
    return [{found.rule for found in verdict.matches} for verdict in verdicts]


def read_examples(path: Path) -> list[YaraExample]:
    """The examples of one file, their bytes put together. Raises ContentError."""
    try:
        written, lines = read_yaml(path.read_text(encoding="utf-8"))
    except (BadYaml, UnicodeDecodeError) as error:
        raise ContentError(path, str(error), getattr(error, "line", None)) from error
    if not isinstance(written, list):
        raise ContentError(path, "se esperaba una lista de ejemplos")
    return [_example(path, one, lines.get((number,))) for number, one in enumerate(written)]


def _example(path: Path, written: object, line: int | None) -> YaraExample:
    if not isinstance(written, dict) or set(written) - KEYS:
        reason = f"un ejemplo solo lleva las claves {', '.join(sorted(KEYS))}"
        raise ContentError(path, reason, line)
    if not isinstance(written.get("match"), bool) or not written.get("why"):
        raise ContentError(path, "un ejemplo lleva match (true o false) y why (por qué)", line)
    if ("text" in written) == ("parts" in written):
        raise ContentError(path, "un ejemplo lleva uno de text, parts", line)
    parts = written.get("parts", [written.get("text")])
    if not isinstance(parts, list):
        raise ContentError(path, "parts es una lista", line)
    try:
        data = b"".join(_part(part) for part in parts)
    except (ValueError, TypeError, KeyError) as error:
        raise ContentError(path, f"no se entiende una parte: {error}", line) from error
    return YaraExample(
        str(path),
        line,
        written["match"],
        str(written["why"]),
        str(written.get("rule", "")),
        str(written.get("name", "ejemplo")),
        data,
    )


def _part(part: object) -> bytes:
    """Text as it is, or one of PART_KINDS, `times` over.

    Parts are joined here only, so that what stands in the repository is never a working sample.
    """
    if not isinstance(part, dict):
        return str(part).encode()
    times = min(int(part.get("times", 1)), TIMES_MAX)
    [kind] = set(part) - {"times"}
    data = PART_KINDS[kind](part[kind]) * times
    if len(data) > limits.YARA_MEMBER_BYTES_MAX:
        raise ValueError("es demasiado grande")
    return data


def _slips(rule: YaraRule) -> Iterator[ContentError]:
    missing = [key for key in META if not str(rule.meta.get(key, "")).strip()]
    if missing:
        reason = f"{rule.name}: falta en meta: {', '.join(missing)}"
        yield ContentError(rule.path, reason, rule.line)
        return
    checks = (
        ("level", rule.meta["level"] in labels("detection.levels")),
        ("attack", bool(ATTACK.fullmatch(str(rule.meta["attack"])))),
        ("rsit", str(rule.meta["rsit"]) in _rsit_codes()),
        ("date", bool(re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", str(rule.meta["date"])))),
    )
    for key, is_right in checks:
        if not is_right:
            reason = f"{rule.name}: {key} «{rule.meta[key]}» no es válido"
            yield ContentError(rule.path, reason, rule.line)


def _rsit_codes() -> frozenset[str]:
    table = load_table("taxonomy")
    return frozenset(f"{c['code']}.{t['code']}" for c in table["classes"] for t in c["types"])


def _as_file(data: bytes) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(data)
    file.flush()
    file.seek(0, io.SEEK_SET)
    return file
