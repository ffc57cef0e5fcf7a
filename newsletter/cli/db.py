"""``newsletter db``: upgrade, back up, put back, take over and check the database."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.terminal import Group, Terminal, examples

if TYPE_CHECKING:
    from newsletter.storage.restore import Restored


@click.group(
    cls=Group, epilog=examples("newsletter db check", "newsletter db backup /var/backups/newsletter-monday.db")
)
def group() -> None:
    """Care for the database."""


@group.command(epilog=examples("newsletter db upgrade"))
@click.pass_obj
def upgrade(terminal: Terminal) -> None:
    """Create the database, or bring it to this program's version after a backup beside it.

    Every other command does so too when it comes first, but creates none where 'database.create' is false.
    """
    from newsletter.storage import upgrade as storage
    from newsletter.storage.copies import version

    path = _path(terminal)
    before = version(path)
    saved = storage.upgrade(path, terminal.now())
    after = version(path)
    document = {"database": path, "from": before, "version": after, "backup": saved}
    if saved:
        terminal.answer(document, f"{path}: upgraded from version {before} to {after}; the backup is {saved}")
    else:
        terminal.answer(document, f"{path}: {'is at' if before else 'created with'} version {after}")


@group.command(
    epilog=examples("newsletter db backup newsletter-monday.db", "newsletter -q db backup --replace monday.db")
)
@click.option("--replace", is_flag=True, help="Put the copy, once it is whole, in the place of an older backup.")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def backup(terminal: Terminal, file: Path, *, replace: bool) -> None:
    """Copy the database to FILE, which must not exist unless it is to be replaced; also while it is in use.

    FILE has its name only once the copy has passed SQLite's check and has every row. Keep the secret with it.
    """
    from newsletter.storage import copies

    path = _existing(terminal)
    target = file.absolute()
    if not target.parent.is_dir():
        raise click.UsageError(f"{target.parent} is no folder; make it first")
    rows = copies.backup(path, target, replace=replace)
    text = f"{target}: the database as it is now, {sum(rows.values()):,} rows in {len(rows)} tables, looked through"
    terminal.answer({"database": path, "backup": target, "rows": rows}, "" if terminal.quiet else text)


@group.command(epilog=examples("newsletter db restore newsletter-monday.db", "newsletter db restore monday.db --json"))
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def restore(terminal: Terminal, file: Path) -> None:
    """Put the backup FILE back, of this version or an older one. What is there now is kept beside it.

    Nobody is mailed again: what was open in the backup, and what the next run makes of what was due until now, is held.
    'deliveries release --all' sends it where nothing was sent since the backup; with --assume-sent it counts as sent.
    Papers listed until today are left out of later digests, since they may have been sent. Who left since stays away,
    as far as the present database can be read. Not while a run is at work. FILE itself is not changed.
    """
    from newsletter.storage.restore import restore as put_back

    path = _path(terminal)
    done = put_back(path, file.absolute(), terminal.now())
    document = {
        "database": path,
        "backup": file.absolute(),
        "from": done.version,
        "held": done.held,
        "left_since": done.left,
        "kept": done.kept,
    }
    terminal.answer(document, "\n".join(_restored(path, done)))
    if done.unread and done.kept:
        terminal.warn(f"who left since the backup is not known: {done.unread}")


def _restored(path: Path, done: "Restored") -> Iterator[str]:
    yield f"{path}: restored from version {done.version}; {done.held} deliveries that were open are held"
    if done.left:
        yield f"{done.left} who left since stay away"
    if done.kept:
        yield f"what was there is kept as {done.kept}"
    yield "The next run holds what was due until now; then 'newsletter deliveries release --all' decides."


@group.command(epilog=examples("newsletter db adopt"))
@click.pass_obj
def adopt(terminal: Terminal) -> None:
    """Let the database be at home on this machine, in this place: after a move.

    One that was used elsewhere is refused until then, since two that send would mail everybody twice. Stop the other
    first; if it has sent since the copy was taken, put the copy back with 'db restore' instead.
    """
    from newsletter.storage import home
    from newsletter.storage.database import Database

    path = _existing(terminal)
    database = Database(path)
    try:
        with database.write() as session:
            was = home.adopt(session, path)
    finally:
        database.close()
    terminal.answer({"database": path, "from": was}, f"{path}: is at home here{f', and was {was}' if was else ''}")


@group.command(epilog=examples("newsletter db check", "newsletter db check --json"))
@click.pass_context
def check(context: click.Context) -> None:
    """Look for damage, for rows that point at nothing, and for what breaks the ledger's laws; exit status 1 if any.

    A database of another version than the program's is looked at for damage alone.
    """
    from newsletter.storage.copies import damage, version
    from newsletter.storage.laws import broken
    from newsletter.storage.upgrade import HEAD

    terminal = context.ensure_object(Terminal)
    path = _existing(terminal)
    at = version(path)
    problems = broken(path) if at == HEAD else damage(path)
    other = "" if at == HEAD else f"; its rows are looked at where it has version {HEAD}: 'newsletter db upgrade'"
    text = "\n".join(f"{path}: {problem}" for problem in problems) or f"{path}: version {at}, no damage found{other}"
    terminal.answer({"database": path, "version": at, "problems": problems}, text)
    if problems:
        context.exit(1)


def _path(terminal: Terminal) -> Path:
    from newsletter.config import load as config

    return config.load(terminal.config).database.path


def _existing(terminal: Terminal) -> Path:
    from newsletter.errors import NotFoundError
    from newsletter.storage.upgrade import absent

    path = _path(terminal)
    if not path.is_file():
        raise NotFoundError(absent(path))
    return path
