"""Sensors that sign: invitations, keys, nonces, reports, settings."""

import sqlalchemy as sa
from alembic import op
import cgii.model.table

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sensor_nonce",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("key_id", sa.String(length=80), nullable=False),
        sa.Column("nonce", sa.String(length=80), nullable=False),
        sa.Column("expires_at", cgii.model.table.UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor_nonce")),
        sa.UniqueConstraint("key_id", "nonce", name=op.f("uq_sensor_nonce_key_id_nonce")),
    )
    with op.batch_alter_table("sensor_nonce", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sensor_nonce_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "sensor_invitation",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "sensor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("token_hash", sa.String(length=80), nullable=False),
        sa.Column("created_at", cgii.model.table.UTCDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", cgii.model.table.UTCDateTime(timezone=True), nullable=False),
        sa.Column("used_at", cgii.model.table.UTCDateTime(timezone=True), nullable=True),
        sa.Column("key_id", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["sensor_id"], ["sensor.id"], name=op.f("fk_sensor_invitation_sensor_id_sensor")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor_invitation")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sensor_invitation_token_hash")),
    )
    with op.batch_alter_table("sensor_invitation", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sensor_invitation_sensor_id"), ["sensor_id"], unique=False
        )

    op.create_table(
        "sensor_key",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "sensor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key_id", sa.String(length=80), nullable=False),
        sa.Column("public_key", sa.String(length=80), nullable=False),
        sa.Column("created_at", cgii.model.table.UTCDateTime(timezone=True), nullable=False),
        sa.Column("used_at", cgii.model.table.UTCDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", cgii.model.table.UTCDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["sensor_id"], ["sensor.id"], name=op.f("fk_sensor_key_sensor_id_sensor")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor_key")),
        sa.UniqueConstraint("key_id", name=op.f("uq_sensor_key_key_id")),
    )
    with op.batch_alter_table("sensor_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sensor_key_sensor_id"), ["sensor_id"], unique=False)

    op.create_table(
        "sensor_report",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "sensor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("received_at", cgii.model.table.UTCDateTime(timezone=True), nullable=False),
        sa.Column("started_at", cgii.model.table.UTCDateTime(timezone=True), nullable=False),
        sa.Column("waiting_since", cgii.model.table.UTCDateTime(timezone=True), nullable=True),
        sa.Column("spool_records", sa.BigInteger(), nullable=False),
        sa.Column("spool_bytes", sa.BigInteger(), nullable=False),
        sa.Column("spool_bytes_max", sa.BigInteger(), nullable=False),
        sa.Column("lost_count", sa.BigInteger(), nullable=False),
        sa.Column("skew_seconds", sa.Integer(), nullable=False),
        sa.Column("settings_version", sa.String(length=80), nullable=False),
        sa.Column("settings_problem", sa.Text(), nullable=False),
        sa.Column("sources_version", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["sensor_id"], ["sensor.id"], name=op.f("fk_sensor_report_sensor_id_sensor")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor_report")),
    )
    with op.batch_alter_table("sensor_report", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sensor_report_sensor_id"), ["sensor_id"], unique=True)

    op.create_table(
        "sensor_settings",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "sensor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=80), nullable=False),
        sa.Column("changed_at", cgii.model.table.UTCDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sensor_id"], ["sensor.id"], name=op.f("fk_sensor_settings_sensor_id_sensor")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor_settings")),
    )
    with op.batch_alter_table("sensor_settings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sensor_settings_sensor_id"), ["sensor_id"], unique=True
        )


def downgrade() -> None:
    with op.batch_alter_table("sensor_settings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sensor_settings_sensor_id"))

    op.drop_table("sensor_settings")
    with op.batch_alter_table("sensor_report", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sensor_report_sensor_id"))

    op.drop_table("sensor_report")
    with op.batch_alter_table("sensor_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sensor_key_sensor_id"))

    op.drop_table("sensor_key")
    with op.batch_alter_table("sensor_invitation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sensor_invitation_sensor_id"))

    op.drop_table("sensor_invitation")
    with op.batch_alter_table("sensor_nonce", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sensor_nonce_expires_at"))

    op.drop_table("sensor_nonce")
