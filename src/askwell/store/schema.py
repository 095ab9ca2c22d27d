"""The tables of campaign.db. Labels are append-only events; what is current is derived from them."""

from sqlalchemy import CheckConstraint, Column, Float, ForeignKey, Integer, MetaData, String, Table

SCHEMA_VERSION = 3  # also in about.schema_version of every database; each version has its revision in migrations/

metadata = MetaData()

about = Table(
    "about",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("position", Integer, primary_key=True),  # in the pool's own order
    Column("id", String, nullable=False, unique=True),
    Column("role", String, nullable=False),  # "pool", or "validation": asked at the start, never trained on
    Column("content_hash", String),  # filled when the image is first decoded
    Column(
        "group_key", String
    ),  # patient, burst, video: what must stay on one side of a split; null where nothing was grouped
    CheckConstraint("role IN ('pool', 'validation')"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("position", Integer, ForeignKey("items.position"), primary_key=True),
    Column("reason", String, nullable=False),  # why the image takes no further part, for people to read
    Column("time", Float, nullable=False),
)

queries = Table(
    "queries",
    metadata,
    Column(
        "round", Integer, primary_key=True
    ),  # the round whose training set first holds the answer; 0 is the initial set
    Column("rank", Integer, primary_key=True),
    Column("position", Integer, ForeignKey("items.position"), nullable=False, unique=True),
    Column("score", Float),  # null where nothing was scored
    Column("samples", Integer),  # T of that score: scores of different T cannot be compared; null before schema 3
)

selections = Table(
    "selections",
    metadata,
    Column(
        "round", Integer, primary_key=True
    ),  # the round whose query was chosen; it exists even when the query is empty
    Column("seconds", Float),
)

label_events = Table(
    "label_events",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),  # order comes from here, never from a clock
    Column("position", Integer, ForeignKey("items.position"), nullable=False),
    Column("kind", String, nullable=False),
    Column("label", String),
    Column("annotator", String, nullable=False),
    Column("time", Float, nullable=False),  # seconds since the epoch, for people to read
    Column("duration", Float),  # seconds the answer took
    Column("round", Integer, nullable=False),
    CheckConstraint("kind IN ('label', 'skip', 'unsure', 'bad', 'undo')"),
    CheckConstraint("(kind = 'label') = (label IS NOT NULL)"),
    sqlite_autoincrement=True,
)

rounds = Table(
    "rounds",
    metadata,
    Column("round", Integer, primary_key=True),
    Column("labels", Integer, nullable=False),  # every label the learner saw: initial and validation included
    Column("seconds_fit", Float, nullable=False),
    Column("model_file", String, nullable=False),
    Column("model_hash", String, nullable=False),
)

metrics = Table(
    "metrics",
    metadata,
    Column("round", Integer, ForeignKey("rounds.round"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", Float),
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("round", Integer, ForeignKey("rounds.round"), primary_key=True),
    Column("details", String, nullable=False),  # JSON: what was measured beyond the numbers in metrics
)
