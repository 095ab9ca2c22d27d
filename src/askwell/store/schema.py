"""The tables of campaign.db. Labels are append-only events; what is current is derived from them.

The second half is what people label with. Of it only ``class_events`` and ``answer_events`` say anything new: ``item_states``, ``tallies``
and the ``open`` columns are derived from them in the same transaction, so that no request has to look at all items.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA_VERSION = 4  # also in about.schema_version of every database; each version has its revision in migrations/

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

item_files = Table(  # of the items whose file is not called as the item is
    "item_files",
    metadata,
    Column("position", Integer, ForeignKey("items.position"), primary_key=True),
    Column("path", LargeBinary, nullable=False),  # below the root, as the system spells it
    Column("page", Integer, nullable=False),
)

class_events = Table(
    "class_events",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("class_id", String),  # "c1", "c2", ...: never used for another class; null in an undo
    Column("name", String),
    Column("key", String),  # on the keyboard
    Column("into", String),  # the class that this one is merged into
    Column("undoes", Integer, ForeignKey("class_events.sequence")),
    Column("annotator", String, nullable=False),
    Column("time", Float, nullable=False),
    Column("idempotency", String, nullable=False, unique=True),
    CheckConstraint("kind IN ('add', 'rename', 'merge', 'split', 'retire', 'undo')"),
    CheckConstraint("(kind = 'undo') = (undoes IS NOT NULL)"),
    CheckConstraint("(kind = 'undo') = (class_id IS NULL)"),
    sqlite_autoincrement=True,
)

answer_events = Table(
    "answer_events",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),  # order comes from here, never from a clock
    Column("position", Integer, ForeignKey("items.position"), nullable=False),
    Column("kind", String, nullable=False),
    Column("class_id", String),
    Column("annotator", String, nullable=False),
    Column("key", String, nullable=False, unique=True),  # idempotency: the same request again changes nothing
    Column("time", Float, nullable=False),
    Column("duration", Float),  # seconds at work, hidden and idle time left out
    Column("generation", Integer),  # whose order the question came from; null for an edit
    Column("evaluation", Integer, nullable=False),  # 1: asked as one of the random sample
    Column("undoes", Integer, ForeignKey("answer_events.sequence")),
    Column("depth", Integer, nullable=False),  # how many answers this annotator can take back after this event
    CheckConstraint("kind IN ('label', 'skip', 'unsure', 'bad', 'undo')"),
    CheckConstraint("(kind = 'label') = (class_id IS NOT NULL)"),
    CheckConstraint("(kind = 'undo') = (undoes IS NOT NULL)"),
    Index("answer_events_of_item", "position", "sequence"),
    Index("answer_events_of_annotator", "annotator", "sequence"),
    Index("answer_events_undone", "undoes"),
    sqlite_autoincrement=True,
)

item_states = Table(  # each item's current answer, if it has one
    "item_states",
    metadata,
    Column("position", Integer, ForeignKey("items.position"), primary_key=True),
    Column("sequence", Integer, ForeignKey("answer_events.sequence"), nullable=False),
    Column("kind", String, nullable=False),
    Column("class_id", String),  # as answered; what it was merged into is derived when it is read
    Column("annotator", String, nullable=False),
    Column("time", Float, nullable=False),
    Index("item_states_of_class", "kind", "class_id", "sequence"),
    Index("item_states_of_annotator", "annotator", "sequence"),
)

tallies = Table(  # how many items have which current answer
    "tallies",
    metadata,
    Column("kind", String, primary_key=True),  # of the answer, or "items": all there are
    Column("class_id", String, primary_key=True),  # empty but for labels
    Column("count", Integer, nullable=False),
)

generations = Table(
    "generations",
    metadata,
    Column("generation", Integer, primary_key=True),  # 0 holds every item, in a random order
    Column("source", String, nullable=False),
    Column("round", Integer),  # of the model that ranked it
    Column("time", Float, nullable=False),
    CheckConstraint("source IN ('random', 'cold_start', 'model')"),
)

queue = Table(  # rows of a generation that is not in generations yet are being written, and nobody looks at them
    "queue",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("position", Integer, ForeignKey("items.position"), primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("score", Float),
    Column("why", String),  # JSON: what the model thought of it
    Column("open", Integer, nullable=False),  # 0 once it has an answer, or cannot be shown
    Index("queue_open", "generation", "open", "rank"),
    Index("queue_of_item", "position"),
)

leases = Table(  # every question that was ever shown, by its key
    "leases",
    metadata,
    Column("key", String, primary_key=True),
    Column("number", Integer, nullable=False),  # counts the questions: order without a clock
    Column("position", Integer, ForeignKey("items.position"), nullable=False),
    Column("annotator", String, nullable=False),
    Column(
        "basis", Integer
    ),  # sequence of the answer that the item had then; another one by now makes the question stale
    Column("generation", Integer, nullable=False),
    Column("evaluation", Integer, nullable=False),
    Column("issued", Float, nullable=False),
    Column("until", Float, nullable=False),
    Column("open", Integer, nullable=False),  # 0 once it is answered
    UniqueConstraint("number"),
    Index("leases_of_item", "position", "open"),
    Index("leases_of_annotator", "annotator", "open", "number"),
)

evaluation_items = Table(  # a simple random sample of the pool, in the order in which it is asked
    "evaluation_items",
    metadata,
    Column("rank", Integer, primary_key=True),
    Column("position", Integer, ForeignKey("items.position"), nullable=False, unique=True),
    Column("open", Integer, nullable=False),
    Index("evaluation_items_open", "open", "rank"),
)

evaluation_predictions = Table(
    "evaluation_predictions",
    metadata,
    Column("round", Integer, ForeignKey("rounds.round"), primary_key=True),
    Column("predictions", String, nullable=False),  # JSON: what the round's model said of each evaluation item
)

worker_status = Table(
    "worker_status",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)
