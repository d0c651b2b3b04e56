"""Who does something, when and in which transaction: the first argument of every verb."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from cgii.model.people import User
from cgii.store.audit import AuditTrail


@dataclass(frozen=True)
class Act:
    """One deed under way. `user` None means the system itself (a job, an ingest)."""

    session: Session
    now: datetime
    trail: AuditTrail
    user: User | None = None
    via: str = "system"  # "web", "api", "cli", "job", "sensor:7"
    site: Path | None = None  # Settings.site: a site's own deadlines and message templates
    public_url: str = ""  # Settings.public_url: stands in mails

    @property
    def user_id(self) -> int | None:
        """The person's id, for columns such as `author_id`."""
        return self.user.id if self.user else None

    def record(
        self,
        action: str,
        target: str,
        *,
        entity_id: int | None = None,
        **data: Any,  # JSON values
    ) -> None:
        """Write the deed into the audit trail, in the same transaction."""
        actor = f"user:{self.user.id}" if self.user else self.via
        self.trail.record(
            self.session, actor, action, target, now=self.now, entity_id=entity_id, **data
        )
