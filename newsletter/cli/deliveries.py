"""``newsletter deliveries``: the ledger."""

from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from newsletter.cli.advice import advice
from newsletter.cli.parameters import DAY
from newsletter.cli.terminal import Group, Terminal, examples

if TYPE_CHECKING:
    from newsletter.services.records import PickedPaper
    from newsletter.storage.deliveries import Line

_STATUSES = (
    "ready",
    "leased",
    "offered",
    "deferred",
    "held",
    "accepted",
    "failed",
    "expired",
    "withdrawn",
    "skipped",
)

group = Group(
    "deliveries",
    help="The ledger: every digest on its way to one reader.\n\n"
    "A delivery is named by its hexadecimal id, which is also the beginning of its Message-ID.",
    epilog=examples(
        "newsletter deliveries list --status failed",
        "newsletter deliveries show 1f0c8a5d2b3e4f60",
        "newsletter deliveries release --all",
    ),
)


@group.command(
    "list",
    epilog=examples(
        "newsletter deliveries list --issue yesterday",
        "newsletter deliveries list --status deferred",
        "newsletter deliveries list --status failed --issue yesterday --limit 20 --json",
    ),
)
@click.option("--status", type=click.Choice(_STATUSES), help="Only these.")
@click.option("--issue", "issued", type=DAY, help="Only those of the issue of this date.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="At most so many.")
@click.pass_obj
def list_(terminal: Terminal, /, status: str | None, issued: date | None, limit: int) -> None:
    """Show deliveries, the newest first.

    For those that were put off also their destination, and when they are tried again; and why the last run could send
    to nobody, if it could not. Looks at no more than it shows, however long the ledger is.
    """
    from newsletter.domain.delivery import Status
    from newsletter.services import records

    with terminal.app() as app:
        wanted = Status(status) if status else None
        found = records.page(app.database, status=wanted, issued=issued, limit=limit)
        stopped = records.stopped(app.database)
    document = {"deliveries": [records.document(line) for line in found], **({"stopped": stopped} if stopped else {})}
    terminal.answer(document, lambda: "\n".join(filter(None, [_table(terminal, found), stopped])))


@group.command(epilog=examples("newsletter deliveries show 1f0c8a5d2b3e4f60 --json"))
@click.argument("id")
@click.pass_obj
def show(terminal: Terminal, /, id: str) -> None:
    """Show one delivery: where it stands, what a server said, what to do, and which papers it brings and why.

    ID is as 'deliveries list' shows it, or the Message-ID of the mail.
    """
    from newsletter.services import records

    with terminal.app() as app:
        line, papers = records.find(app.database, id)
    document = records.document(line) | {"papers": [paper.document for paper in papers]}
    terminal.answer(document, lambda: _told(terminal, line, papers))


@group.command(
    epilog=examples(
        "newsletter deliveries release 1f0c8a5d2b3e4f60",
        "newsletter deliveries release --all --assume-sent",
    )
)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that are held.")
@click.option("--assume-sent", "sent", is_flag=True, help="Take them as sent, instead of sending them again.")
@click.pass_obj
def release(terminal: Terminal, /, ids: tuple[str, ...], everything: bool, sent: bool) -> None:
    """Decide on held deliveries, of which nobody knows whether they arrived: the next run sends them again.

    A repeat has the same Message-ID, by which many mail programs show it only once. Those named are decided on
    together or not at all; --all goes through any number in small steps, and a sender at work goes on meanwhile.
    """
    from newsletter.services import records

    if bool(ids) == everything:
        raise click.UsageError("Name deliveries, or give --all.")
    with terminal.app() as app:
        held = records.release(app.database, app.settings.smtp, ids, terminal.now(), everything=everything, sent=sent)
    names = [records.name_of(one) for one in held]
    became = "counted as sent" if sent else "sent again by the next run"
    document = {"released": names, "status": "accepted" if sent else "ready"}
    terminal.answer(document, f"{len(names)} {became}" if names else "nothing is held")


def _table(terminal: Terminal, found: "list[Line]") -> str:
    if not found:
        return "no such deliveries"
    now = terminal.now()
    late = any(_is_put_off(line, now) for line in found)
    headings = ("id", "issue", "to", "status", *(("destination", "next attempt") if late else ()), "reply")
    return terminal.table(headings, [_row(line, now, late=late) for line in found])


def _is_put_off(line: "Line", now: datetime) -> bool:
    one = line.delivery
    return one.status == "deferred" or (one.status == "ready" and one.next_attempt_at > now)


def _row(line: "Line", now: datetime, *, late: bool) -> tuple[object, ...]:
    from newsletter.services.records import name_of

    one = line.delivery
    waits = (line.destination, f"{one.next_attempt_at:%m-%d %H:%M} UTC") if _is_put_off(line, now) else ("", "")
    return (
        name_of(one.id),
        line.issued,
        line.email or "(removed)",
        one.status,
        *(waits if late else ()),
        one.reply,
    )


def _told(terminal: Terminal, line: "Line", papers: "list[PickedPaper]") -> str:
    from newsletter.services.records import document

    facts = {name: value for name, value in document(line).items() if value not in (None, "", 0)}
    to_do = advice(facts, terminal.now())
    if line.delivery.settled_at:
        del facts["next_attempt_at"], facts["expires_at"]
    lines = [f"{name.replace('_', ' '):<16} {_said(value)}" for name, value in facts.items()]
    listed = [(n, paper.key, paper.why, paper.title) for n, paper in enumerate(papers, 1)]
    table = terminal.table(("", "paper", "why", "title"), listed)
    return "\n".join([*lines, *(["", to_do] if to_do else []), *(["", table] if listed else [])])


def _said(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)
