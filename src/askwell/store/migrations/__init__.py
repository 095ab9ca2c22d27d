"""Alembic's revisions of campaign.db, one per schema version; ``store.upgrade`` runs them."""
