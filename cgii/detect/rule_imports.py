"""Sets of rules that others wrote: imported into the site's folder, updated, taken out.

A set is `<site>/rules/imported/<name>/`: its rules under `rules/`, its licence, and `set.yml`,
which says where it came from and what became of it. How a site tunes rules stands in the record
under the rules' ids, so replacing a set touches no tuning.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from cgii.base.errors import Conflict, ContentError, Invalid, NotFound
from cgii.detect.rule_archives import Member, read_members
from cgii.detect.rule_files import Document, parse_documents
from cgii.detect.rules import LEVELS, CorrelationRule, SingleRule
from cgii.detect.ruleset import RuleSet, load_rules

Rule = SingleRule | CorrelationRule
STATUSES = ("stable", "test", "experimental")  # of what is taken unless asked otherwise
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
KINDS = ("detection", "correlation", "filter", "action")  # one of them makes a document a rule
DESCRIPTION = "set.yml"
REFUSALS_KEPT = 200


@dataclass(frozen=True)
class Choice:
    """Which rules of a set are wanted."""

    min_level: str = "informational"
    statuses: tuple[str, ...] = STATUSES

    def takes(self, rule: Rule) -> bool:
        """Whether the rule is wanted."""
        return rule.status in self.statuses and LEVELS.index(rule.level) >= LEVELS.index(
            self.min_level
        )


@dataclass(frozen=True)
class RuleImport:
    """A set as its `set.yml` describes it."""

    name: str
    origin: str  # the folder or archive it was read from
    imported_at: datetime
    updated_at: datetime
    min_level: str
    statuses: tuple[str, ...]
    licences: tuple[str, ...]  # file names beside set.yml
    files: int
    rules: int
    left_out: int  # rules that were not wanted
    refused: int
    refusals: tuple[str, ...]  # the first of them: file:line: reason

    @property
    def choice(self) -> Choice:
        """Which rules were wanted."""
        return Choice(self.min_level, self.statuses)


@dataclass(frozen=True)
class Outcome:
    """What an import or an update did."""

    described: RuleImport
    loaded: RuleSet  # the set's rules alone, those refused among them
    new: tuple[Rule, ...]
    changed: tuple[Rule, ...]
    gone: tuple[Rule, ...]
    repeated: tuple[Rule, ...]  # their id is that of a rule of ours, which stands above
    other_files: int  # YAML files that hold no rule


def imports_folder(site: Path) -> Path:
    """Where a site's imported sets are."""
    return site / "rules" / "imported"


def imported_sets(site: Path) -> list[RuleImport]:
    """Every set, by name; one whose description is damaged is told by `described`."""
    folder = imports_folder(site)
    names = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
    return [described(site, name) for name in names if (folder / name / DESCRIPTION).is_file()]


