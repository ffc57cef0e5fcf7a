"""``newsletter gather``: fetch papers."""

import asyncio
from datetime import date
from typing import TYPE_CHECKING

import click

from newsletter.cli.parameters import PAST_DAY
from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from newsletter.services.gather import Report


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter gather",
        "newsletter gather --date yesterday",
        "newsletter gather --date 2026-07-10 --source arxiv --json",
    ),
)
@click.option("--date", "day", type=PAST_DAY, help="This day only, instead of every day since the last success.")
@click.option("--source", metavar="NAME", help="Only this source.")
@click.option("--wait", is_flag=True, help="Wait for another run to end.")
@click.pass_obj
def command(terminal: Terminal, /, day: date | None, source: str | None, wait: bool) -> None:
    """Fetch papers from the sources that are due.

    A source is not asked more often than its 'refresh'. One that fails is reported and asked again by a run a
    minute later, then less often, and the status is 3; what the others gave is kept. Until then its last failure is
    repeated; once its cause is mended, --date today asks at once.
    """
    from newsletter.services.alone import alone
    from newsletter.services.gather import gather

    with terminal.app() as app, alone(app.service(terminal.now), wait=wait):
        reports = asyncio.run(gather(app.database, app.gathering, terminal.now(), day=day, only=source))
    document = {"date": day, "sources": [report.document for report in reports]}
    failed = [f"source {report.name}: {report.error}{_kept(report)}" for report in reports if report.error]
    terminal.report(document, lambda: _table(terminal, reports), failed)
    raise SystemExit(3 if failed else 0)


def _table(terminal: Terminal, reports: "list[Report]") -> str:
    rows = [(r.name, r.papers, r.new, "failed" if r.error else "", _asked(r)) for r in reports]
    return terminal.table(("source", "papers", "new", "", ""), rows)


def _asked(report: "Report") -> str:
    return f"asked {report.kept_from:%H:%M} UTC" if report.kept_from else ""


def _kept(report: "Report") -> str:
    return f" ({_asked(report)}; '--date today' asks again, unless the source named a time)" if report.kept_from else ""
