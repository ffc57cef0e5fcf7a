"""Deliver a million digests, every one different, to Postfix's smtp-sink, and print what it takes as JSON.

    scripts/dev bench million [--readers 1000000] [--connections 10]

From the start of ``newsletter deliver`` to its end: time, processor time, memory, and what the database takes, with
the list alone and with everything delivered. The list itself is made before, by the storage's bulk insert.
"""

from _options import answer, parser, work_folder
from _postfix import sink
from _runs import deliver, listed
from _sample import sample
from _watch import say


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.set_defaults(timeout=3600)
    options.add_argument("--readers", type=int, default=1_000_000)
    options.add_argument("--connections", type=int, default=10)
    asked = options.parse_args()
    with work_folder(asked) as folder, sink(folder) as server:
        found = sample(folder, asked, min(asked.readers, 1000))
        room = listed(folder, asked, asked.readers)
        before = room.database_bytes
        say("delivering ...")
        sent = deliver(room, server, asked.readers, timeout=asked.timeout)
        after = room.database_bytes
    answer(
        {
            "readers": asked.readers,
            "connections": asked.connections,
            "settings": asked.set,
            "messages": found.document(),
            "newsletter": sent.document(),
            "database_mb": {"list": round(before / 1e6, 1), "delivered": round(after / 1e6, 1)},
            "database_bytes_per_delivery": round((after - before) / asked.readers),
        }
    )


if __name__ == "__main__":
    main()