def described(site: Path, name: str) -> RuleImport:
    """The set of that name. Raises NotFound, or Invalid when its description is damaged."""
    path = imports_folder(site) / name / DESCRIPTION
    if not NAME.fullmatch(name) or not path.is_file():
        raise NotFound("No hay un conjunto importado «{name}».", name=name)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        known = {one.name: data[one.name] for one in fields(RuleImport)}
        listed = {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
        return RuleImport(**{**known, **listed})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise Invalid(
            "{path} está dañado; quite el conjunto y vuelva a importarlo.", path=path
        ) from error


def name_for(origin: Path) -> str:
    """A name for the set that comes from there: `Sigma-Core.zip` → `sigma-core`."""
    plain = re.sub(r"(\.tar)?\.[a-z0-9]+$", "", origin.resolve().name.lower())
    name = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")[:40]
    return name if NAME.fullmatch(name) else "reglas"


def import_set(site: Path, origin: Path, *, name: str, choice: Choice, now: datetime) -> Outcome:
    """Take the rules of a folder or archive into the site. Raises Conflict if the name is taken."""
    if not NAME.fullmatch(name):
        raise Invalid(
            "El nombre del conjunto lleva solo minúsculas, números, punto y guion.", field="name"
        )
    if (imports_folder(site) / name).exists():
        raise Conflict("Ya hay un conjunto «{name}»; use «update» para renovarlo.", name=name)
    return _replace_set(site, origin, name=name, choice=choice, now=now, before=None)


def update_set(
    site: Path, name: str, *, origin: Path | None, choice: Choice | None, now: datetime
) -> Outcome:
    """Replace a set by what its origin, or another one, has now. Tuning is not touched."""
    before = described(site, name)
    return _replace_set(
        site,
        origin or Path(before.origin),
        name=name,
        choice=choice or before.choice,
        now=now,
        before=before,
    )


def remove_set(site: Path, name: str) -> RuleImport:
    """Take a set out."""
    before = described(site, name)
    with _staging(site) as staging:
        os.rename(imports_folder(site) / name, staging / "old")
    return before


def _replace_set(
    site: Path,
    origin: Path,
    *,
    name: str,
    choice: Choice,
    now: datetime,
    before: RuleImport | None,
) -> Outcome:
    target = imports_folder(site) / name
    old_rules = {rule.id: rule for rule in _rules_of(site, target).all} if before else {}
    with _staging(site) as staging:
        staged = staging / "new"
        problems, licences, others = _stage(read_members(origin), staged)
        loaded = _rules_of(site, staged)
        kept = _kept(loaded, choice)
        if not kept:
            raise Invalid("En {path} no hay ninguna regla que se pueda usar.", path=origin)
        files = _drop_others(staged, kept)
        refused = (*problems, *loaded.rejected)
        description = RuleImport(
            name=name,
            origin=str(origin.resolve()),
            imported_at=before.imported_at if before else now,
            updated_at=now,
            min_level=choice.min_level,
            statuses=choice.statuses,
            licences=licences,
            files=files,
            rules=len(kept),
            left_out=len(loaded.all) - len(kept),
            refused=len(refused),
            refusals=tuple(_told(one, staged) for one in refused[:REFUSALS_KEPT]),
        )
        _write_description(staged, description)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Two renames: who loads rules in between sees none of the set, and sees it a moment later.
        if target.exists():
            os.rename(target, staging / "old")
        try:
            os.rename(staged, target)
        except OSError as error:  # somebody imported a set of this name just now
            raise Conflict("Otra importación de «{name}» terminó antes.", name=name) from error
    elsewhere = {rule.id for rule in load_rules(site).all if not _lies_in(rule, target)}
    return _outcome(
        description,
        replace(loaded, rejected=refused),
        kept,
        old=old_rules,
        elsewhere=elsewhere,
        other_files=others,
    )


def _lies_in(rule: Rule, folder: Path) -> bool:
    return Path(rule.path).resolve().is_relative_to(folder.resolve())


def _outcome(
    description: RuleImport,
    loaded: RuleSet,
    kept: Mapping[str, Rule],
    *,
    old: Mapping[str, Rule],
    elsewhere: Set[str],
    other_files: int,
) -> Outcome:
    single = tuple(rule for rule in loaded.single if rule.id in kept)
    correlations = tuple(rule for rule in loaded.correlations if rule.id in kept)
    return Outcome(
        description,
        replace(loaded, single=single, correlations=correlations),
        new=tuple(rule for rule in kept.values() if rule.id not in old),
        changed=tuple(
            rule for rule in kept.values() if rule.id in old and old[rule.id].text != rule.text
        ),
        gone=tuple(rule for rule in old.values() if rule.id not in kept),
        repeated=tuple(rule for rule in kept.values() if rule.id in elsewhere),
        other_files=other_files,
    )


@contextmanager
def _staging(site: Path) -> Iterator[Path]:
    """A folder beside the rules, on the same disk, that goes away with all that is left in it."""
    folder = site / ".staging"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        yield Path(own)


def _stage(
    members: Iterator[Member], staged: Path
) -> tuple[list[ContentError], tuple[str, ...], int]:
    """Write what may be rules; answers what was unreadable, the licences, the other files."""
    problems: list[ContentError] = []
    licences: list[str] = []
    others = 0
    staged.mkdir()
    for member in members:
        if member.content is None:
            problems.append(ContentError(member.name, member.reason))
        elif member.is_licence:
            name = member.name.replace("/", "-")
            (staged / name).write_bytes(member.content)
            licences.append(name)
        else:
            verdict = _verdict(member)
            if isinstance(verdict, ContentError):
                problems.append(verdict)
            elif verdict:
                path = staged / "rules" / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(member.content)
            else:
                others += 1
    return problems, tuple(licences), others


def _verdict(member: Member) -> bool | ContentError:
    """Whether the file holds rules; a ContentError when it cannot be read as YAML."""
    assert member.content is not None
    try:
        text = member.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ContentError(member.name, "no está en UTF-8")
    documents = parse_documents(text, member.name)
    found = [one for one in documents if isinstance(one, Document)]
    if any(kind in one.data for one in found for kind in KINDS):
        return True
    broken = next((one for one in documents if isinstance(one, ContentError)), None)
    return broken or False


def _rules_of(site: Path, folder: Path) -> RuleSet:
    return load_rules(site, extra=[folder / "rules"], builtin=False)


def _kept(loaded: RuleSet, choice: Choice) -> dict[str, Rule]:
    """The rules that are wanted, and those which a wanted correlation counts."""
    by_id = loaded.by_id
    kept = {rule.id: rule for rule in loaded.all if choice.takes(rule)}
    waiting = [rule for rule in kept.values() if isinstance(rule, CorrelationRule)]
    while waiting:
        for rule_id in waiting.pop().rule_ids:
            counted = by_id.get(rule_id)
            if counted is not None and rule_id not in kept:
                kept[rule_id] = counted
                if isinstance(counted, CorrelationRule):
                    waiting.append(counted)
    return kept


def _drop_others(staged: Path, kept: Mapping[str, Rule]) -> int:
    """Delete the files of which nothing is wanted; how many stay."""
    wanted = {Path(rule.path).resolve() for rule in kept.values()}
    stay = 0
    for path in sorted((staged / "rules").rglob("*")):
        if not path.is_file():
            continue
        if path.resolve() in wanted or _has_filter(path):
            stay += 1
        else:
            path.unlink()
    return stay


def _has_filter(path: Path) -> bool:
    documents = parse_documents(path.read_text(encoding="utf-8-sig"), str(path))
    return any(isinstance(one, Document) and "filter" in one.data for one in documents)


def _told(problem: ContentError, staged: Path) -> str:
    """The problem with the file's name in the set, not in our temporary folder."""
    return str(problem).replace(f"{staged / 'rules'}/", "").replace(f"{staged}/", "")


def _write_description(staged: Path, description: RuleImport) -> None:
    data: dict[str, Any] = asdict(description)
    plain = {key: list(one) if isinstance(one, tuple) else one for key, one in data.items()}
    text = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=100)
    with (staged / DESCRIPTION).open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def licence_texts(site: Path, found: RuleImport) -> Sequence[tuple[str, str]]:
    """The licence files of a set: name and text."""
    folder = imports_folder(site) / found.name
    return [
        (name, (folder / name).read_text(encoding="utf-8", errors="replace"))
        for name in found.licences
        if (folder / name).is_file()
    ]
