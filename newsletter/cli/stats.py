"""``newsletter stats``: how many readers, issues and deliveries."""

from typing import Any

import click

from newsletter.cli.terminal import Command, Terminal, examples


@click.command(cls=Command, epilog=examples("newsletter stats", "newsletter stats --json"))
@click.pass_obj
def command(terminal: Terminal, /) -> None:
    """Count subscribers, papers, issues and deliveries by state, and say when the sources were last asked."""
    from newsletter.storage import departures, fetches, stats

    with terminal.app() as app, app.database.read() as session:
        asked = fetches.newest_fetches(session)
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
        }
    terminal.answer(document, lambda: _lines(document))


def _lines(document: dict[str, Any]) -> str:
    rows = [
        ("subscribers", _counts(document["subscribers"])),
        ("left because", _counts(document["left_because"])),
        ("papers", document["papers"]),
        ("issues", _counts(document["issues"])),
        ("newest issue", document["newest_issue"] or "none yet"),
        ("deliveries", _counts(document["deliveries"])),
        ("last accepted", _at(document["last_accepted_at"])),
    ]
    for name, fetch in document["sources"].items():
        came = f"failed: {fetch['error']}" if fetch["error"] else f"{fetch['papers']} papers, {fetch['new']} new"
        rows.append((f"source {name}", f"asked {_at(fetch['attempted_at'])}: {came}"))
    return "\n".join(f"{name:<14} {said}" for name, said in rows)


def _counts(found: dict[str, int]) -> str:
    said = ", ".join(f"{count} {name}" for name, count in found.items() if count)
    return f"{sum(found.values())} ({said})" if said else "0"


def _at(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"
