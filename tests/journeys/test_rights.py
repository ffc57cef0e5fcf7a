"""What the law gives a reader: all that is known of them, and being forgotten."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from newsroom import Newsroom

ANN, JOANN = "ann@example.net", "joann@example.net"


@pytest.fixture
def refused(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter that once reached Ann, and was told by her server that she is gone."""
    newsroom.publish("2026-07-14", "Alpha")
    newsroom.subscribe(ANN, JOANN, at="2026-07-13T12:00Z", topics="alpha")
    newsroom.tick("2026-07-14T08:00Z")
    newsroom.run("subscribers", "feedback", ANN, "2607.00001", "save")
    newsroom.publish("2026-07-15", "Beta")
    newsroom.sink.refusals[ANN] = f"550 5.1.1 <{ANN}>: no such user"
    newsroom.tick("2026-07-15T08:00Z")
    return newsroom


def left(room: Newsroom, address: str) -> list[str]:
    """Return the files beside the database that have an address that begins so."""
    found = []
    for file in sorted(room.folder.glob("newsletter.db*")):
        content = file.read_bytes().lower() if file.is_file() else b""
        if address.encode() in content.replace(b"jo" + address.encode(), b""):
            found.append(file.name)
    return found


def test_a_reader_gets_all_that_is_known_and_is_forgotten(refused: Newsroom) -> None:
    """Known: subscription, consent, digests with their papers, what they said. Then nothing but a hash, nowhere.

    Not in a table, not in what a server said, not in a free page or the log; others keep what is theirs.
    """
    known = json.loads(refused.run("subscribers", "data", ANN).out)
    assert known["email"] == ANN
    assert known["subscription"]["topics"] == ["alpha"]
    assert known["subscription"]["status"] == "suppressed"
    assert known["consent"]["confirmed_at"].startswith("2026-07-13")
    assert [(one["status"], [p["title"] for p in one["papers"]]) for one in known["deliveries"]] == [
        ("accepted", ["Alpha"]),
        ("failed", ["Beta"]),
    ]
    assert [(one["said"], one["title"]) for one in known["feedback"]] == [("save", "Alpha")]
    assert JOANN not in json.dumps(known)

    assert left(refused, ANN)
    assert "--yes" in refused.run("subscribers", "forget", ANN, expect=2).err
    done = json.loads(refused.run("subscribers", "forget", ANN, "--yes", "--json").out)
    assert done == {"email": ANN, "forgotten": True, "copies": []}
    assert left(refused, ANN) == []
    assert refused.run("subscribers", "show", JOANN).out
    assert refused.run("subscribers", "add", ANN, expect=1).err.count("was removed from the list")
    known = json.loads(refused.run("subscribers", "data", ANN).out)
    assert known["subscription"] is None
    assert known["suppressed"]["reason"] == "suppressed: 550 5.1.1 <…>: no such user"


def test_who_was_removed_before_can_be_forgotten_too(newsroom: Newsroom) -> None:
    """What an older program left in free pages goes, and a copy beside the database is named."""
    newsroom.subscribe(ANN, JOANN)
    copy = newsroom.folder / "newsletter.db.0001.20260101T000000.backup"
    shutil.copy(newsroom.folder / "newsletter.db", copy)
    newsroom.run("subscribers", "remove", ANN)
    with closing(sqlite3.connect(newsroom.folder / "newsletter.db")) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE gone AS SELECT ? AS x", (f"<{ANN}>" + "." * 9000,))
        connection.execute("DROP TABLE gone")
        connection.commit()
    assert "newsletter.db" in left(newsroom, ANN)
    told = newsroom.run("subscribers", "forget", ANN, "--yes").out
    assert str(copy) in told
    assert left(newsroom, ANN) == [copy.name]
    assert "nothing is known" in newsroom.run("subscribers", "forget", "eve@example.net", "--yes", expect=1).err
