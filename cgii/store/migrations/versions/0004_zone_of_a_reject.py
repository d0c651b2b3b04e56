"""The time zone of the input that a reject came from."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No batch: SQLite adds such a column in place, and the table may be large.
    op.add_column("reject", sa.Column("zone", sa.String(length=80), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("reject", schema=None) as batch_op:
        batch_op.drop_column("zone")
