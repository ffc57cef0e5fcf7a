"""``newsletter subscribers``: one subscriber at a time. Whole files are in ``subscribers_files``."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import click

from newsletter.cli.preview import of_subscriber
from newsletter.cli.subscribers_files import export, import_
from newsletter.cli.subscribers_rights import data, forget
from newsletter.cli.subscribers_taste import feedback, taste
from newsletter.cli.subscribers_wishes import alert, seed
from newsletter.cli.terminal import Group, Terminal, examples

_STATUSES = ("pending", "active", "paused", "unsubscribed", "suppressed")
_PREFERENCES = (
    click.option("--topic", multiple=True, metavar="T", help="What to follow; again and again. -WORD leaves out."),
    click.option(
        "--only-topics/--no-only-topics",
        default=None,
        help="Nothing but what a topic or alert finds; or topics first, then the best of the rest.",
    ),
    click.option("--alert", multiple=True, metavar="Q", help="A search that mails what it finds on any day; again."),
    click.option("--frequency", metavar="F", help="daily, weekdays, weekly:DAY (weekly:mon), or alerts: no digest."),
    click.option("--hour", metavar="HH:MM", help="When the digest comes."),
    click.option("--zone", metavar="Z", help="The time zone of that hour, as Europe/Zurich."),
    click.option("--max-papers", metavar="N", help="At most so many papers, 1 to 100."),
    click.option("--min-upvotes", metavar="N", help="Only papers with so many (where the source has votes)."),
    click.option("--format", metavar="FORMAT", help="html, text or both."),
    click.option("--language", metavar="L", help="The language of the digest's own words: en, de or zh-Hans."),
)

group = Group(
    "subscribers",
    help="The list: who gets the newsletter, and what each prefers.",
    epilog=examples(
        "newsletter subscribers add ann@example.org --topic 'cat:cs.CL' --topic -audio --hour 07:30",
        "newsletter subscribers import people.csv --dry-run",
        "newsletter subscribers list --status active --search example.org",
    ),
)


def _with_preferences(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_PREFERENCES):
        command = option(command)
    return command


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the preferences that were given, by name; several topics or alerts are one text."""
    texts = {name: value for name, value in given.items() if value is not None and name not in {"topic", "alert"}}
    if "only_topics" in texts:
        texts["only_topics"] = "yes" if texts["only_topics"] else "no"
    lists = {"topics": given["topic"], "alerts": given["alert"]}
    return {name: ";".join(values) for name, values in lists.items() if values} | texts


@group.command(
    epilog=examples(
        "newsletter subscribers add ann@example.org bob@example.org --source 'asked at the workshop'",
        "newsletter subscribers add ann@example.org --topic '\"language model\"' --topic=-audio --zone Asia/Shanghai",
        "newsletter subscribers add ann@example.org --confirm",
        "newsletter subscribers add ann@example.org --resubscribe --source 'asked by phone'",
    )
)
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@_with_preferences
@click.option("--source", default="", metavar="TEXT", help="How they consented; kept as the proof.")
@click.option("--confirm", is_flag=True, help="Ask them by mail first: pending until they answer.")
@click.option("--resubscribe", is_flag=True, help="Also who had unsubscribed or was suppressed; needs --source.")
@click.pass_obj
def add(
    terminal: Terminal, /, emails: tuple[str, ...], source: str, confirm: bool, resubscribe: bool, **given: Any
) -> None:
    """Put people on the list, active at once; with --confirm, when they have answered a mail.

    All of them or none; you vouch for their consent. The next run sends them the newest issue, as their digest of that
    day. Whoever is there already stays as they are, which is said where you gave other preferences; 'edit' changes
    them. Whoever unsubscribed, was suppressed or was removed is refused. An address gets at most one mail
    a day that asks; its link opens the pages ('web') and works for 7 days.
    """
    from newsletter.cli import subscribers_view as view
    from newsletter.services import joining

    if confirm and not resubscribe:
        _invite(terminal, emails, _texts(given), source)
        return
    with terminal.app() as app:
        done = joining.add(
            app.database,
            app.settings.newsletter,
            emails,
            _texts(given),
            terminal.now(),
            source=source,
            pending=confirm,
            resubscribe=resubscribe,
        )
        view.answer_added(terminal, app, done)
        view.warn_of_unchanged(terminal, done, _texts(given))
        view.warn_of_language(terminal, app, _texts(given))


def _invite(terminal: Terminal, emails: tuple[str, ...], texts: dict[str, str], source: str) -> None:
    import asyncio

    from newsletter.cli import subscribers_view as view
    from newsletter.services.confirm import invite

    with terminal.app() as app:
        invited = asyncio.run(invite(app.dispatch, emails, texts, terminal.now(), source=source))
        view.answer_added(terminal, app, invited.added)
        view.warn_of_unchanged(terminal, invited.added, texts)
    for problem in invited.problems:
        terminal.warn(problem)
    if invited.problems:
        raise SystemExit(3)


