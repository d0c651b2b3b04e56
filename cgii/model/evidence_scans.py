"""What scans of evidence said, as the record keeps it."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.incidents import Evidence
from cgii.model.table import Code, Id, JsonDict, JsonList, Table, reference


class EvidenceScan(Table):
    """One look into one piece of evidence; rows are never changed but to share them."""

    __tablename__ = "evidence_scan"

    id: Mapped[Id]
    evidence_id: Mapped[int] = reference("evidence.id")
    at: Mapped[datetime] = mapped_column(index=True)
    outcome: Mapped[Code]  # match clean unknown
    reasons: Mapped[JsonList]
    members: Mapped[int] = mapped_column(default=0)
    bytes_scanned: Mapped[int] = mapped_column(BigInteger, default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
    rules_version: Mapped[Code] = mapped_column(index=True)
    asked_by_id: Mapped[int | None] = reference("person.id")  # None: the system itself
    is_latest: Mapped[bool] = mapped_column(default=True)  # of its evidence
    is_shared: Mapped[bool] = mapped_column(default=False)  # with the entity

    evidence: Mapped[Evidence] = relationship()
    matches: Mapped[list["EvidenceMatch"]] = relationship(order_by="EvidenceMatch.id")


class EvidenceMatch(Table):
    """One rule that one scan of a piece of evidence found."""

    __tablename__ = "evidence_match"

    id: Mapped[Id]
    scan_id: Mapped[int] = reference("evidence_scan.id")
    evidence_id: Mapped[int] = reference("evidence.id")
    rule: Mapped[str] = mapped_column(index=True)  # "php_web_shells/php_shell_request_eval"
    title: Mapped[str]
    level: Mapped[Code] = mapped_column(default="")
    member: Mapped[str] = mapped_column(default="")
    tags: Mapped[JsonList]
    meta: Mapped[JsonDict]
    hits: Mapped[JsonList]  # [{identifier, offset, length, sha256}, …]
