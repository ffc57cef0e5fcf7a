"""Send messages that are composed already with aiosmtplib over several connections, or with smtplib over one.

    _senders.py aiosmtplib|smtplib --port P --count N --connections N MESSAGES

MESSAGES is a file that ``write`` made. Where there are fewer than ``--count``, they are sent again to other addresses.
aiosmtplib runs on uvloop, as the newsletter does.
"""

import argparse
import asyncio
import pickle
import smtplib
from collections.abc import Iterable, Iterator
from pathlib import Path

import aiosmtplib
import uvloop

HOST, SENDER = "127.0.0.1", "papers@example.org"
_Mail = tuple[str, bytes]


def write(path: Path, messages: Iterable[_Mail]) -> None:
    """Keep *messages*, each with its recipient, for this program."""
    path.write_bytes(pickle.dumps(list(messages)))


def mails(kept: list[_Mail], count: int) -> Iterator[_Mail]:
    """Yield *count* messages, each to an address of its own."""
    for n in range(count):
        recipient, content = kept[n % len(kept)]
        yield f"{n}.{recipient}", content


async def with_aiosmtplib(port: int, connections: int, sent: Iterator[_Mail]) -> None:
    """Send over so many connections, each of which takes the next message when it is free."""

    async def one() -> None:
        async with aiosmtplib.SMTP(hostname=HOST, port=port, local_hostname="example.org", start_tls=False) as client:
            for recipient, content in sent:
                await client.sendmail(SENDER, [recipient], content)

    await asyncio.gather(*(one() for _ in range(connections)))


def with_smtplib(port: int, sent: Iterator[_Mail]) -> None:
    """Send over one connection."""
    with smtplib.SMTP(HOST, port, local_hostname="example.org") as client:
        for recipient, content in sent:
            client.sendmail(SENDER, [recipient], content)


def main() -> None:
    """Send, and end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=("aiosmtplib", "smtplib"))
    parser.add_argument("messages", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    asked = parser.parse_args()
    sent = mails(pickle.loads(asked.messages.read_bytes()), asked.count)
    if asked.library == "smtplib":
        with_smtplib(asked.port, sent)
    else:
        uvloop.run(with_aiosmtplib(asked.port, asked.connections, sent))


if __name__ == "__main__":
    main()
