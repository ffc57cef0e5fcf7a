"""Which of a search's results come first: the best, the newest, the most upvoted.

The index lies in the order of *places*: a paper's day and id in one number, so that the newest first is its own order,
and of one day what was gathered last. Not here: what is looked for (``search``).
"""

import json
import sqlite3
from dataclasses import dataclass
from datetime import date

# What nearly every paper says tells none of them from another, and ranking all of them is what would take long: of more
# results than these, the best titles come first, then the newest, ranked, up to so many; then the others by their days.
_RANKED = 500
_TITLES = 50
# Marks in the index for papers with at least 512, 64 and 8 upvotes; no text has such characters.
_STEPS = ("\ue003", "\ue002", "\ue001")
_FEW = 1_000  # results, which are sorted sooner than they are looked for by steps
_JULIAN = 1_721_425  # the Julian day number of the day before 1 January of the year 1
_ID = 32  # bits of a place are the paper's id
_IDS = (1 << _ID) - 1
_EVERY = "SELECT rowid AS place FROM search_words WHERE search_words MATCH :match"
_PART = "LIMIT :limit OFFSET :offset"
_NEWEST = f"{_EVERY} AND rowid NOT IN (SELECT value FROM json_each(:but)) ORDER BY rowid DESC {_PART}"  # noqa: S608 - constants
_UPVOTED = f"""
SELECT search_words.rowid AS place FROM search_words JOIN search_order ON paper_id = search_words.rowid & {_IDS}
WHERE search_words MATCH :match ORDER BY upvotes DESC, place DESC {_PART}
"""  # noqa: S608 - constants
# Weights of title, body, people, org, cat, name, year and the marks.
_BEST = """
SELECT place FROM (
    SELECT rowid AS place, bm25(search_words, 8, 1, 4, 3, 0, 8, 0, 0) AS distance FROM search_words
    WHERE search_words MATCH :match AND rowid NOT IN (SELECT value FROM json_each(:but))
    ORDER BY rowid DESC LIMIT :limit
) ORDER BY distance, place DESC
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
    """A search as FTS5 takes it: all of it, and what of it a title may hold ('' if nothing)."""

    cursor: sqlite3.Cursor
    match: str
    titles: str
    more_than_titles: bool  # whether it says more than a title may hold

    def places(self, statement: str, **said: str | int) -> list[int]:
        """Return the places that *statement* finds."""
        return [place for (place,) in self.cursor.execute(statement, {"match": self.match, **said})]


def paper_at(place: int) -> int:
    """Return the id of the paper at *place*."""
    return place & _IDS


def day_of(place: int) -> date:
    """Return the day of the paper at *place*."""
    return date.fromordinal((place >> _ID) - _JULIAN)


def by_date(asked: Asked, _total: int, limit: int, offset: int) -> list[int]:
    """Return *limit* results from the one after *offset* on, the newest first."""
    return asked.places(_NEWEST, but="[]", limit=limit, offset=offset)


def by_upvotes(asked: Asked, total: int, limit: int, offset: int) -> list[int]:
    """Return the same, the most upvoted first, the newest of equals."""
    for step in _STEPS if total > _FEW else ():  # whatever has fewer comes behind whatever has these
        found = asked.places(_UPVOTED, match=f'votes : "{step}" AND ({asked.match})', limit=limit, offset=offset)
        if len(found) == limit:
            return found
    return asked.places(_UPVOTED, limit=limit, offset=offset)


def by_relevance(asked: Asked, total: int, limit: int, offset: int) -> list[int]:
    """Return the same, the best first: all ranked where there are few, else those whose titles say it first."""
    titled = _best_titles(asked) if total > _RANKED and asked.titles else []
    but, first = json.dumps(titled), titled
    if offset + limit > len(titled):
        first = titled + asked.places(_BEST, but=but, limit=_RANKED - len(titled))
    found = first[offset : offset + limit]
    if offset + limit > len(first) and total > _RANKED:
        past = max(offset, _RANKED) - len(titled)
        found += asked.places(_NEWEST, but=but, limit=limit - len(found), offset=past)
    return found


def _best_titles(asked: Asked) -> list[int]:
    if asked.more_than_titles:
        return asked.places(_BEST_TITLES_OF_ALL, match=f"title : ({asked.titles}) AND ({asked.match})")
    return asked.places(_BEST_TITLES, match=asked.titles)
