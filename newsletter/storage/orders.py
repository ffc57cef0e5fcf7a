"""Which of a search's results come first: the best, the newest, the most upvoted.

The index lies in the order of *places*: a paper's day and id in one number, so that the newest first is its own order,
and of one day what was gathered last. What has upvotes is in another index too, in the order of upvotes and places. Not
here: what is looked for (``search``).
"""

import json
import sqlite3
from dataclasses import dataclass
from datetime import date

# What nearly every paper says tells none of them from another, and ranking by it has to count in how many papers each
# word is, which takes long: of more results than these, the best titles come first, then others that say a part of it
# in their titles, up to so many, then all others, newest first.
_RANKED = 500
_TITLES = 50
_MODIFIED_JULIAN = 678_576  # the ordinal of 17 November 1858, from which the days of places count
_ID, _DAY = 26, 17  # bits of a place
_IDS, _PLACES = (1 << _ID) - 1, (1 << _ID + _DAY) - 1
_OTHERS = "rowid NOT IN (SELECT value FROM json_each(:but))"
_NEWEST_FIRST = "ORDER BY rowid DESC LIMIT :limit OFFSET :offset"
_NEWEST = f"SELECT rowid FROM search_words WHERE search_words MATCH :match AND {_OTHERS} {_NEWEST_FIRST}"  # noqa: S608 - constants
_UPVOTED = f"SELECT rowid & {_PLACES} FROM search_upvoted WHERE search_upvoted MATCH :match {_NEWEST_FIRST}"  # noqa: S608
_COUNT_UPVOTED = "SELECT count(*) FROM search_upvoted WHERE search_upvoted MATCH :match"
_WITHOUT_UPVOTES = f"""
SELECT search_words.rowid FROM search_words CROSS JOIN search_order ON paper_id = search_words.rowid & {_IDS}
WHERE search_words MATCH :match AND upvotes = 0 ORDER BY search_words.rowid DESC LIMIT :limit OFFSET :offset
"""  # noqa: S608 - constants
# Weights of title, body, people, org, cat, name and year.
_BEST = """
SELECT rowid FROM search_words WHERE search_words MATCH :match
ORDER BY bm25(search_words, 8, 1, 4, 3, 0, 8, 0), rowid DESC LIMIT :limit OFFSET :offset
"""
# Of titles alone, which are few words to count; and in the index of all, where a search says more than they may hold.
_BEST_TITLES, _BEST_TITLES_OF_ALL = (
    f"""
    SELECT place FROM (
        SELECT rowid AS place, bm25({index}) AS distance FROM {index} WHERE {index} MATCH :match
        ORDER BY rowid DESC LIMIT {_RANKED}
    ) ORDER BY distance, place DESC LIMIT {_TITLES}
    """  # noqa: S608 - constants
    for index in ("search_titles", "search_words")
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as FTS5 takes it: all of it, and what of it a title may hold, one by one."""

    cursor: sqlite3.Cursor
    match: str
    titles: tuple[str, ...]
    more_than_titles: bool  # whether it says more than a title may hold

    def places(self, statement: str, **said: str | int) -> list[int]:
        """Return the places that *statement* finds."""
        return [place for (place,) in self.cursor.execute(statement, {"match": self.match, **said})]


def paper_at(place: int) -> int:
    """Return the id of the paper at *place*."""
    return place & _IDS


def day_of(place: int) -> date:
    """Return the day of the paper at *place*."""
    return date.fromordinal((place >> _ID) + _MODIFIED_JULIAN)


def by_date(asked: Asked, _total: int, limit: int, offset: int) -> list[int]:
    """Return *limit* results from the one after *offset* on, the newest first."""
    return asked.places(_NEWEST, but="[]", limit=limit, offset=offset)


def by_upvotes(asked: Asked, _total: int, limit: int, offset: int) -> list[int]:
    """Return the same, the most upvoted first, the newest of equals."""
    found = asked.places(_UPVOTED, limit=limit, offset=offset)
    if len(found) == limit:
        return found
    upvoted = offset + len(found) if found else asked.places(_COUNT_UPVOTED)[0]
    past = max(offset - upvoted, 0)
    return found + asked.places(_WITHOUT_UPVOTES, limit=limit - len(found), offset=past)


def by_relevance(asked: Asked, total: int, limit: int, offset: int) -> list[int]:
    """Return the same, the best first: all ranked where there are few, else those whose titles say it first."""
    if total <= _RANKED:
        return asked.places(_BEST, limit=limit, offset=offset)
    first = _best_titles(asked) if asked.titles else []
    wanted = min(offset + limit, _RANKED) - len(first)
    if asked.titles and wanted > 0:
        match = f"title : ({' OR '.join(asked.titles)}) AND ({asked.match})"
        first += asked.places(_NEWEST, match=match, but=json.dumps(first), limit=wanted, offset=0)
    found = first[offset : offset + limit]
    past = max(offset - len(first), 0)
    return found + asked.places(_NEWEST, but=json.dumps(first), limit=limit - len(found), offset=past)


def _best_titles(asked: Asked) -> list[int]:
    titles = " AND ".join(asked.titles)
    if asked.more_than_titles:
        return asked.places(_BEST_TITLES_OF_ALL, match=f"title : ({titles}) AND ({asked.match})")
    return asked.places(_BEST_TITLES, match=titles)
