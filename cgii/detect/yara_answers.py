"""The shape of what the child that looks into files may say; anything else is not believed."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from cgii.base import limits

Short = Annotated[str, Field(max_length=limits.YARA_TEXT_CHARS_MAX)]
Name = Annotated[str, Field(max_length=400)]
Code = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
Words = Annotated[tuple[Short, ...], Field(max_length=limits.YARA_META_MAX)]
Meta = Annotated[dict[Name, bool | int | Short], Field(max_length=limits.YARA_META_MAX)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class Strict(BaseModel):
    """What the child says has these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(Strict):
    """It begins with a file of rules, with all of them together, or with a target."""

    kind: Literal["compiling", "joining", "ready", "scanning"]
    file: Count = 0
    target: Count = 0


class Rejected(Strict):
    """YARA refuses a file of rules."""

    kind: Literal["rejected"]
    file: Count
    line: Count | None
    reason: Short


class Rule(Strict):
    """One rule of a file."""

    name: Name
    tags: Words
    meta: Meta


class RulesOfFile(Strict):
    """The rules of a file, and what may be slow in it."""

    kind: Literal["compiled"]
    file: Count
    rules: Annotated[tuple[Rule, ...], Field(max_length=100_000)]
    warnings: Annotated[tuple[tuple[Count | None, Short], ...], Field(max_length=50)]


class Hit(Strict):
    """One place in a target."""

    identifier: Name
    offset: Count
    length: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Match(Strict):
    """One rule that a target, or a member of it, matches."""

    rule: Name
    namespace: Name
    tags: Words
    meta: Meta
    member: Name
    hits: Annotated[tuple[Hit, ...], Field(max_length=limits.YARA_HITS_MAX)]


class Result(Strict):
    """All that is to be said of one target."""

    kind: Literal["result"]
    target: Count
    reasons: Annotated[tuple[Code, ...], Field(max_length=20)]
    matches: Annotated[tuple[Match, ...], Field(max_length=limits.YARA_RULES_MAX)]
    members: Count
    bytes: Count
    seconds: Annotated[float, Field(ge=0, le=1e6)]


Answer = Step | Rejected | RulesOfFile | Result
ANSWER: TypeAdapter[Answer] = TypeAdapter(Annotated[Answer, Field(discriminator="kind")])
