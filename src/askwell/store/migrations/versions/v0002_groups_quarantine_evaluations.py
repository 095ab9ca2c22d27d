"""Schema 2: items may belong to a group or be quarantined, and a round keeps the details of its evaluation."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("items", sa.Column("group_key", sa.String))
    op.create_table(
        "quarantine",
        sa.Column("position", sa.Integer, sa.ForeignKey("items.position"), primary_key=True),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("time", sa.Float, nullable=False),
    )
    op.create_table(
        "evaluations",
        sa.Column("round", sa.Integer, sa.ForeignKey("rounds.round"), primary_key=True),
        sa.Column("details", sa.String, nullable=False),
    )
