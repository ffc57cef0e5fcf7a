"""``newsletter desk``: the password of the editor's pages, and what was changed there."""

import sys

import click

from newsletter.cli.terminal import Group, Terminal, examples
from newsletter.errors import ExtraError, UsageError

group = Group(
    "desk",
    help="The editor's pages below /desk, which 'newsletter serve' and 'newsletter web' serve.",
    epilog=examples("newsletter desk password", "newsletter desk log"),
)


@group.command(
    epilog=examples(
        "newsletter desk password",
        "newsletter desk password --name ada",
        "pass show desk | newsletter desk password --stdin",
    )
)
@click.option("--name", default="editor", show_default=True, help="Who logs in.")
@click.option("--stdin", is_flag=True, help="Read the password from the first line of standard input.")
@click.pass_obj
def password(terminal: Terminal, /, name: str, stdin: bool) -> None:
    """Set the name and password that open the desk. There is one account; every session ends.

    At least 12 characters. What is kept is a hash, from which nobody learns the password.
    """
    if not stdin and not sys.stdin.isatty():
        raise UsageError("password: there is no terminal to type it at; pipe it in with --stdin")
    typed = sys.stdin.readline().rstrip("\r\n") if stdin else click.prompt("Password", hide_input=True, err=True)
    if not stdin and click.prompt("The same again", hide_input=True, err=True) != typed:
        raise UsageError("password: the two are not the same; nothing was changed")
    try:
        from newsletter.services.account import set_password
    except ModuleNotFoundError as error:
        raise ExtraError("the desk", "web") from error
    with terminal.app() as app:
        set_password(app.database, name, typed, terminal.now())
        base_url = app.settings.newsletter.base_url
    where = f"{base_url}/desk" if base_url else "/desk of the pages that 'newsletter web' serves"
    terminal.answer({"name": name}, f"{name} opens the desk now, at {where}; every session before has ended.")


@group.command(epilog=examples("newsletter desk log", "newsletter desk log --limit 500 --json"))
@click.option("--limit", type=click.IntRange(1, 100000), default=50, show_default=True, help="At most so many.")
@click.pass_obj
def log(terminal: Terminal, /, limit: int) -> None:
    """Show what was changed at the desk, by the links of its mails, and in drafts here; the newest first."""
    from newsletter.storage import changes

    with terminal.app() as app, app.database.read() as session:
        found = changes.recent(session, limit)
    documents = [{"at": c.at, "who": c.by.who, "from": c.by.origin or None, "what": c.what} for c in found]
    rows = [(f"{c.at:%Y-%m-%d %H:%M}", c.by.who, c.by.origin, c.what) for c in found]
    none = "Nothing was changed yet."
    terminal.answer(
        {"changes": documents}, lambda: terminal.table(("when (UTC)", "who", "from", "what"), rows) if rows else none
    )
