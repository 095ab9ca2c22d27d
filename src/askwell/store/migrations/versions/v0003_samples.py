"""Schema 3: a query's score says how many posterior samples it was taken from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("queries", sa.Column("samples", sa.Integer))
