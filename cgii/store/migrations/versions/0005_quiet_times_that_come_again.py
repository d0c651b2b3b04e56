"""Quiet times that come again every week, and those of an entity."""

import sqlalchemy as sa
from alembic import op

import cgii.model.table

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = cgii.model.table.UTCDateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("quiet_window", schema=None) as batch_op:
        batch_op.add_column(sa.Column("entity_id", ID, nullable=True))
        batch_op.add_column(
            sa.Column("days", sa.String(length=80), server_default="", nullable=False)
        )
        batch_op.add_column(sa.Column("opens", sa.Time(), nullable=True))
        batch_op.add_column(sa.Column("closes", sa.Time(), nullable=True))
        batch_op.alter_column("end_at", existing_type=MOMENT, nullable=True)
        batch_op.create_foreign_key(
            batch_op.f("fk_quiet_window_entity_id_entity"), "entity", ["entity_id"], ["id"]
        )
        batch_op.create_index(batch_op.f("ix_quiet_window_entity_id"), ["entity_id"], unique=False)


def downgrade() -> None:
    # The version before knows neither kind: as pauses of one time for all they would be wrong.
    op.execute("DELETE FROM quiet_window WHERE days <> '' OR entity_id IS NOT NULL")
    with op.batch_alter_table("quiet_window", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quiet_window_entity_id"))
        batch_op.drop_constraint(batch_op.f("fk_quiet_window_entity_id_entity"), type_="foreignkey")
        batch_op.alter_column("end_at", existing_type=MOMENT, nullable=False)
        for name in ("closes", "opens", "days", "entity_id"):
            batch_op.drop_column(name)
