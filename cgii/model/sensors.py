"""What belongs to a sensor that signs: invitations, keys, used nonces, its report, its settings."""

from datetime import datetime

from sqlalchemy import BigInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cgii.model.table import Code, Id, LongText, Table, reference


class SensorInvitation(Table):
    """A token with which a sensor makes its first key known, once; this row keeps the hash."""

    __tablename__ = "sensor_invitation"

    id: Mapped[Id]
    sensor_id: Mapped[int] = reference("sensor.id")
    token_hash: Mapped[Code] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    key_id: Mapped[Code] = mapped_column(default="")  # the key that it was used for


class SensorKey(Table):
    """A public key of a sensor; two are in force while one takes the other's place."""

    __tablename__ = "sensor_key"

    id: Mapped[Id]
    sensor_id: Mapped[int] = reference("sensor.id")
    key_id: Mapped[Code] = mapped_column(unique=True)
    public_key: Mapped[Code]  # Ed25519, 64 hex digits
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]  # first and, by the hour, last time
    ended_at: Mapped[datetime | None]


class SensorNonce(Table):
    """A signed request that had its effect; it has it once, as long as its time would be taken."""

    __tablename__ = "sensor_nonce"
    __table_args__ = (UniqueConstraint("key_id", "nonce"),)

    id: Mapped[Id]
    key_id: Mapped[Code]
    nonce: Mapped[Code]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SensorReport(Table):
    """What a sensor last said of itself."""

    __tablename__ = "sensor_report"

    id: Mapped[Id]
    sensor_id: Mapped[int] = reference("sensor.id", unique=True)
    received_at: Mapped[datetime]
    started_at: Mapped[datetime]
    waiting_since: Mapped[datetime | None]  # the oldest batch in its queue
    spool_records: Mapped[int] = mapped_column(BigInteger)
    spool_bytes: Mapped[int] = mapped_column(BigInteger)
    spool_bytes_max: Mapped[int] = mapped_column(BigInteger)
    lost_count: Mapped[int] = mapped_column(BigInteger)  # records since it started
    skew_seconds: Mapped[int]  # its clock before ours: positive is fast
    settings_version: Mapped[Code]
    settings_problem: Mapped[LongText]
    sources_version: Mapped[Code]


class SensorSettings(Table):
    """The inputs that the centre wants a sensor to have, as TOML."""

    __tablename__ = "sensor_settings"

    id: Mapped[Id]
    sensor_id: Mapped[int] = reference("sensor.id", unique=True)
    text: Mapped[LongText]
    version: Mapped[Code]  # a digest of the text
    changed_at: Mapped[datetime]
