"""Alembic revisions of the run index, oldest first; run when an index of an older Penstock is opened."""
