"""What a centre itself says about rules: those written in the browser, and how rules are tuned."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.people import User
from cgii.model.table import Code, Id, JsonList, LongText, Table, reference


class SiteRule(Table):
    """One version of a rule that was written or changed here; the newest of its id is in force.

    It stands above the shipped rule and the site folder's of the same id. Versions are never
    changed, so the history of a rule is its rows; taking a rule out of use is a version too.
    """

    __tablename__ = "site_rule"
    __table_args__ = (UniqueConstraint("rule_id", "number"),)

    id: Mapped[Id]
    rule_id: Mapped[Code] = mapped_column(index=True)
    number: Mapped[int]  # 1, 2, …
    state: Mapped[Code]  # active retired released (the file's rule holds again)
    text: Mapped[LongText]  # the rule's YAML; of a retired one, what it was
    reason: Mapped[LongText]
    examples: Mapped[JsonList]  # [{match, why, source, raw}, …] that were run before it was saved
    untested: Mapped[LongText]  # why it has no examples; empty when it has
    over: Mapped[LongText]  # the text of the file's rule that it stands above, as it then was
    author_id: Mapped[int | None] = reference("person.id")
    created_at: Mapped[datetime]

    author: Mapped[User | None] = relationship()


class RuleTuning(Table):
    """How one rule is held back here: it survives every update of the rule itself."""

    __tablename__ = "rule_tuning"

    id: Mapped[Id]
    rule_id: Mapped[Code] = mapped_column(index=True)
    kind: Mapped[Code]  # suppress exclude level off
    key: Mapped[JsonList]  # suppress: [[field, value], …], every pair must be the alert's
    condition: Mapped[LongText]  # exclude: the detection of a Sigma filter, YAML
    level: Mapped[Code] = mapped_column(default="")  # level: informational low medium high critical
    reason: Mapped[LongText]
    owner_id: Mapped[int | None] = reference("person.id")
    is_watching: Mapped[bool]  # only counts what it would hide
    created_at: Mapped[datetime]
    until: Mapped[datetime | None]  # the first moment at which it no longer holds
    ended_at: Mapped[datetime | None]
    ended_by_id: Mapped[int | None] = reference("person.id")
    hidden_count: Mapped[int] = mapped_column(default=0)  # or would have hidden, while it watches
    last_hidden_at: Mapped[datetime | None]
    samples: Mapped[JsonList]  # the newest of them: [[alert id, moment, event id], …]

    owner: Mapped[User | None] = relationship(foreign_keys=[owner_id])
    ended_by: Mapped[User | None] = relationship(foreign_keys=[ended_by_id])
