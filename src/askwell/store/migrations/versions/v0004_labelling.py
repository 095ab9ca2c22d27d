"""Schema 4: people label: classes and answers as events, the ranked queue, who is shown what, and the random sample for measuring."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _create_events()
    _create_items()
    _create_questions()
    _create_evaluation()


def _create_events() -> None:
    op.create_table(
        "class_events",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("class_id", sa.String),
        sa.Column("name", sa.String),
        sa.Column("key", sa.String),
        sa.Column("into", sa.String),
        sa.Column("undoes", sa.Integer, sa.ForeignKey("class_events.sequence")),
        sa.Column("annotator", sa.String, nullable=False),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("idempotency", sa.String, nullable=False, unique=True),
        sa.CheckConstraint("kind IN ('add', 'rename', 'merge', 'split', 'retire', 'undo')"),
        sa.CheckConstraint("(kind = 'undo') = (undoes IS NOT NULL)"),
        sa.CheckConstraint("(kind = 'undo') = (class_id IS NULL)"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "answer_events",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("position", sa.Integer, sa.ForeignKey("items.position"), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("class_id", sa.String),
        sa.Column("annotator", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False, unique=True),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("duration", sa.Float),
        sa.Column("generation", sa.Integer),
        sa.Column("evaluation", sa.Integer, nullable=False),
        sa.Column("undoes", sa.Integer, sa.ForeignKey("answer_events.sequence")),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.CheckConstraint("kind IN ('label', 'skip', 'unsure', 'bad', 'undo')"),
        sa.CheckConstraint("(kind = 'label') = (class_id IS NOT NULL)"),
        sa.CheckConstraint("(kind = 'undo') = (undoes IS NOT NULL)"),
        sqlite_autoincrement=True,
    )
    op.create_index("answer_events_of_item", "answer_events", ["position", "sequence"])
    op.create_index("answer_events_of_annotator", "answer_events", ["annotator", "sequence"])
    op.create_index("answer_events_undone", "answer_events", ["undoes"])


def _create_items() -> None:
    op.create_table(
        "item_files",
        sa.Column("position", sa.Integer, sa.ForeignKey("items.position"), primary_key=True),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("page", sa.Integer, nullable=False),
    )
    op.create_table(
        "item_states",
        sa.Column("position", sa.Integer, sa.ForeignKey("items.position"), primary_key=True),
        sa.Column("sequence", sa.Integer, sa.ForeignKey("answer_events.sequence"), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("class_id", sa.String),
        sa.Column("annotator", sa.String, nullable=False),
        sa.Column("time", sa.Float, nullable=False),
    )
    op.create_index("item_states_of_class", "item_states", ["kind", "class_id", "sequence"])
    op.create_index("item_states_of_annotator", "item_states", ["annotator", "sequence"])
    op.create_table(
        "tallies",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("class_id", sa.String, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )


def _create_questions() -> None:
    op.create_table(
        "generations",
        sa.Column("generation", sa.Integer, primary_key=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("round", sa.Integer),
        sa.Column("time", sa.Float, nullable=False),
        sa.CheckConstraint("source IN ('random', 'cold_start', 'model')"),
    )
    op.create_table(
        "queue",
        sa.Column("generation", sa.Integer, primary_key=True),
        sa.Column("position", sa.Integer, sa.ForeignKey("items.position"), primary_key=True),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("why", sa.String),
        sa.Column("open", sa.Integer, nullable=False),
    )
    op.create_index("queue_open", "queue", ["generation", "open", "rank"])
    op.create_index("queue_of_item", "queue", ["position"])
    op.create_table(
        "leases",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, sa.ForeignKey("items.position"), nullable=False),
        sa.Column("annotator", sa.String, nullable=False),
        sa.Column("basis", sa.Integer),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("evaluation", sa.Integer, nullable=False),
        sa.Column("issued", sa.Float, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("open", sa.Integer, nullable=False),
        sa.UniqueConstraint("number"),
    )
    op.create_index("leases_of_item", "leases", ["position", "open"])
    op.create_index("leases_of_annotator", "leases", ["annotator", "open", "number"])


def _create_evaluation() -> None:
    op.create_table(
        "evaluation_items",
        sa.Column("rank", sa.Integer, primary_key=True),
        sa.Column("position", sa.Integer, sa.ForeignKey("items.position"), nullable=False, unique=True),
        sa.Column("open", sa.Integer, nullable=False),
    )
    op.create_index("evaluation_items_open", "evaluation_items", ["open", "rank"])
    op.create_table(
        "evaluation_predictions",
        sa.Column("round", sa.Integer, sa.ForeignKey("rounds.round"), primary_key=True),
        sa.Column("predictions", sa.String, nullable=False),
    )
    op.create_table(
        "worker_status",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
