"""Variety among what nobody asked for: no more than half of it from one category.

Of so much room a category may fill half, rounded down, and always one place. What comes after that is passed over as
long as others can take its place; where they cannot, as in a pool of one category, it fills the room after all, so that
variety never makes a digest shorter. A paper without a category counts for none. The order stays that of the papers.
"""

from collections.abc import Iterable, Mapping


def varied(paper_ids: Iterable[int], room: int, categories: Mapping[int, str]) -> list[int]:
    """Return at most *room* of *paper_ids* in their order. *categories* are by id, where a paper counts for one.

    Example: with room for four, of 1 2 3 4 5 6, where 1, 2, 3 and 5 are of one category and the others of none, they
    are 1 2 4 6; without 6 they are 1 2 3 4.
    """
    most, left = max(room // 2, 1), room
    counts: dict[str | None, int] = {None: -room}  # as many as there is room for
    taken: list[int] = []
    passed: list[tuple[int, int]] = []  # each with how many were taken before it
    for paper_id in paper_ids if room > 0 else ():
        category = categories.get(paper_id)
        count = counts.get(category, 0)
        if count >= most:
            passed.append((len(taken), paper_id))
            continue
        counts[category] = count + 1
        taken.append(paper_id)
        left -= 1
        if not left:
            return taken
    for before, (place, paper_id) in enumerate(passed[:left]):
        taken.insert(place + before, paper_id)
    return taken
