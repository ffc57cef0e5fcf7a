"""``newsletter subscribers feedback`` and ``taste``: what a reader said of papers, and what is learned from it."""

from typing import TYPE_CHECKING

import click

from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from newsletter.services.taste import Shown

_PAPERS = 20  # that a person is shown
_DONE = {"save": "saved", "more": "more like it", "less": "less like it"}


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter subscribers feedback ann@example.org 2607.01234 save",
        "newsletter subscribers feedback ann@example.org https://arxiv.org/abs/2607.01234 less",
    ),
)
@click.argument("email")
@click.argument("paper")
@click.argument("said", metavar="save|more|less", type=click.Choice(tuple(_DONE)))
@click.pass_obj
def feedback(terminal: Terminal, /, email: str, paper: str, said: str) -> None:
    """Record what a reader says of a paper: save it, more like this, or less like this.

    The reader's next digests learn from it, at once from the first; it counts half after 90 days. The last word on a
    paper is what counts. 'taste' shows what is known, and erases it. Needs the extra "taste".
    """
    from newsletter.domain.taste import Said
    from newsletter.services.taste import record

    with terminal.app() as app:
        reader, found = record(app.database, email, paper, Said(said), terminal.now())
    document = {"email": reader.email, "key": found.key, "title": found.title, "said": said}
    terminal.answer(document, f"{reader.email}: {_DONE[said]}: {found.key}  {found.title}")


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter subscribers taste ann@example.org",
        "newsletter subscribers taste ann@example.org --erase",
    ),
)
@click.argument("email")
@click.option("--erase", is_flag=True, help="Forget all of it.")
@click.pass_obj
def taste(terminal: Terminal, /, email: str, erase: bool) -> None:
    """Show what a reader said of papers and the words that were learned from it, or erase it.

    Showing needs the extra "taste".
    """
    from newsletter.services import taste as service

    with terminal.app() as app:
        if erase:
            reader, count = service.erase(app.database, email)
            document = {"email": reader.email, "erased": count}
            terminal.answer(document, f"{reader.email}: erased what was said of {_counted(count)}")
        else:
            service.require()
            shown = service.show(app.database, email, terminal.now())
            terminal.answer(shown.document, lambda: _lines(shown))


def _lines(shown: "Shown") -> str:
    if not shown.said:
        return f"{shown.email}: said nothing of papers yet"
    words = [("likes", shown.likes), ("not", shown.dislikes)]
    learned = [f"  {name:<6}{', '.join(found)}" for name, found in words if found]
    said = [f"  {one.at:%Y-%m-%d}  {one.said:<5} {paper.key}  {paper.title}" for one, paper in shown.said[:_PAPERS]]
    more = len(shown.said) - _PAPERS
    rest = [f"  and {more} more, which --json lists"] if more > 0 else []
    return "\n".join([f"{shown.email}: said something of {_counted(len(shown.said))}", *learned, *said, *rest])


def _counted(count: int) -> str:
    return f"{count} paper" + ("" if count == 1 else "s")
