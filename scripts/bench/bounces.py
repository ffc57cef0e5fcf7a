"""Measure how well and how fast reports of mail that came back are read, and print it as JSON.

    scripts/dev bench bounces --corpora FOLDER [--wrong]

FOLDER holds ``sisimai`` and ``flufl`` with mails, and beside them what is known of them: ``sisimai-recipients.json``
(by file a list of ``{recipient, hard, reason}``) and ``flufl/expected.json`` (by file a list of ``{addresses}``). Every
file of FOLDER's parent is read too, for exceptions.

``permanent_recall`` is how many of the recipients that are gone for good were called permanent, ``false_permanent`` how
many of the others; ``right_recipient`` how many of all addresses were found. The yardstick is flufl.bounce by itself on
the same mails in the same run. ``reports_per_second`` is processor time of one core, the best of --rounds.

With ``--wrong``, what was read wrongly is named on standard error.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from email import message_from_bytes
from pathlib import Path
from typing import Any

from _options import answer, parser

from newsletter.mail.bounces import read

Found = Mapping[str, bool]  # whether an address is gone for good
Reader = Callable[[bytes], Found]


def ours(raw: bytes) -> Found:
    return {one.address.lower(): one.permanent for one in read(raw).recipients}


def yardstick(raw: bytes) -> Found:
    from flufl.bounce import all_failures  # noqa: PLC0415 - only where it is measured

    try:
        temporary, permanent = all_failures(message_from_bytes(raw))
    except Exception:  # noqa: BLE001 - what it does not survive it did not read
        return {}
    return {one.decode().lower(): False for one in temporary} | {one.decode().lower(): True for one in permanent}


def judged(reader: Reader, mails: Mapping[str, bytes], known: Mapping[str, Any], name: Callable[[str], None]) -> Any:
    gone = others = called = wrongly = found = 0
    for file, expected in known.items():
        said = reader(mails[file])
        for one in expected:
            address = one["recipient"].lower()
            # Of a mail to one person it is known who it is, whatever the report calls them.
            permanent = said.get(address, next(iter(said.values())) if len(said) == 1 else False)
            gone, others = gone + bool(one["hard"]), others + (not one["hard"])
            called, wrongly = called + (bool(one["hard"]) and permanent), wrongly + (not one["hard"] and permanent)
            found += address in said
            if permanent != bool(one["hard"]) or address not in said:
                name(f"{file}: {address} is {one['reason']}, read as {dict(said)}")
    return {
        "permanent": gone,
        "called_permanent": called,
        "permanent_recall": round(called / gone, 4),
        "others": others,
        "others_called_permanent": wrongly,
        "false_permanent": round(wrongly / others, 4),
        "right_recipient": round(found / (gone + others), 4),
    }


def addresses_found(reader: Reader, folder: Path) -> float:
    known = json.loads((folder / "expected.json").read_text("utf-8"))
    pairs = [(file, a.lower()) for file, said in known.items() for one in said for a in one["addresses"]]
    return round(sum(address in reader((folder / file).read_bytes()) for file, address in pairs) / len(pairs), 4)


def speed(reader: Reader, mails: Iterable[bytes], rounds: int) -> int:
    kept, best = list(mails), float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for raw in kept:
            reader(raw)
        best = min(best, time.process_time() - began)
    return round(len(kept) / best)


def everything_read(folder: Path) -> int:
    files = [file for file in folder.rglob("*") if file.is_file()]
    for file in files:
        read(file.read_bytes())
    return len(files)


def measured(asked: argparse.Namespace) -> dict[str, Any]:
    folder, silent = asked.corpora, lambda _line: None
    known = json.loads((folder / "sisimai-recipients.json").read_text("utf-8"))
    mails = {file: (folder / "sisimai" / file).read_bytes() for file in known}
    all_mails = [*mails.values(), *(file.read_bytes() for file in sorted((folder / "flufl").glob("*.txt")))]
    told = (lambda line: print(line, file=sys.stderr)) if asked.wrong else silent
    readers = {"newsletter": (ours, told), "flufl.bounce": (yardstick, silent)}
    figures = {
        name: judged(reader, mails, known, tell)
        | {"right_recipient_flufl": addresses_found(reader, folder / "flufl")}
        | {"reports_per_second": speed(reader, all_mails, asked.rounds)}
        for name, (reader, tell) in readers.items()
    }
    mine = figures["newsletter"]
    holds = {
        "permanent_recall": mine["permanent_recall"] >= 0.98,
        "false_permanent": mine["false_permanent"] <= 0.01,
        "right_recipient": min(mine["right_recipient"], mine["right_recipient_flufl"]) >= 0.95,
        "reports_per_second": mine["reports_per_second"] >= 1000,
    }
    return (
        figures
        | {"reports": len(all_mails), "read_without_exception": everything_read(folder.parent)}
        | {"holds": holds}
    )


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--corpora", type=Path, required=True, metavar="FOLDER", help="the labelled mails")
    made.add_argument("--wrong", action="store_true", help="name what was read wrongly")
    made.add_argument("--rounds", type=int, default=5, help="of the speed (%(default)s)")
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)
    answer(measured(made.parse_args()))


if __name__ == "__main__":
    main()
