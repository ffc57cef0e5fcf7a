"""Prove that whatever a server does, nobody is lost, repeats are bounded, and temporary faults suppress nobody.

    scripts/dev bench faults [--readers 1000] [--connections 8] [--only NAME]

Each fault alone, then all of them mixed over three times as many readers; a tenth of all addresses is dead. Runs
follow each other, as hours apart, until nothing waits. Then the log of the receiving side is compared with the ledger:
a reader without mail must have a reason, copies beyond the first are no more than the messages whose acceptance the
sender never learned of (dropped before the reply, or answered with something that is no SMTP), only dead addresses are
suppressed, and who failed was refused for good.
"""

import argparse
from typing import Any

from _proof import Proof, conclude, options, proof, tell

_DEAD = "dead=0.1"
_FAULTS = {
    "greylisting": ("greylist=1",),
    "4xx": ("rcpt4=0.2",),
    "5xx": ("refuse=0.03",),
    "reset inside the data": ("cut=0.02",),
    "accepted, then dropped": ("afterdot=0.02",),
    "421 after N": ("close_after=20",),
    "shutdown": ("shutdown=100:5",),
    "malformed reply": ("badreply=0.02",),
    "tarpit": ("tarpit=0.02:2",),
}
_MIXED = (
    *("greylist=1", "rcpt4=0.05", "refuse=0.01", "cut=0.01", "afterdot=0.01"),
    *("close_after=50", "shutdown=500:5", "badreply=0.01", "tarpit=0.01:1"),
)


def prove(asked: argparse.Namespace) -> dict[str, Any]:
    """Let each server misbehave in its way."""
    cases = {name: (asked.readers, faults) for name, faults in _FAULTS.items()} | {"mixed": (3 * asked.readers, _MIXED)}
    found = {
        name: bear(name, readers, faults, asked)
        for name, (readers, faults) in cases.items()
        if asked.only in {None, name}
    }
    return {"holds": bool(found) and all(case["holds"] for case in found.values()), "faults": found}


def bear(name: str, readers: int, faults: tuple[str, ...], asked: argparse.Namespace) -> dict[str, Any]:
    """Send everything to a server with these *faults*, and compare."""
    tell(f"{name}: {' '.join(faults)}")
    with proof(readers, _DEAD, *faults, connections=asked.connections) as room:
        runs = room.finish()
        found = room.accounts() | causes(room)
    found["runs"] = runs
    wrong = ("lost", "foreign", "waiting", "suppressed_without_cause", "failed_without_cause")
    holds = not any(found[name] for name in wrong) and found["extra"] <= found["unlearned"]
    return {"holds": holds and found["integrity"] == "ok", **found}


def causes(room: Proof) -> dict[str, int]:
    """Return what the receiving side gave cause for, and what the sender made of it without any."""
    refused = room.receiver.refused
    dead = {address for address, reply in refused if reply.startswith("550 5.1.1")}
    for_good = {address for address, reply in refused if reply.startswith("5")}
    suppressed = {email for (email,) in room.ask("SELECT email FROM subscribers WHERE status = 'suppressed'")}
    statuses = {email: status for email, (status, *_) in room.ledger().items()}
    return {
        "unlearned": sum(taken.fault in {"afterdot", "badreply"} for taken in room.receiver.taken),
        "dead": len(dead),
        "refused_temporarily": sum(reply.startswith("4") for _, reply in refused),
        "suppressed": len(suppressed),
        "suppressed_without_cause": len(suppressed - dead),
        "failed_without_cause": sum(s == "failed" and email not in for_good for email, s in statuses.items()),
        "waiting": sum(status in {"ready", "leased", "offered", "deferred"} for status in statuses.values()),
    }


if __name__ == "__main__":
    arguments = options(__doc__, readers=1000, connections=8)
    arguments.add_argument("--only", choices=[*_FAULTS, "mixed"], help="one of them")
    conclude(prove, arguments.parse_args())
