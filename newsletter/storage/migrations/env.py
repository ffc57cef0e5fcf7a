"""Alembic's entry: runs the versions on the connection that ``storage/upgrade.py`` gives it."""

from alembic import context
from sqlmodel import SQLModel

import newsletter.storage.tables  # noqa: F401 - registers the tables

context.configure(
    connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
