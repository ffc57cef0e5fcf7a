"""Prove that nobody is lost through a real relay: Debian's Postfix, killed as well as the sender while mail is sent.

    scripts/dev bench relay [--readers 3000] [--kills 20] [--connections 8]

The sender hands its mail to a Postfix with folders of its own, and that to an ``smtp-sink`` which keeps every message.
At random moments either the sender or the whole of Postfix is killed (SIGKILL) and started again. At the end
everything is sent, Postfix's queue runs empty, and the kept messages are compared with the sender's ledger. Copies are
reported only: those of the sender are bounded elsewhere (``killed``), and Postfix makes its own. Needs root.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _postfix import Sink, dumped, free_port, program
from _proof import Proof, Taken, conclude, options, proof, tell

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = relay.example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = permit_mynetworks, reject
disable_dns_lookups = yes
relayhost = [127.0.0.1]:{next_port}
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 5s
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""
_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Relay:
    """A Postfix with folders of its own, which sends all that it takes to the port *next_port*."""

    def __init__(self, folder: Path, next_port: int) -> None:
        self.folder, self.port = folder, free_port()
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        (folder / "mail.log").touch()
        for name in ("data", "mail.log"):  # also what tidies up after a kill writes to the log, as this user
            shutil.chown(folder / name, "postfix", "postfix")
        (folder / "etc/main.cf").write_text(_MAIN.format(folder=folder, next_port=next_port))
        (folder / "etc/master.cf").write_text(_MASTER.format(port=self.port))

    def start(self) -> None:
        """Start it, also after a kill, when the port may be in use for a moment."""
        self._command("postfix", "start")

    def stop(self) -> None:
        """Stop it where it runs."""
        if self._master():
            self._command("postfix", "stop")

    def kill(self) -> None:
        """Kill the master and all its children."""
        if master := self._master():
            os.killpg(master, signal.SIGKILL)

    def waiting(self) -> int:
        """Let it try all again, and return how many messages are in its queue."""
        self._command("postqueue", "-f")
        return len(self._command("postqueue", "-j").splitlines())

    def _master(self) -> int:
        file = self.folder / "queue/pid/master.pid"
        pid = int(file.read_text()) if file.exists() else 0
        return pid if pid and Path(f"/proc/{pid}").exists() else 0

    def _command(self, name: str, word: str) -> str:
        command = [program(name), "-c", str(self.folder / "etc"), word]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise SystemExit(f"{name} {word} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout


def prove(asked: argparse.Namespace) -> dict[str, Any]:
    """Kill one or the other, finish and compare."""
    if os.geteuid():
        raise SystemExit("Postfix can be started by root only")
    with proof(asked.readers, connections=asked.connections) as room, dumped(room.folder) as (sink, dump):
        with relay(sink.port) as between:
            room.room.configure(smtp={"port": between.port})
            killed = kill(room, between, sink, asked.kills, random.Random(asked.seed))
            runs = room.finish()
            waiting = empty(between)
        room.receiver.taken += [Taken(0, 0, recipient, _message_id(content)) for recipient, content in dump]
        found = room.accounts()
    found |= {"killed": killed, "connections": asked.connections, "runs_to_finish": runs, "left_in_the_relay": waiting}
    clean = found["lost"] == found["foreign"] == waiting == 0 and found["integrity"] == "ok"
    return {"holds": clean and sum(killed.values()) == asked.kills, **found}


@contextmanager
def relay(next_port: int) -> Iterator[Relay]:
    """Give a running relay; its folder may be entered by Postfix's user."""
    with tempfile.TemporaryDirectory(prefix="newsletter-relay-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        made = Relay(folder, next_port)
        made.start()
        try:
            yield made
        finally:
            made.stop()


def kill(room: Proof, between: Relay, sink: Sink, kills: int, chance: random.Random) -> dict[str, int]:
    """Kill the sender or the relay while mail is sent, again and again. Return how often each."""
    killed = {"sender": 0, "relay": 0}
    running = room.start("run", "--wait")
    for left in range(kills, 0, -1):
        step = max(0, len(room.addresses) - sink.messages) // (left + 1)
        _wait(sink, sink.messages + 1 + chance.randrange(2 * step + 1), running)
        if running.poll() is not None:
            running = room.start("run", "--wait")  # it gave up, since the relay was away
        if left % 2:
            running.kill()
            running.communicate()
            running = room.start("run", "--wait")
        else:
            between.kill()
            time.sleep(chance.random())
            between.start()
        killed["sender" if left % 2 else "relay"] += 1
        tell(f"{sum(killed.values())} of {kills} kills, {sink.messages} messages have come through")
    running.communicate(timeout=600)
    return killed


def _wait(sink: Sink, count: int, running: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + 60
    while sink.messages < count and running.poll() is None and time.monotonic() < ends:
        time.sleep(0.005)


def empty(between: Relay) -> int:
    """Wait until the relay has sent everything, and return how much it has not."""
    ends = time.monotonic() + 120
    while (waiting := between.waiting()) and time.monotonic() < ends:
        time.sleep(0.5)
    return waiting


def _message_id(content: bytes) -> str:
    found = _MESSAGE_ID.search(content)
    return found[1].decode() if found else ""


if __name__ == "__main__":
    conclude(prove, options(__doc__, readers=3000, kills=20, connections=8).parse_args())
