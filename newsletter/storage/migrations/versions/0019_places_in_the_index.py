"""The index of papers lies in the order of their days, knows who is much upvoted, and has a small one of titles beside.

A paper's *place* is its day (a Julian day number) and its id in one number: by it the index gives the newest first
without sorting. Marks that nobody can type stand for 8, 64 and 512 upvotes, so that the most upvoted are found without
going through the others. ``version`` grows with what is told of a paper: what was made of it before is out of date, and
so is the ``opening`` of its summary, NULL until it is worked out.
Triggers keep all this, and a later migration that rebuilds one of these tables has to make them again.
"""

# ruff: noqa: S608 - what is put together here are names of ours

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# No text of a source has a character for private use. Between two names, three of the first keep a search for one name
# from finding parts of both.
_MARK = "char(57344)"
_STEPS = {8: "char(57345)", 64: "char(57346)", 512: "char(57347)"}
_BETWEEN = f"' ' || {_MARK} || ' ' || {_MARK} || ' ' || {_MARK} || ' '"


def _joined(name: str) -> str:
    return f"(SELECT group_concat(value, {_BETWEEN}) FROM json_each(facts, '$.{name}'))"


def _said(*names: str) -> str:
    return f" || {_BETWEEN} || ".join(f"coalesce(json_extract(facts, '$.{name}'), '')" for name in names)


def _steps(upvotes: str) -> str:
    return "(" + " || ' ' || ".join(f"iif({upvotes} >= {least}, {mark}, '')" for least, mark in _STEPS.items()) + ")"


_WORDS = "title, body, people, org, cat, name, year"
_DAY = "substr(coalesce(json_extract(facts, '$.published'), first_seen_at), 1, 10)"
_VIEW = f"""
CREATE VIEW search_papers AS SELECT
    id, (CAST(julianday({_DAY}) + 0.5 AS INTEGER) << 32) + id AS place, json_extract(facts, '$.title') AS title,
    {_said("abstract", "summary")} || {_BETWEEN} || coalesce({_joined("keywords")}, '') AS body,
    {_joined("authors")} AS people, json_extract(facts, '$.organisation') AS org, {_joined("categories")} AS cat,
    {_said("arxiv_id", "doi")} AS name, substr({_DAY}, 1, 4) AS year, {_steps("upvotes")} AS votes
FROM papers JOIN search_order ON paper_id = id
"""
_FORMS = "porter unicode61 remove_diacritics 2"
_INDEXES = {"search_words": f"{_WORDS}, votes", "search_titles": "title"}


# In this order an index is written at once. Only the ids are sorted (LIMIT -1 keeps SQLite from leaving that out): all
# texts would take as much room again for temporary files, which lie in memory on some machines.
_BY_PLACE = "(SELECT id AS paper FROM search_papers ORDER BY place LIMIT -1) CROSS JOIN search_papers ON id = paper"


def _learn(found: str) -> str:
    return "".join(
        f"INSERT INTO {index} (rowid, {columns}) SELECT place, {columns} FROM {found};"
        for index, columns in _INDEXES.items()
    )


def _forget(row: str) -> str:
    return "".join(
        f"INSERT INTO {index} ({index}, rowid, {columns})"
        f" SELECT 'delete', place, {columns} FROM search_papers WHERE id = {row};"
        for index, columns in _INDEXES.items()
    )


_CLIMBED = f"""
INSERT INTO search_words (search_words, rowid, {_WORDS}, votes)
SELECT 'delete', place, {_WORDS}, {_steps("old.upvotes")} FROM search_papers WHERE id = old.paper_id;
INSERT INTO search_words (rowid, {_WORDS}, votes)
SELECT place, {_WORDS}, votes FROM search_papers WHERE id = new.paper_id;
"""
_CHANGED = "UPDATE OF facts ON papers WHEN old.facts IS NOT new.facts"


def _most(paper: str) -> str:
    return f"(SELECT coalesce(max(upvotes), 0) FROM listings WHERE paper_id = {paper})"


def _voted(row: str) -> str:
    return f"UPDATE search_order SET upvotes = {_most(f'{row}.paper_id')} WHERE paper_id = {row}.paper_id;"


def _told_anew(paper: str) -> str:
    return f"UPDATE search_order SET version = version + 1, opening = NULL WHERE paper_id = {paper};"


_LEARN_NEW = _learn("search_papers WHERE id = new.id")
_TRIGGERS = {
    "search_made": ("AFTER INSERT ON papers", "INSERT INTO search_order VALUES (new.id, 0, 1, NULL);" + _LEARN_NEW),
    "search_changes": (f"BEFORE {_CHANGED}", _forget("old.id")),
    "search_changed": (f"AFTER {_CHANGED}", _LEARN_NEW + _told_anew("new.id")),
    "search_ends": (
        "BEFORE DELETE ON papers", _forget("old.id") + "DELETE FROM search_order WHERE paper_id = old.id;",
    ),
    "search_listed": ("AFTER INSERT ON listings", _voted("new")),
    "search_voted": ("AFTER UPDATE OF upvotes, paper_id ON listings", _voted("new") + _voted("old")),
    "search_unlisted": ("AFTER DELETE ON listings", _voted("old")),
    "search_climbed": (
        f"AFTER UPDATE OF upvotes ON search_order WHEN {_steps('old.upvotes')} <> {_steps('new.upvotes')}", _CLIMBED,
    ),
    "search_summed_up": ("AFTER INSERT ON summaries", _told_anew("new.paper_id")),
    "search_summed_up_anew": (
        "AFTER UPDATE ON summaries", _told_anew("new.paper_id") + _told_anew("old.paper_id"),
    ),
    "search_not_summed_up": ("AFTER DELETE ON summaries", _told_anew("old.paper_id")),
}  # fmt: skip
_BEFORE = ("made", "changes", "changed", "ends", "listed", "voted", "unlisted")


def upgrade() -> None:
    for name in _BEFORE:
        op.execute(f"DROP TRIGGER search_{name}")
    op.execute("DROP VIEW search_papers")
    op.drop_table("search_words")
    op.drop_table("search_order")
    op.create_table(
        "search_order",
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("upvotes", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opening", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("paper_id"),
    )
    unopened = sa.text("opening IS NULL")
    op.create_index(
        "ix_search_order_unopened", "search_order", ["paper_id"], sqlite_where=unopened, postgresql_where=unopened
    )
    op.execute(f"INSERT INTO search_order SELECT id, {_most('papers.id')}, 1, NULL FROM papers")
    op.execute(sa.text(_VIEW))
    for index, columns in _INDEXES.items():
        op.execute(f"CREATE VIRTUAL TABLE {index} USING fts5({columns}, content = '', tokenize = '{_FORMS}')")
    for statement in filter(None, _learn(_BY_PLACE).split(";")):
        op.execute(statement)
    for name, (when, done) in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {when} BEGIN {done} END")
