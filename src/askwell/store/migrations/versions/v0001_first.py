"""Schema 1: items, queries, label events, rounds and metrics, as the first askwell wrote them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "about",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
    op.create_table(
        "items",
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("content_hash", sa.String),
        sa.CheckConstraint("role IN ('pool', 'validation')"),
    )
    _create_asking()
    _create_rounds()


def _create_asking() -> None:
    op.create_table(
        "queries",
        sa.Column("round", sa.Integer, primary_key=True),
        sa.Column("rank", sa.Integer, primary_key=True),
        sa.Column("position", sa.Integer, sa.ForeignKey("items.position"), nullable=False, unique=True),
        sa.Column("score", sa.Float),
    )
    op.create_table(
        "selections",
        sa.Column("round", sa.Integer, primary_key=True),
        sa.Column("seconds", sa.Float),
    )
    op.create_table(
        "label_events",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("position", sa.Integer, sa.ForeignKey("items.position"), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("label", sa.String),
        sa.Column("annotator", sa.String, nullable=False),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("duration", sa.Float),
        sa.Column("round", sa.Integer, nullable=False),
        sa.CheckConstraint("kind IN ('label', 'skip', 'unsure', 'bad', 'undo')"),
        sa.CheckConstraint("(kind = 'label') = (label IS NOT NULL)"),
        sqlite_autoincrement=True,
    )


def _create_rounds() -> None:
    op.create_table(
        "rounds",
        sa.Column("round", sa.Integer, primary_key=True),
        sa.Column("labels", sa.Integer, nullable=False),
        sa.Column("seconds_fit", sa.Float, nullable=False),
        sa.Column("model_file", sa.String, nullable=False),
        sa.Column("model_hash", sa.String, nullable=False),
    )
    op.create_table(
        "metrics",
        sa.Column("round", sa.Integer, sa.ForeignKey("rounds.round"), primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.Float),
    )
