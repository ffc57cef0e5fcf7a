"""``newsletter stats``: how many readers, issues and deliveries."""

from typing import Any

import click

from newsletter.cli.charts import bars
from newsletter.cli.terminal import Command, Terminal, examples

_WEEKS, _ISSUES = 12, 10


@click.command(cls=Command, epilog=examples("newsletter stats", "newsletter stats --json"))
@click.pass_obj
def command(terminal: Terminal, /) -> None:
    """Count subscribers, papers, issues and deliveries by state, and show how it went lately.

    Readers who joined and left by week, what became of the last issues, and when the sources were last asked.
    """
    from dataclasses import asdict

    from newsletter.services import trends
    from newsletter.storage import departures, fetches, stats

    with terminal.app() as app, app.database.read() as session:
        asked = fetches.newest_fetches(session, app.policy.shares)
        document = {
            "subscribers": stats.subscribers(session),
            "left_because": {reason or "in their own words": n for reason, n in departures.counts(session).items()},
            "papers": stats.papers(session),
            "issues": stats.issues(session),
            "newest_issue": stats.newest_issue(session),
            "deliveries": stats.deliveries(session),
            "last_accepted_at": stats.last_accepted_at(session),
            "sources": {
                name: {
                    "attempted_at": fetch.attempted_at,
                    "succeeded_at": fetch.succeeded_at,
                    "papers": fetch.papers,
                    "new": fetch.new,
                    "error": fetch.error,
                }
                for name, fetch in asked.items()
            },
            "weeks": [asdict(week) for week in trends.weeks(session, terminal.now().date(), _WEEKS)],
            "sendings": [asdict(sending) for sending in trends.sendings(session, _ISSUES)],
        }
    terminal.answer(document, lambda: _lines(document))


def _lines(document: dict[str, Any]) -> str:
    because = document["left_because"]
    rows = [
        ("subscribers", _counts(document["subscribers"])),
        *([("left because", _counts(because))] if because else []),
        ("papers", document["papers"]),
        ("issues", _counts(document["issues"])),
        ("newest issue", document["newest_issue"] or "none yet"),
        ("deliveries", _counts(document["deliveries"])),
        ("last accepted", _at(document["last_accepted_at"])),
    ]
    for name, fetch in document["sources"].items():
        came = f"failed: {fetch['error']}" if fetch["error"] else f"{fetch['papers']} papers, {fetch['new']} new"
        rows.append((f"source {name}", f"asked {_at(fetch['attempted_at'])}: {came}"))
    told = [f"{name:<14} {said}" for name, said in rows]
    return "\n".join([*told, *_weeks(document["weeks"]), *_sendings(document["sendings"])])


def _weeks(weeks: list[dict[str, Any]]) -> list[str]:
    if not any(week["joined"] or week["left"] for week in weeks):
        return []
    rows = [(f"{week['begins']}", week["joined"], f"{week['joined']}, {week['left']} left") for week in weeks]
    return ["", "Readers who joined, by week", *bars(rows)]


def _sendings(sendings: list[dict[str, Any]]) -> list[str]:
    if not sendings:
        return []
    rows = [(f"{each['date']}", each["deliveries"]["accepted"], _became(each["deliveries"])) for each in sendings]
    return ["", "Digests delivered, by issue", *bars(rows)]


def _became(deliveries: dict[str, int]) -> str:
    rest = [f"{many} {name}" for name, many in deliveries.items() if name not in {"audience", "accepted"} and many]
    return ", ".join([f"{deliveries['accepted']} of {deliveries['audience']}", *rest])


def _counts(found: dict[str, int]) -> str:
    said = ", ".join(f"{count} {name}" for name, count in found.items() if count)
    return f"{sum(found.values())} ({said})" if said else "0"


def _at(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"
