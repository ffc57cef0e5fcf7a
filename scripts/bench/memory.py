"""Measure how much memory delivering takes for a short list and for a long one, and print it as JSON.

    scripts/dev bench memory [--readers 10000 1000000] [--connections 10]

The most that ``newsletter deliver`` was resident in (VmHWM of the kernel, read twenty times a second) while it
delivered to everybody on each list, every digest different, to Postfix's smtp-sink on loopback.
"""

from _options import answer, parser, work_folder
from _postfix import sink
from _runs import deliver, listed
from _watch import Sent, say

MOST_MB, MOST_APART = 150, 1.2


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--readers", type=int, nargs="+", default=[10_000, 1_000_000])
    options.add_argument("--connections", type=int, default=10)
    asked = options.parse_args()
    lists: list[tuple[int, Sent]] = []
    for readers in asked.readers:
        with work_folder(asked) as folder, sink(folder) as server:
            sent = deliver(listed(folder, asked, readers), server, readers, timeout=asked.timeout)
        say(f"{readers} readers: {sent.peak_bytes / 1e6:.1f} MB, {sent.per_second:.0f} a second")
        lists.append((readers, sent))
    peaks = [sent.peak_bytes / 1e6 for _, sent in lists]
    answer(
        {
            "connections": asked.connections,
            "settings": asked.set,
            "lists": [{"readers": readers, **sent.document()} for readers, sent in lists],
            "most_mb": round(max(peaks), 1),
            "most_to_least": round(max(peaks) / min(peaks), 3),
            "wanted": {"most_mb": MOST_MB, "most_to_least": MOST_APART},
            "holds": max(peaks) <= MOST_MB and max(peaks) / min(peaks) <= MOST_APART,
        }
    )


if __name__ == "__main__":
    main()