@group.command(
    "list",
    epilog=examples(
        "newsletter subscribers list --status suppressed",
        "newsletter subscribers list --topic audio --sort next_due --limit 20 --offset 20",
    ),
)
@click.option("--status", type=click.Choice(_STATUSES), help="Only these.")
@click.option("--search", metavar="TEXT", help="Only addresses that hold TEXT.")
@click.option("--topic", metavar="TEXT", help="Only who follows or leaves out a topic that holds TEXT.")
@click.option(
    "--sort", type=click.Choice(["email", "created", "status", "next_due"]), default="email", show_default=True
)
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True, help="At most so many.")
@click.option("--offset", type=click.IntRange(0), default=0, help="After so many.")
@click.pass_obj
def list_(terminal: Terminal, /, status: str | None, limit: int, offset: int, **filters: Any) -> None:
    """Show who is on the list."""
    from newsletter.cli import subscribers_view as view
    from newsletter.domain.subscriber import Status
    from newsletter.services import subscribe
    from newsletter.storage.subscribers import Selection

    wanted = Selection(status=Status(status) if status else None, limit=limit, offset=offset, **filters)
    with terminal.app() as app:
        found, total = subscribe.page(app.database, wanted)
        view.answer_page(terminal, app, found, wanted, total)


@group.command(epilog=examples("newsletter subscribers show ann@example.org --json"))
@click.argument("email")
@click.pass_obj
def show(terminal: Terminal, /, email: str) -> None:
    """Show one subscriber, and what holds where they chose nothing."""
    from newsletter.cli import subscribers_view as view
    from newsletter.services import subscribe
    from newsletter.services.bounces import standing

    with terminal.app() as app:
        held = subscribe.find(app.database, email)
        with app.database.read() as session:
            back = standing(session, held.id, terminal.now())
        view.answer_one(terminal, app, held, *back)


@group.command(
    epilog=examples(
        "newsletter subscribers edit ann@example.org --frequency weekly:mon --max-papers 5",
        "newsletter subscribers edit ann@example.org --topic '' --hour ''",
    )
)
@click.argument("email")
@_with_preferences
@click.pass_obj
def edit(terminal: Terminal, /, email: str, **given: Any) -> None:
    """Change preferences. '' goes back to the newsletter's default; --topic replaces all topics, --alert all alerts.

    A new hour, zone or frequency holds from now on, and never brings a second digest of one date.
    """
    from newsletter.cli import subscribers_view as view
    from newsletter.services import subscribe

    texts = _texts(given)
    if not texts:
        raise click.UsageError("Nothing to change: give at least one option.")
    with terminal.app() as app:
        edited = subscribe.edit(app.database, app.settings.newsletter, email, texts, terminal.now())
        view.answer_one(terminal, app, edited)
        view.warn_of_language(terminal, app, texts)


@group.command(
    epilog=examples(
        "newsletter subscribers pause ann@example.org --until 2026-08-17",
        "newsletter subscribers pause ann@example.org",
    )
)
@click.argument("email")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), metavar="D", help="The date of the next digest at earliest."
)
@click.pass_obj
def pause(terminal: Terminal, /, email: str, until: datetime | None) -> None:
    """Send nothing until a date, or until 'resume'."""
    from newsletter.cli import subscribers_view as view
    from newsletter.services import subscribe

    with terminal.app() as app:
        day = until.date() if until else None
        moved = subscribe.pause(app.database, app.settings.newsletter, email, day, terminal.now())
        view.answer_move(terminal, app, moved)


@group.command(epilog=examples("newsletter subscribers resume ann@example.org"))
@click.argument("email")
@click.pass_obj
def resume(terminal: Terminal, /, email: str) -> None:
    """End a pause."""
    from newsletter.cli import subscribers_view as view
    from newsletter.services import subscribe

    with terminal.app() as app:
        moved = subscribe.resume(app.database, app.settings.newsletter, email, terminal.now())
        view.answer_move(terminal, app, moved)


@group.command(epilog=examples("newsletter subscribers unsubscribe ann@example.org"))
@click.argument("email")
@click.pass_obj
def unsubscribe(terminal: Terminal, /, email: str) -> None:
    """Send nothing more. Only the person can come back."""
    from newsletter.cli import subscribers_view as view
    from newsletter.services import subscribe

    with terminal.app() as app:
        moved = subscribe.unsubscribe(app.database, email, terminal.now())
        view.answer_move(terminal, app, moved)


@group.command(epilog=examples("newsletter subscribers suppress ann@example.org --reason 'complained by phone'"))
@click.argument("email")
@click.option("--reason", required=True, metavar="TEXT", help="Why; 'show' and 'why' repeat it.")
@click.pass_obj
def suppress(terminal: Terminal, /, email: str, reason: str) -> None:
    """Never mail this address again."""
    from newsletter.cli import subscribers_view as view
    from newsletter.services import subscribe

    with terminal.app() as app:
        moved = subscribe.suppress(app.database, email, reason, terminal.now())
        view.answer_move(terminal, app, moved)


@group.command(epilog=examples("newsletter subscribers remove ann@example.org"))
@click.argument("email")
@click.pass_obj
def remove(terminal: Terminal, /, email: str) -> None:
    """Erase a subscriber. A hash of the address stays, so that no import brings it back; 'forget' leaves no trace."""
    from newsletter.services import subscribe

    with terminal.app() as app:
        gone = subscribe.remove(app.database, email, terminal.now())
        terminal.answer({"email": gone.email, "status": "removed"}, f"{gone.email}: removed")


group.add_command(feedback)
group.add_command(taste)
group.add_command(import_)
group.add_command(export)
group.add_command(of_subscriber)
group.add_command(alert)
group.add_command(seed)
group.add_command(data)
group.add_command(forget)
