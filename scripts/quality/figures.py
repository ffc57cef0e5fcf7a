"""Measure every kind of mail, and print the figures of docs/quality.md as JSON.

    .venv/bin/python scripts/quality/figures.py

Recorded days are measured where ``../shared`` has them, else the project's own. ``left_out`` names what was missing.
What must be nothing (errors, violations, what is alive) has no figure: scripts/quality/check finds it.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _mails import LANGUAGES, hostile, one_paper, other_mails, own_digests, recorded_digests
from clients import facts, unsupported, used
from corpus import SIZES, Judged
from filters import Scores, rspamd, spamassassin


def sizes(digests: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Return the longest HTML parts in bytes, as text and as sent, by the number of papers and the language."""
    alike: dict[str, list[Judged]] = {}
    for one in digests:
        alike.setdefault(f"{one.papers} papers {one.language}", []).append(one)
    return {
        name: {"text": max(len(one.mail.html.encode()) for one in those), "as_sent": max(map(_encoded, those))}
        for name, those in alike.items()
    }


def scores(found: Callable[[list[Judged], Path], list[Scores]], mails: list[Judged]) -> dict[str, Any]:
    """Return the highest and lowest score, the mails above 0, and the rules that count against any."""
    with tempfile.TemporaryDirectory() as folder:
        judged = found(mails, Path(folder))
    sums = [round(sum(scores.values()), 2) for scores in judged]
    against = sorted({rule for scores in judged for rule, score in scores.items() if score > 0})
    above = [one.name for one, total in zip(mails, sums, strict=True) if total > 0]
    return {"mails": len(mails), "highest": max(sums), "lowest": min(sums), "against": against, "above_0": above}


def by_spamassassin(mails: list[Judged], folder: Path) -> list[Scores]:
    """Return SpamAssassin's scores."""
    return spamassassin([one.mail.content for one in mails], folder)


def by_rspamd(mails: list[Judged], folder: Path) -> list[Scores]:
    """Return rspamd's scores, but for the date: the days are past ones."""
    with rspamd(folder) as running:
        judged = [running.scores(one.mail.content, one.mail.sender, one.mail.recipient) for one in mails]
    return [{rule: score for rule, score in scores.items() if rule != "DATE_IN_PAST"} for scores in judged]


def programs(mails: Sequence[Judged]) -> dict[str, Any]:
    """Return how many features the mails use, and which of them some mail program lacks."""
    found = {feature for one in mails if one.mail.html for feature in used(one.mail.html)}
    known, features = facts()
    lacking = {feature: len(unsupported(feature)) for feature in sorted(found & features.keys())}
    return {
        "programs": len(known),
        "used": len(found),
        "lacking_somewhere": {feature: count for feature, count in lacking.items() if count},
        "not_tested": sorted(found - features.keys()),
    }


def _encoded(judged: Judged) -> int:
    part = judged.mail.message.get_body(("html",))
    assert part is not None
    return len(part.get_payload(decode=False).encode())


def main() -> None:
    """Measure, and print one JSON document."""
    left_out = []
    if digests := recorded_digests():
        days = "recorded"
    else:
        digests, days = own_digests(LANGUAGES), "own"
        left_out.append("recorded days: ../shared is not there")
    others = [*other_mails(), one_paper()]
    ordinary = [one for one in digests if one.papers == SIZES[0]] + others
    document: dict[str, Any] = {"days": days, "size": sizes(digests), "clients": programs(digests + others)}
    for name, judge in (("spamassassin", by_spamassassin), ("rspamd", by_rspamd)):
        if shutil.which(name):
            document[name] = scores(judge, ordinary)
        else:
            left_out.append(f"{name}: the Debian package {name} is not installed")
    document["hostile"] = {"mails": len(hostile())}
    print(json.dumps(document | {"left_out": left_out}, indent=2))


if __name__ == "__main__":
    main()
