"""Papers with upvotes have an index of their own, in the order of these: the most upvoted first, without sorting.

A place becomes narrower for it: 17 bits of a paper's day, which count from 17 November 1858 (a modified Julian day, as
SQLite's dates go), and 26 of its id. In the new index 20 bits of upvotes stand before them. The marks for 8, 64 and 512
upvotes are gone. A later migration that rebuilds one of these tables has to make their triggers again.
"""

# ruff: noqa: S608 - what is put together here are names of ours

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# No text of a source has a character for private use. Between two names, three of these keep a search for one name
# from finding parts of both.
_MARK = "char(57344)"
_BETWEEN = f"' ' || {_MARK} || ' ' || {_MARK} || ' ' || {_MARK} || ' '"


def _joined(name: str) -> str:
    return f"(SELECT group_concat(value, {_BETWEEN}) FROM json_each(facts, '$.{name}'))"


def _said(*names: str) -> str:
    return f" || {_BETWEEN} || ".join(f"coalesce(json_extract(facts, '$.{name}'), '')" for name in names)


_WORDS = "title, body, people, org, cat, name, year"
_DAY = "substr(coalesce(json_extract(facts, '$.published'), first_seen_at), 1, 10)"
_PLACE = f"(max(0, min(CAST(julianday({_DAY}) - 2400000.5 AS INTEGER), 131071)) << 26) + id"
_VIEW = f"""
CREATE VIEW search_papers AS SELECT
    id, {_PLACE} AS place, json_extract(facts, '$.title') AS title,
    {_said("abstract", "summary")} || {_BETWEEN} || coalesce({_joined("keywords")}, '') AS body,
    {_joined("authors")} AS people, json_extract(facts, '$.organisation') AS org, {_joined("categories")} AS cat,
    {_said("arxiv_id", "doi")} AS name, substr({_DAY}, 1, 4) AS year
FROM papers
"""
_FORMS = "porter unicode61 remove_diacritics 2"
_INDEXES = {"search_words": _WORDS, "search_titles": "title"}

# In this order an index is written at once. Only the ids are sorted (LIMIT -1 keeps SQLite from leaving that out): all
# texts would take as much room again for temporary files, which lie in memory on some machines.
_BY_PLACE = "(SELECT id AS paper FROM search_papers ORDER BY place LIMIT -1) CROSS JOIN search_papers ON id = paper"
_BY_VOTES = (
    "(SELECT paper_id AS paper, upvotes FROM search_order JOIN search_papers ON id = paper_id"
    " WHERE upvotes > 0 ORDER BY upvotes, place LIMIT -1) CROSS JOIN search_papers ON id = paper"
)


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


def _voted_place(upvotes: str) -> str:
    return f"(min({upvotes}, 1048575) << 43) + place"


def _learn_voted(found: str, upvotes: str) -> str:
    return f"""
    INSERT INTO search_upvoted (rowid, {_WORDS}) SELECT {_voted_place(upvotes)}, {_WORDS} FROM {found};"""


def _forget_voted(paper: str, upvotes: str) -> str:
    return f"""
    INSERT INTO search_upvoted (search_upvoted, rowid, {_WORDS})
    SELECT 'delete', {_voted_place(upvotes)}, {_WORDS} FROM search_papers WHERE id = {paper} AND {upvotes} > 0;"""


def _of(paper: str) -> str:
    return f"search_order JOIN search_papers ON id = paper_id WHERE paper_id = {paper} AND upvotes > 0"


def _forget_the_voted(paper: str) -> str:
    return f"""
    INSERT INTO search_upvoted (search_upvoted, rowid, {_WORDS})
    SELECT 'delete', {_voted_place("upvotes")}, {_WORDS} FROM {_of(paper)};"""


def _told_anew(paper: str) -> str:
    return f"UPDATE search_order SET version = version + 1, opening = NULL WHERE paper_id = {paper};"


_CHANGED = "UPDATE OF facts ON papers WHEN old.facts IS NOT new.facts"
_LEARN_NEW = _learn("search_papers WHERE id = new.id")
_TRIGGERS = {
    "search_made": ("AFTER INSERT ON papers", "INSERT INTO search_order VALUES (new.id, 0, 1, NULL);" + _LEARN_NEW),
    "search_changes": (f"BEFORE {_CHANGED}", _forget("old.id") + _forget_the_voted("old.id")),
    "search_changed": (
        f"AFTER {_CHANGED}", _LEARN_NEW + _learn_voted(_of("new.id"), "upvotes") + _told_anew("new.id"),
    ),
    "search_ends": (
        "BEFORE DELETE ON papers",
        _forget("old.id") + _forget_the_voted("old.id") + "DELETE FROM search_order WHERE paper_id = old.id;",
    ),
    "search_climbed": (
        "AFTER UPDATE OF upvotes ON search_order WHEN old.upvotes <> new.upvotes",
        _forget_voted("old.paper_id", "old.upvotes") + _learn_voted(_of("new.paper_id"), "upvotes"),
    ),
}  # fmt: skip


def upgrade() -> None:
    for name in _TRIGGERS:
        op.execute(f"DROP TRIGGER {name}")
    op.execute("DROP VIEW search_papers")
    for index in _INDEXES:
        op.drop_table(index)
    op.execute(sa.text(_VIEW))
    for index, columns in (*_INDEXES.items(), ("search_upvoted", _WORDS)):
        op.execute(f"CREATE VIRTUAL TABLE {index} USING fts5({columns}, content = '', tokenize = '{_FORMS}')")
    for statement in (*_learn(_BY_PLACE).split(";"), *_learn_voted(_BY_VOTES, "upvotes").split(";")):
        if statement:
            op.execute(statement)
    for name, (when, done) in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {when} BEGIN {done} END")
