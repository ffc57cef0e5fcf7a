"""What a card says of a paper: its own short summary, else the abstract's most telling sentences, else its beginning.

The method is extractive and plain, after Edmundson (1969): cue phrases, figures and position. A sentence gets

    +4  it says what the authors made: "we propose", "this paper introduces"
    +2  it says what they did or found: "we evaluate", "we show", "experiments", "outperforms"
    +1  it says what got better ("reduces", "achieves"), and again for a figure: a percentage, a factor, a decimal
    -2  it begins as background does: "Recent", "However", "Existing"
    -1  it leans on the one before it: "These", "Moreover", "We also"
    -4  it is housekeeping: "code is available", a link

The best is the first sentence chosen. What stands before it and says nothing of the authors' own is background. The
others are taken by their points, the earlier of equals first, as long as they fit; a second thing made counts as much
as a result. They stand in the abstract's order and are never rewritten. An abstract that fits is shown whole; of one
without a telling sentence, or in a language other than English, the beginning is.
"""

import re
from functools import lru_cache

from newsletter.render.sentences import first_sentences, sentences, whole_words

_REMEMBERED = 2_000  # of what is asked for again and again: the same papers are on many pages
_OWN = 480  # characters of the upstream's own
_LIMIT = 320  # and of what is chosen
_ALONE = 420  # a single sentence may be this long before it is cut

# All that follows is looked for in lower case. What is not at a word's beginning does not need to be told.
_MADE = (
    "propos|introduc|present|develop|releas|design|describ|formali[sz]|formulat|creat|construct|build|devis|establish"
    "|contribut|revisit|stud[iy]|investigat|explor|examin|address|tackl|argu|provid|offer|survey|review|open-sourc"
    "|extend|appl[iy]|train|implement|collect|curat|combin|deriv|generali[sz]|aim"
)
_DID = (
    "conduct|analy[sz]|benchmark|evaluat|call|term|compar|report|test|show|find|found|demonstrat|prov|observ|achiev"
    "|discover|obtain|reveal|identif|confirm"
)
_MAKES = re.compile(
    rf"\b(?:(?:we|i)(?: \w+,?){{0,2}} (?:{_MADE})"
    r"|(?:this|our) (?:paper|study|article|survey|thesis|letter|review|chapter)\b"
    r"|(?:this|our) (?:work|report) \w+s\b|in this (?:work|report)\b|here,? we\b|(?:is|are) (?:proposed|introduced)\b"
    r"|our (?:key|main|core) (?:idea|insight|contribution))"
)
_DOES = re.compile(
    rf"\b(?:(?:we|i)(?: \w+,?){{0,2}} (?:{_DID})|outperform|(?:results|experiments|evaluations)\b"
    r"|state[- ]of[- ]the[- ]art\b)"
)
_BETTER = re.compile(
    r"\b(?:surpass|exceed|achiev|improv|reduc|accelerat|reveal|demonstrat|attain|show)(?:s|es|ed|ing)?\b"
)
_FIGURE = re.compile(r"\d(?:\s?[%×]|\.\d|x\b|,\d{3})")
_BACKGROUND = re.compile(
    r"recent|however|while|despite|although|though|existing|traditional|conventional|current|modern|prior|previous"
    r"|most|many|unfortunately|yet|but|nevertheless|typically|in recent|with the|the (?:rapid|recent|growing)|as "
)
_LEANS = re.compile(
    r"(?:these|those|this (?!paper|work|study|article|report|survey)|it|they|such|moreover|furthermore|additionally"
    r"|in addition|also|finally|then|thus|therefore|hence|consequently|instead|its|their|first|second|third|later"
    r"|for example)\b|.{0,40}\bwe (?:also|further|then|additionally)\b"
)
_HOUSEKEEPING = ("http://", "https://", "github", "project page", "is available", "are available", "be available",
                 "publicly available at", "are publicly available", "is publicly available", "be released")  # fmt: skip


@lru_cache(_REMEMBERED)
def summary(own: str, abstract: str) -> str:
    """Return what to say of a paper whose upstream's *own* short summary may be ''. At most 480 characters."""
    return first_sentences(own, _OWN) if own else telling(abstract, _LIMIT)


def telling(abstract: str, limit: int) -> str:
    """Return the most telling sentences of *abstract*, in their order, as many as *limit* characters hold."""
    if len(abstract) <= limit:
        return abstract
    said = sentences(abstract)
    points = [_points(sentence) for sentence in said]
    first = max(range(len(said)), key=lambda i: (points[i], -i))
    if points[first] <= 0:
        return first_sentences(abstract, limit)
    if len(said[first].rstrip()) > limit:
        return whole_words(said[first].rstrip(), _ALONE)
    chosen = [first]
    for i in _by_points(said, points, first):
        if len(_joined(said, [*chosen, i])) <= limit:
            chosen.append(i)
    return _joined(said, chosen)


def _by_points(said: list[str], points: list[int], first: int) -> list[int]:
    """Return which sentences may join the *first*, the best before the others."""
    worth = {}
    for i, sentence in enumerate(said):
        makes = points[i] > 0 and _MAKES.search(sentence.lower())
        if i != first and (i > first or makes):
            worth[i] = points[i] - 2 * bool(makes)
    return sorted((i for i in worth if worth[i] > 0), key=lambda i: (-worth[i], i))


def _points(sentence: str) -> int:
    lower = sentence.lower()
    makes = bool(_MAKES.search(lower))
    points = 4 if makes else 2 if _DOES.search(lower) else 0
    points += bool(_BETTER.search(lower)) + bool(_FIGURE.search(lower))
    points -= 2 * bool(_BACKGROUND.match(lower) and not makes)
    return points - bool(_LEANS.match(lower)) - 4 * any(sign in lower for sign in _HOUSEKEEPING)


def _joined(said: list[str], chosen: list[int]) -> str:
    return "".join(said[i] for i in sorted(chosen)).rstrip()
