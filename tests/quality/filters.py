"""SpamAssassin and rspamd, run without a network, as judges of whole messages.

Not here: which scores are good enough (``test_filters``).
"""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

Scores = dict[str, float]  # by the names of the rules that hit

RSPAMD = Path("/etc/rspamd")
# The modules that are off, by what they need. All others run, and each of their symbols counts.
_ONLINE = {
    "the name service, for the sender's host, keys and policies": [
        "arc", "asn", "bimi", "dkim", "dmarc", "hfilter", "mx_check", "rbl", "spf",
    ],
    "a database of earlier mails": [
        "bayes_expiry", "greylist", "history_redis", "neural", "ratelimit", "replies", "reputation",
    ],
    "another server": [
        "antivirus", "aws_s3", "clickhouse", "dcc", "elastic", "external_services", "fuzzy_check", "metadata_exporter",
        "p0f", "rspamd_update", "url_redirector",
    ],
    "a key of its own, for mails that it sends": ["dkim_signing"],
}  # fmt: skip
_CONFIGURATION = """\
.include "$CONFDIR/common.conf"
options {{
    .include "$CONFDIR/options.inc"
    pidfile = "$RUNDIR/rspamd.pid";
    filters = "chartable,regexp";
    disable_hyperscan = true;
    dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.01s; retransmits = 1; }}
}}
logging {{ type = "console"; level = "error"; }}
worker "normal" {{ bind_socket = "{socket} mode=0600"; count = 1; }}
"""
_STATUS = re.compile(r"^X-Spam-Status:.*?(?=^\S)", re.MULTILINE | re.DOTALL)
_RULE = re.compile(r"^ *(-?\d+\.\d+) ([A-Z][A-Z0-9_]+) ", re.MULTILINE)


def spamassassin(mails: Sequence[bytes], folder: Path) -> list[Scores]:
    """Return what SpamAssassin says of each message, local tests only; *folder* is its home."""
    files = []
    for number, mail in enumerate(mails):
        files.append(folder / f"{number}.eml")
        files[-1].write_bytes(mail)
    preferences = folder / "user_prefs"
    preferences.write_text("use_bayes 0\nuse_auto_whitelist 0\n")
    command = ["spamassassin", "--local", "--test-mode", "-p", str(preferences), *map(str, files)]
    done = subprocess.run(
        command, capture_output=True, timeout=110, check=True, env={**os.environ, "HOME": str(folder), "LC_ALL": "C"}
    )
    reports = done.stdout.decode(errors="replace").split("Content analysis details:")[1:]
    assert len(reports) == len(mails), done.stderr.decode(errors="replace")
    return [{rule: float(score) for score, rule in _RULE.findall(report)} for report in reports]


class Rspamd:
    """A running rspamd."""

    def __init__(self, socket_file: Path) -> None:
        self._socket = socket_file

    def scores(self, mail: bytes, sender: str, recipient: str) -> Scores:
        """Return what it says of a message that came from a host that is what it says it is."""
        envelope = {"From": sender, "Rcpt": recipient, "IP": "192.0.2.25", "Helo": "mail.example.org"}
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self._socket))
        connection.request("POST", "/checkv2", mail, {**envelope, "Hostname": "mail.example.org"})
        answer: Mapping[str, Mapping[str, Mapping[str, float]]] = json.loads(connection.getresponse().read())
        connection.close()
        return {rule: found["score"] for rule, found in answer["symbols"].items()}


@contextmanager
def rspamd(folder: Path) -> Iterator[Rspamd]:
    """Run Debian's rspamd with its own rules and scores, and without all that needs a network."""
    listening = folder / "worker.sock"
    configuration = _offline(folder / "etc", listening)
    variables = {"CONFDIR": configuration, "LOCAL_CONFDIR": configuration, "LOGDIR": folder}
    command = ["rspamd", "--no-fork", "--insecure", "--config", str(configuration / "offline.conf")]
    command += [f"--var={name}={path}" for name, path in {**variables, "DBDIR": folder, "RUNDIR": folder}.items()]
    if os.geteuid() == 0:
        command += ["--user", "root", "--group", "root"]
    log = folder / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        _wait(process, listening, log)
        yield Rspamd(listening)
    finally:
        process.terminate()
        process.wait(30)


def _offline(folder: Path, listening: Path) -> Path:
    """Return a copy of Debian's configuration that fetches nothing and asks nobody."""
    shutil.copytree(RSPAMD, folder)
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        kept = [line for line in file.read_text().splitlines() if not re.search(r'"(glob;|sign\+)?https?://', line)]
        file.write_text("\n".join(kept).replace("fallback+file:", "file:") + "\n")
    for module in chain.from_iterable(_ONLINE.values()):
        (folder / "modules.d" / f"{module}.conf").write_text(f"{module} {{ enabled = false; }}\n")
    (folder / "statistic.conf").write_text("")
    (folder / "offline.conf").write_text(_CONFIGURATION.format(socket=listening))
    return folder


def _wait(process: subprocess.Popen[bytes], listening: Path, log: Path) -> None:
    ends = time.monotonic() + 200
    while not listening.exists():
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < ends, log.read_text(errors="replace")
        time.sleep(0.1)
