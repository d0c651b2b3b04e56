"""Sources that fell silent, quiet windows, and the sender's address of a reject."""

import sqlalchemy as sa
from alembic import op

import cgii.model.table

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    moment = cgii.model.table.UTCDateTime(timezone=True)
    op.create_table(
        "source_silence",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("sensor_key", sa.String(length=80), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("open_key", sa.String(length=400), nullable=True),
        sa.Column("state", sa.String(length=80), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("usual_count", sa.Integer(), nullable=False),
        sa.Column("seen_count", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.String(length=80), nullable=False),
        sa.Column("opened_at", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=True),
        sa.Column("outcome", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_silence")),
        sa.UniqueConstraint("open_key", name=op.f("uq_source_silence_open_key")),
    )
    with op.batch_alter_table("source_silence", schema=None) as batch_op:
        batch_op.create_index("ix_source_silence_pair", ["sensor_key", "source"], unique=False)
        batch_op.create_index(batch_op.f("ix_source_silence_ended_at"), ["ended_at"], unique=False)
    op.create_table(
        "quiet_window",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("sensor_key", sa.String(length=80), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("start_at", moment, nullable=False),
        sa.Column("end_at", moment, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("owner_id", ID, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["person.id"], name=op.f("fk_quiet_window_owner_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quiet_window")),
    )
    with op.batch_alter_table("quiet_window", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quiet_window_end_at"), ["end_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_quiet_window_owner_id"), ["owner_id"], unique=False)
    # No batch: SQLite adds a column with a default in place, and the table may be large.
    op.add_column("reject", sa.Column("peer", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("reject", schema=None) as batch_op:
        batch_op.drop_column("peer")
    op.drop_table("quiet_window")
    op.drop_table("source_silence")
