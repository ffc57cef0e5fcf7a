"""What a run came to, for people and for scripts."""

from dataclasses import replace

from newsletter.domain.issue import Brake, Status
from newsletter.render.formats import counted
from newsletter.services.outcome import Outcome


def exit_status(outcome: Outcome) -> int:
    """Return 0 for a run that is done, 3 for one that the next run continues."""
    return 0 if outcome.status == "done" else 3


def lines(outcome: Outcome) -> str:
    """Return the report for a person."""
    said = [f"{outcome.day}: {outcome.status}" + (f" ({outcome.reason})" if outcome.reason else "")]
    for source in outcome.sources:
        found = f"failed: {source.error}" if source.error else f"{source.papers} papers, {source.new} new"
        said.append(f"  {source.name}: {found}")
    if outcome.issue:
        said.append(f"  issue of {outcome.issue.date}: {outcome.issue.status}, {outcome.front} papers")
    counts = outcome.deliveries
    if counts["audience"]:
        told = ", ".join(f"{counts[name]} {name}" for name in counts if name != "audience" and counts[name])
        said.append(f"  {counted(counts['audience'], 'reader')}: {told}")
    elif outcome.issue and (outcome.issue.status, outcome.issue.brake) == (Status.SEALED, Brake.NONE):
        said.append("  no reader is due for it so far")
    if outcome.waits:
        said.append(f"  {outcome.waits}")
    return "\n".join(said)


def rehearsed(outcome: Outcome) -> str:
    """Return the report of a dry run, after which nothing waits."""
    would = lines(replace(outcome, waits=""))
    return f"A rehearsal: nothing is sealed or sent. A run would come to this before it sends:\n{would}"


def unfinished(outcome: Outcome) -> str:
    """Return in a line what keeps a run from being done, '' where it is or what needs a person says it all."""
    if outcome.status == "done":
        return ""
    told = "\n".join(outcome.problems)
    reason = outcome.reason if outcome.reason and outcome.reason not in told else ""
    failed = (
        f"{source.name} failed: {source.error}"
        for source in outcome.sources
        if source.error and source.error not in told
    )
    left = "; ".join(filter(None, (reason, *failed, outcome.waits)))
    return f"{outcome.day}: incomplete: {left}" if left else ""
