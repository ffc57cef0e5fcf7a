"""``newsletter db``: upgrade, back up and check the database."""

from pathlib import Path

import click

from newsletter.cli.terminal import Group, Terminal, examples


@click.group(
    cls=Group, epilog=examples("newsletter db check", "newsletter db backup /var/backups/newsletter-monday.db")
)
def group() -> None:
    """Care for the database."""


@group.command(epilog=examples("newsletter db upgrade"))
@click.pass_obj
def upgrade(terminal: Terminal) -> None:
    """Create the database, or bring it to this program's version after a backup beside it.

    Every other command does so too when it comes first.
    """
    from newsletter.storage import upgrade as storage

    path = _path(terminal)
    before = storage.version(path)
    saved = storage.upgrade(path, terminal.now())
    after = storage.version(path)
    document = {"database": path, "from": before, "version": after, "backup": saved}
    if saved:
        terminal.answer(document, f"{path}: upgraded from version {before} to {after}; the backup is {saved}")
    else:
        terminal.answer(document, f"{path}: {'is at' if before else 'created with'} version {after}")


@group.command(epilog=examples("newsletter db backup newsletter-monday.db"))
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def backup(terminal: Terminal, file: Path) -> None:
    """Copy the database to FILE, which must not exist; also while it is in use."""
    from newsletter.storage import database

    path = _existing(terminal)
    target = file.absolute()
    if not target.parent.is_dir():
        raise click.UsageError(f"{target.parent} is no folder; make it first")
    database.backup(path, target)
    terminal.answer({"database": path, "backup": target}, f"{target}: the database as it is now")


@group.command(epilog=examples("newsletter db check", "newsletter db check --json"))
@click.pass_context
def check(context: click.Context) -> None:
    """Look for damage, and for rows that point at nothing; exit status 1 if there are any."""
    from newsletter.storage import database
    from newsletter.storage.upgrade import version

    terminal = context.ensure_object(Terminal)
    path = _existing(terminal)
    at, problems = version(path), database.check(path)
    text = "\n".join(f"{path}: {problem}" for problem in problems) or f"{path}: version {at}, no damage found"
    terminal.answer({"database": path, "version": at, "problems": problems}, text)
    if problems:
        context.exit(1)


def _path(terminal: Terminal) -> Path:
    from newsletter.config import load as config

    return config.load(terminal.config).database.path


def _existing(terminal: Terminal) -> Path:
    from newsletter.errors import NotFoundError

    path = _path(terminal)
    if not path.is_file():
        raise NotFoundError(f"there is no database {path} yet; 'newsletter db upgrade' makes it")
    return path
