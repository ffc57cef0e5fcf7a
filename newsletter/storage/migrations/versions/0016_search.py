"""A full-text index of all papers, what its results are sorted by, and when anything that pages show changed last.

Triggers keep them, which a later migration that rebuilds one of these tables (batch mode does) has to make again.
The index keeps no texts: they are in the papers, and taken from the same view when they leave it.
"""

# ruff: noqa: S608 - what is put together here are names of ours

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# No text of a source has a character for private use: between two names, three of them keep a search for one name
# from finding parts of both.
_MARK = "char(57344)"
_BETWEEN = f"' ' || {_MARK} || ' ' || {_MARK} || ' ' || {_MARK} || ' '"


def _joined(name: str) -> str:
    return f"(SELECT group_concat(value, {_BETWEEN}) FROM json_each(facts, '$.{name}'))"


def _said(*names: str) -> str:
    return f" || {_BETWEEN} || ".join(f"coalesce(json_extract(facts, '$.{name}'), '')" for name in names)


_COLUMNS = "title, body, people, org, cat, name, year"
_DAY = "substr(coalesce(json_extract(facts, '$.published'), first_seen_at), 1, 10)"
_VIEW = f"""
CREATE VIEW search_papers AS SELECT
    id, json_extract(facts, '$.title') AS title,
    {_said("abstract", "summary")} || {_BETWEEN} || coalesce({_joined("keywords")}, '') AS body,
    {_joined("authors")} AS people, json_extract(facts, '$.organisation') AS org, {_joined("categories")} AS cat,
    {_said("arxiv_id", "doi")} AS name, substr({_DAY}, 1, 4) AS year, {_DAY} AS day
FROM papers
"""
_WORDS = "porter unicode61 remove_diacritics 2"
_INDEX = f"CREATE VIRTUAL TABLE search_words USING fts5({_COLUMNS}, content = '', tokenize = '{_WORDS}')"
_FORGET = f"""
INSERT INTO search_words (search_words, rowid, {_COLUMNS})
SELECT 'delete', id, {_COLUMNS} FROM search_papers WHERE id = old.id;
"""
_LEARN = f"""
INSERT INTO search_words (rowid, {_COLUMNS}) SELECT id, {_COLUMNS} FROM search_papers WHERE id = new.id;
INSERT INTO search_order (paper_id, day, upvotes) SELECT id, day, 0 FROM search_papers WHERE id = new.id
    ON CONFLICT (paper_id) DO UPDATE SET day = excluded.day;
"""
_CHANGED = "UPDATE OF facts ON papers WHEN old.facts IS NOT new.facts"


def _votes(row: str) -> str:
    most = f"(SELECT coalesce(max(upvotes), 0) FROM listings WHERE paper_id = {row}.paper_id)"
    return f"UPDATE search_order SET upvotes = {most} WHERE paper_id = {row}.paper_id;"


_TRIGGERS = {
    "search_made": ("AFTER INSERT ON papers", _LEARN),
    "search_changes": (f"BEFORE {_CHANGED}", _FORGET),
    "search_changed": (f"AFTER {_CHANGED}", _LEARN),
    "search_ends": ("BEFORE DELETE ON papers", _FORGET + "DELETE FROM search_order WHERE paper_id = old.id;"),
    "search_listed": ("AFTER INSERT ON listings", _votes("new")),
    "search_voted": ("AFTER UPDATE OF upvotes, paper_id ON listings", _votes("new") + _votes("old")),
    "search_unlisted": ("AFTER DELETE ON listings", _votes("old")),
}
_SHOWN = ("papers", "listings", "issues", "issue_papers", "corrections", "summaries")  # by pages for everyone


def upgrade() -> None:
    op.create_table(
        "search_order",
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("upvotes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("paper_id"),
    )
    op.create_table(
        "editions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO editions VALUES (1, 1)")
    _index_papers()
    for name, (when, done) in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {when} BEGIN {done} END")
    for table in _SHOWN:
        for when in ("INSERT", "UPDATE", "DELETE"):
            done = "UPDATE editions SET number = number + 1;"
            op.execute(f"CREATE TRIGGER edition_{table}_{when.lower()} AFTER {when} ON {table} BEGIN {done} END")


def _index_papers() -> None:
    op.execute(sa.text(_VIEW))
    op.execute(sa.text(_INDEX))
    op.execute(f"INSERT INTO search_words (rowid, {_COLUMNS}) SELECT id, {_COLUMNS} FROM search_papers")
    votes = "coalesce((SELECT max(upvotes) FROM listings WHERE paper_id = search_papers.id), 0)"
    op.execute(f"INSERT INTO search_order SELECT id, day, {votes} FROM search_papers")
