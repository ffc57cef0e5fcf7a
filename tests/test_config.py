"""The configuration: every mistake is one line that names the key, the value and what is allowed."""

import os
import re
import subprocess
import sys
import typing
from datetime import time, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pydantic import BaseModel

from newsletter.config import load as config
from newsletter.config.returns import ImapSettings, WebhookSettings
from newsletter.config.sending import RouteSettings
from newsletter.config.settings import Settings
from newsletter.errors import ConfigurationError
from newsletter.packaged import packaged

SENDER = 'sender = "Daily Papers <papers@example.org>"'
REPLY_TO = 'reply_to = "editors@example.org"'
SOURCE = '[[sources]]\nkind = "huggingface"\n'
GOOD = f"[newsletter]\n{SENDER}\n{REPLY_TO}\n"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("NEWSLETTER_"):
            monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    """Write a configuration and a good secret beside it."""
    (folder / "secret").write_text("a secret of more than sixteen characters".replace(" ", "-"))
    file = folder / "newsletter.toml"
    file.write_text(text, "utf-8")
    return file


def complaint(file: Path) -> str:
    """Return the one line that loading *file* ends with."""
    with pytest.raises(ConfigurationError) as caught:
        config.load(file)
    assert caught.value.exit_status == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_least_that_one_must_say(tmp_path: Path) -> None:
    """A sender, a way out for readers, a secret and one source are enough; everything else has a default."""
    settings = config.load(write(tmp_path, GOOD + SOURCE))

    assert settings.newsletter.sender_address == "papers@example.org"
    assert (time(8), timedelta(minutes=15), "UTC") == (
        settings.newsletter.send_at,
        settings.smtp.lease,
        settings.newsletter.time_zone,
    )
    assert settings.smtp.connection_limit == 10


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('sendr = "x"', ["newsletter.sendr", "did you mean sender"]),
        ('colour = "red"', ["newsletter.colour", "known are name, sender"]),
        ('name = ""', ["newsletter.name = ''", "empty"]),
        ("name = 5", ["newsletter.name = 5", "text"]),
        ('base_url = "papers.example.org"', ["newsletter.base_url = 'papers.example.org'", "https://"]),
        ('base_url = "https://papers.example.org/?a=b"', ["newsletter.base_url", "no query"]),
        (
            'base_url = "https://me:hunter@papers.example.org"',
            ["newsletter.base_url = 'https://…@papers", "no user name"],
        ),
        ('base_url = "https://pápers.example.org"', ["newsletter.base_url", "ASCII"]),
        ('base_url = "https://papers.example.org/<b>"', ["newsletter.base_url", "ASCII"]),
        ('secret_file = "~nobody-of-that-name/secret"', ["newsletter.secret_file", "cannot be read"]),
        ('secret_file = "a\\u0000b"', ["newsletter.secret_file", "cannot be read"]),
        ('time_zone = "Mars/Olympus"', ["newsletter.time_zone = 'Mars/Olympus'", "Europe/Zurich"]),
        ("time_zone = 1", ["newsletter.time_zone = 1", "text"]),
        ('send_at = "25:00"', ["newsletter.send_at = '25:00'", "HH:MM"]),
        ("send_at = 8", ["newsletter.send_at = 8", "HH:MM"]),
        ('days = ["mon", "someday"]', ["newsletter.days.2 = 'someday'", "'sun'"]),
        ('days = "mon"', ["newsletter.days = 'mon'", "list"]),
        ("days = []", ["newsletter.days = []", "at least one"]),
        ("max_papers = 0", ["newsletter.max_papers = 0", "1"]),
        ("max_papers = 101", ["newsletter.max_papers = 101", "100"]),
        ('max_papers = "ten"', ["newsletter.max_papers = 'ten'", "number"]),
        ('max_papers = "10"', ["newsletter.max_papers = '10'", "without quotes"]),
        ("max_papers = true", ["newsletter.max_papers = True", "number"]),
        ("max_papers = 1.5", ["newsletter.max_papers = 1.5", "integer"]),
        ("lookback_days = 15", ["newsletter.lookback_days = 15", "14"]),
        ('topics = "language model"', ["newsletter.topics = 'language model'", "list"]),
        ('topics = [" "]', ["newsletter.topics.1 = ' '", "cat:cs.CL"]),
        ('language = "english"', ["newsletter.language = 'english'", "zh-Hans"]),
        ('on_empty = "shrug"', ["newsletter.on_empty = 'shrug'", "'skip' or 'send'"]),
        ('secret_file = "nowhere"', ["newsletter.secret_file = ", "nowhere", "No such file", "write it there"]),
        ('secret_file = "."', ["newsletter.secret_file = ", "directory"]),
        ('secret_file = ""', ["newsletter.secret_file = ''", "name a file"]),
    ],
)
def test_wrong_newsletter(tmp_path: Path, line: str, said: list[str]) -> None:
    """A wrong line of the first section names itself and the way out."""
    found = complaint(write(tmp_path, f"{GOOD}{line}\n{SOURCE}"))
    assert said == [part for part in said if part in found], found


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "Daily Papers",
        "papers@localhost",
        "Papers, Daily <papers@example.org>",
        "other@example.com <papers@example.org>",
        "Papers\\nBcc: all@example.org <papers@example.org>",
    ],
)
def test_a_sender_without_a_usable_address(tmp_path: Path, sender: str) -> None:
    """Nothing is accepted as a sender that another program could read in another way."""
    found = complaint(write(tmp_path, f'[newsletter]\nsender = "{sender}"\n{REPLY_TO}\n{SOURCE}'))
    assert "newsletter.sender = " in found
    assert "papers@example.org" in found


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('[smtp]\nhost = ""', ["smtp.host = ''", "empty"]),
        ("[smtp]\nport = 0", ["smtp.port = 0", "1"]),
        ("[smtp]\nport = 65536", ["smtp.port = 65536", "65535"]),
        ('[smtp]\nport = "25"', ["smtp.port = '25'", "without quotes"]),
        ('[smtp]\nsecurity = "ssl"', ["smtp.security = 'ssl'", "'starttls' or 'tls'"]),
        ('[smtp]\nusername = "me"', ["smtp.security", "none", "starttls"]),
        ('[smtp]\nusername = "me"\nsecurity = "none"\npassword = "p"', ["smtp.security", "none", "starttls"]),
        ('[smtp]\nusername = "me"\nsecurity = "tls"', ["smtp.username = 'me'", "password_file"]),
        ('[smtp]\npassword_file = "nowhere"', ["smtp.password_file = ", "nowhere", "No such file", "write it there"]),
        ("[smtp]\nconnections = -1", ["smtp.connections = -1", "0"]),
        ("[smtp]\nmessages_per_second = -0.5", ["smtp.messages_per_second = -0.5", "0"]),
        ("[smtp]\nmessages_per_second = inf", ["smtp.messages_per_second = inf", "finite"]),
        ("[smtp]\nmessages_per_second = true", ["smtp.messages_per_second = True", "number"]),
        ("[smtp]\nlease = 15", ["smtp.lease = 15", '"15m"']),
        ('[smtp]\nlease = "15 minutes"', ["smtp.lease = '15 minutes'", '"15m"']),
        ('[smtp]\ngive_up_after = "0h"', ["smtp.give_up_after = '0h'", '"20h"']),
        ('[smtp]\non_uncertain = "panic"', ["smtp.on_uncertain = 'panic'", "'resend' or 'hold'"]),
        ('[smtp.domains."example.com"]\nconections = 1', ["smtp.domains.example.com.conections", "connections"]),
        ("[smtp.domains]\nexample = 1", ["smtp.domains.example = 1", "table"]),
        ("[mail]\nhost = 1", ["mail is not a known key"]),
        ("[[people]]\nnmae = 'A'", ["people.1.nmae", "did you mean name?"]),
        ("[[people]]\nname = '.'", ["people.1.name = '.'", "use a name"]),
        ("[[people]]\nname = 'A'\naffiliation = 'B'\naffiliations = ['C']", ["people.1.affiliation", "either"]),
        ("[smtp]\nroutes = 1", ["smtp.routes = 1", "[[smtp.routes]]"]),
        ('[smtp.routes]\nhost = "a"', ["smtp.routes = ", "[[smtp.routes]]"]),
        ("[[smtp.routes]]\nprot = 25", ["smtp.routes.1.prot", "did you mean port?"]),
        ('[[smtp.routes]]\nsecurity = "ssl"', ["smtp.routes.1.security = 'ssl'", "'starttls' or 'tls'"]),
        ("[[smtp.routes]]\nweight = 0", ["smtp.routes.1.weight = 0", "1"]),
        ("[[smtp.routes]]\nweight = 1.5", ["smtp.routes.1.weight = 1.5", "integer"]),
        ("[[smtp.routes]]\nweight = true", ["smtp.routes.1.weight = True", "number"]),
        ('[[smtp.routes]]\n[[smtp.routes]]\nhost = ""', ["smtp.routes.2.host = ''", "empty"]),
        ("[[smtp.routes]]\nconnections = 101", ["smtp.routes.1.connections = 101", "100"]),
        (
            '[[smtp.routes]]\nhost = "a"\n[[smtp.routes]]\nhost = "a"\nport = 26',
            ["smtp.routes: two are named 'a'", "its own name"],
        ),
        (
            '[[smtp.routes]]\nname = "x"\n[[smtp.routes]]\nusername = "me"\npassword = "hunter2"',
            ["smtp.routes.2.security", "none", "starttls"],
        ),
        ('[[smtp.routes]]\nsecurity = "tls"\nusername = "me"', ["smtp.routes.1.username = 'me'", "password_file"]),
        ('[[smtp.routes]]\npassword_file = "nowhere"', ["smtp.routes.1.password_file = ", "nowhere", "No such file"]),
        ('[database]\ndurability = "most"', ["database.durability = 'most'", "'power-cut' or 'crash'"]),
        ('[dkim]\nselector = "s"', ["dkim.selector = 's'", "needs key_file"]),
        ('[dkim]\nkey_file = "k"', ["dkim.key_file = ", "needs selector"]),
        ('[dkim]\ndomain = "example.org"', ["dkim.domain = 'example.org'", "needs selector and key_file"]),
        ('[dkim]\nselector = "a b"\nkey_file = "k"', ["dkim.selector = 'a b'", "letters"]),
        ('[dkim]\nselector = "s_1"\nkey_file = "k"', ["dkim.selector = 's_1'", "letters"]),
        ('[dkim]\nsecond_selector = "e"\nsecond_key_file = "k"', ["dkim.second_key_file = ", "selector and key_file"]),
        ('[dkim]\nselector = "s"\nkey_file = "k"\nsecond_selector = "e"', ["dkim.second_selector", "second_key_file"]),
        (
            '[dkim]\nselector = "s"\nkey_file = "k"\nsecond_selector = "s"\nsecond_key_file = "l"',
            ["dkim.second_selector = 's'", "its own"],
        ),
        (
            '[dkim]\ndomain = "example.com"\nselector = "s"\nkey_file = "k"',
            ["dkim.domain = 'example.com'", "'example.org'", "parent", "DMARC"],
        ),
        (
            '[dkim]\ndomain = "mail.example.org"\nselector = "s"\nkey_file = "k"',
            ["dkim.domain = 'mail.example.org'", "'example.org'", "parent"],
        ),
        ('[dkim]\nselector = "s"\nkey_file = "nowhere"', ["dkim.key_file = ", "nowhere", "No such file", "openssl"]),
        ('[database]\nurl = "postgresql://me:hunter2@db/news"', ["database.url = ", "postgresql", "sqlite:///FILE"]),
        ('[database]\nurl = "sqlite:///"', ["database.url = ", "sqlite:///FILE"]),
        ('[database]\nurl = "sqlite:///:memory:"', ["database.url = ", "sqlite:///FILE"]),
        ('[editing]\nmode = "manual"', ["editing.mode = 'manual'", "'auto' or 'approve'"]),
        ('[editing]\ndeadline = "noon"', ["editing.deadline = 'noon'", "HH:MM"]),
        ('[editing]\non_deadline = "send"', ["editing.on_deadline = 'send'", "'seal' or 'skip'"]),
        ('[bounces]\naddress = "bounces"', ["bounces.address = 'bounces'", "papers@example.org"]),
        ('[operator]\nemail = "me"', ["operator.email = 'me'", "papers@example.org"]),
        ('[operator]\nping_url = "hc.example"', ["operator.ping_url = 'hc.example'", "https://"]),
    ],
)
def test_wrong_sections(tmp_path: Path, section: str, said: list[str]) -> None:
    """So does a wrong line of every other section, and no password is repeated."""
    found = complaint(write(tmp_path, f"{GOOD}{section}\n{SOURCE}"))
    assert said == [part for part in said if part in found], found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "section", ["newsletter", "smtp", "dkim", "database", "editing", "bounces", "operator", "sources"]
)
def test_a_section_that_is_no_table(tmp_path: Path, section: str) -> None:
    """A value where a table belongs is told, whatever the table."""
    rest = "" if section == "newsletter" else GOOD
    found = complaint(write(tmp_path, f"{section} = 3\n{rest}{'' if section == 'sources' else SOURCE}"))
    assert f"{section} = 3: use a " in found


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ("", ["sources is missing", "[[sources]]"]),
        ("[[sources]]\n", ["sources.1.kind is missing", "huggingface", "file"]),
        ('[[sources]]\nkind = "twitter"', ["sources.1.kind = 'twitter'", "huggingface", "file"]),
        ('[sources]\nkind = "huggingface"', ["sources = ", "list", "[[sources]]"]),
        (
            '[[sources]]\nkind = "feed"\nurl = "https://me:hunter@x/ y"',
            ["sources.1.url = 'https://…@x/ y'", "https://"],
        ),
        (SOURCE + SOURCE, ["sources", "huggingface", "its own name"]),
        (SOURCE + "share = 0", ["sources.1.share = 0", "1"]),
        (SOURCE + 'required = "yes"', ["sources.1.required = 'yes'", "true or false"]),
        (SOURCE + 'refresh = "soon"', ["sources.1.refresh = 'soon'", '"15m"']),
        (SOURCE + "refesh = 1", ["sources.1.refesh", "did you mean refresh"]),
        ('[[sources]]\nkind = "arxiv"', ["sources.1.categories is missing"]),
        ('[[sources]]\nkind = "arxiv"\ncategories = []', ["sources.1.categories = []", "at least one"]),
        ('[[sources]]\nkind = "arxiv"\ncategories = ["NLP!"]', ["sources.1.categories.1 = 'NLP!'", "cs.CL"]),
        ('[[sources]]\nkind = "feed"', ["sources.1.url is missing"]),
        ('[[sources]]\nkind = "feed"\nurl = "file:///etc"', ["sources.1.url = 'file:///etc'", "https://"]),
        ('[[sources]]\nkind = "biorxiv"\nserver = "chemrxiv"', ["sources.1.server = 'chemrxiv'", "'medrxiv'"]),
        ('[[sources]]\nkind = "file"\npath = ""', ["sources.1.path = ''", "name a file"]),
    ],
)
def test_wrong_sources(tmp_path: Path, sources: str, said: list[str]) -> None:
    """A wrong source is named by its place in the file."""
    found = complaint(write(tmp_path, GOOD + sources + "\n"))
    assert said == [part for part in said if part in found], found


@pytest.mark.parametrize("key", ["_env_file", "_cli_parse_args", "__pydantic_self__", "self", "file", "smpt"])
def test_no_key_is_an_option_of_the_library(tmp_path: Path, key: str) -> None:
    """What stands before the first table is a key like any other, and unknown."""
    assert f"{key} is not a known key" in complaint(write(tmp_path, f'{key} = "x"\n{GOOD}{SOURCE}'))


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Some editors write one."""
    assert config.load(write(tmp_path, f"\ufeff{GOOD}{SOURCE}")).newsletter.reply_to == "editors@example.org"


def test_a_variable_of_no_table_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip of the pen must not leave the default in force; variables that others set are left alone."""
    file = write(tmp_path, GOOD + SOURCE)
    monkeypatch.setenv("NEWSLETTER_PORT", "tcp://10.0.0.1:8080")
    assert config.load(file).smtp.port == 25
    monkeypatch.setenv("NEWSLETTER_SMPT__PORT", "587")
    assert "NEWSLETTER_SMPT__PORT in the environment" in complaint(file)
    assert "did you mean smtp?" in complaint(file)


def test_what_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Unknown tables beside unknown keys and wrong values, all of them."""
    said = complaint(write(tmp_path, GOOD + SOURCE + "[smpt]\nport = 1\n[database]\nurll = 1\n[smtp]\nport = 'x'\n"))
    assert all(key in said for key in ("smpt is", "database.urll", "smtp.port"))
    many = complaint(write(tmp_path, GOOD + SOURCE + "".join(f"[unknown{n}]\n" for n in range(9))))
    assert all(f"unknown{n} is not" in many for n in range(9))


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes a user without a home, which only root can")
def test_places_where_one_may_not_look(tmp_path: Path) -> None:
    """A folder that is closed to this user, and a user whom the machine does not know, are no crash."""
    write(tmp_path, GOOD + SOURCE)
    tmp_path.chmod(0o700)
    program = (
        "import os, sys; from pathlib import Path; import newsletter.config.load as it; os.chdir('/')\n"
        "os.environ.pop('HOME', None); os.setgroups([]); os.setgid(54321); os.setuid(54321)\n"
        "for named in (Path(sys.argv[1]), Path('x' * 300), None):\n"
        "    try: it.find(named)\n"
        "    except it.ConfigurationError as error: print(str(error)[:21])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "newsletter.toml")], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines() == ["no configuration file"] * 3


def test_an_empty_password_is_none(tmp_path: Path) -> None:
    """A login without one fails anyway, and providers count failures."""
    (tmp_path / "password").write_text("\n")
    smtp = '[smtp]\nsecurity = "tls"\nusername = "me"\npassword_file = "password"\n'
    found = complaint(write(tmp_path, GOOD + smtp + SOURCE))
    assert "smtp.password_file" in found
    assert "is empty" in found


def test_readers_must_be_able_to_leave(tmp_path: Path) -> None:
    """Without pages and without an address for bounces there must be somebody to reply to."""
    found = complaint(write(tmp_path, f"[newsletter]\n{SENDER}\n{SOURCE}"))
    assert "newsletter.reply_to" in found
    assert "base_url" in found


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    """A slip of the pen is told with its line."""
    found = complaint(write(tmp_path, "[newsletter]\nsender = papers\n"))
    assert str(tmp_path / "newsletter.toml") in found
    assert "line 2" in found
    assert found.endswith("; correct that place")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[newsletter]\ndays = ['mon']\n\ndays = ['tue']", "line 4: days is"),
        ("[newsletter]\ndays = ['mon']\ndays = [\n    'tue',\n]\n", "line 3: days is"),
        ("[newsletter]\ndays = ['mon']\ndays = [\n    'tue'\n]\n", "line 3: days is"),
        ('[smtp]\nport = 25\n"port" = 587  # that one\nhost = "a"\n', 'line 3: "port" is'),
        ("[smtp]\nport = 25\n[web]\nport = 80\n[smtp]  # again\nport = 25\n", "line 5: [smtp] is"),
        ("[sources]\nkind = 'arxiv'\n[[sources]]\nkind = 'file'\n", "line 3: [[sources]] is"),
    ],
)
def test_what_is_there_twice(tmp_path: Path, text: str, said: str) -> None:
    """Is told by its name and the line where it comes again."""
    file = write(tmp_path, text)
    assert complaint(file) == f"{file}: {said} there a second time, or as something else before; keep one of the two"


def test_a_file_that_is_no_text_and_a_folder(tmp_path: Path) -> None:
    """Each is told in one line, with what to do."""
    file = tmp_path / "newsletter.toml"
    file.write_bytes(b"\xa0\xff")
    assert complaint(file).endswith("is not text in UTF-8; save it as that, or name another file")
    assert complaint(tmp_path).endswith(f"is a folder; name the file in it, such as {file}")


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is named, and so is the way to get one."""
    found = complaint(tmp_path / "nowhere.toml")
    assert str(tmp_path / "nowhere.toml") in found
    assert "newsletter init" in found


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe\xfd" * 9, b"long-enough-a-secret\nshort"])
def test_a_secret_that_is_none(tmp_path: Path, content: bytes) -> None:
    """A secret that is empty, short or not text is refused, and not shown."""
    file = write(tmp_path, GOOD + SOURCE)
    (tmp_path / "secret").write_bytes(content)
    found = complaint(file)
    assert "newsletter.secret_file = " in found
    assert "long-enough" not in found


def test_a_secret_given_by_value_is_named_and_not_shown(tmp_path: Path) -> None:
    """The key that is wrong is the one that was used."""
    found = complaint(write(tmp_path, f'{GOOD}secret = "hunter2"\n{SOURCE}'))
    assert found.startswith("newsletter.secret: ")
    assert "hunter2" not in found
    assert "12345" not in complaint(write(tmp_path, f"{GOOD}{SOURCE}[smtp]\npassword = 12345\n"))


def test_secrets_are_masked(tmp_path: Path) -> None:
    """Neither the settings nor a traceback that shows them gives a secret away."""
    (tmp_path / "password").write_text("hunter3\n")
    secrets = f'{GOOD}secret = "a-long-secret-of-hunter1"\n{SOURCE}[smtp]\npassword = "hunter2"\n'
    for settings in (
        config.load(write(tmp_path, secrets)),
        config.load(write(tmp_path, f'{GOOD}{SOURCE}[smtp]\npassword_file = "password"\n')),
    ):
        assert {*settings.passwords.values()} <= {"hunter2", "hunter3"}
        assert "hunter" not in repr(settings)
        assert "hunter" not in str(settings)


# Ways out: what a route leaves out follows [smtp].

RELAYS = """[smtp]
host = "one.example.org"
port = 587
security = "starttls"
username = "papers"
password_file = "passwords/common"
messages_per_day = 10000
[[smtp.routes]]
[[smtp.routes]]
name = "spare"
host = "127.0.0.1"
port = 25
security = "none"
username = ""
messages_per_day = 0
weight = 3
[[smtp.routes]]
host = "two.example.org"
username = "papers"
password_file = "passwords/two"
connections = 7
[smtp.domains."example.com"]
connections = 1
"""


@pytest.fixture
def _passwords(tmp_path: Path) -> None:
    (tmp_path / "passwords").mkdir()
    (tmp_path / "passwords/common").write_text("hunter1\n")
    (tmp_path / "passwords/two").write_text("hunter2\n")


def test_without_routes_there_is_one_way(tmp_path: Path) -> None:
    """It is [smtp] itself, and is called by its host."""
    (way,) = config.load(write(tmp_path, f'{GOOD}{SOURCE}[smtp]\nhost = "mail.example.org"\nport = 26\n')).smtp.ways
    assert (
        way.name,
        way.host,
        way.port,
        way.weight,
        way.connection_limit,
    ) == ("mail.example.org", "mail.example.org", 26, 1, 2)


@pytest.mark.usefixtures("_passwords")
def test_what_a_route_leaves_out_follows_smtp(tmp_path: Path) -> None:
    """Host, login and limits are those of [smtp], unless the route says otherwise; another host is told no login."""
    settings = config.load(write(tmp_path, GOOD + SOURCE + RELAYS))

    assert [
        (w.name, w.host, w.port, w.security, w.username, w.messages_per_day, w.weight, w.connection_limit)
        for w in settings.smtp.ways
    ] == [
        ("one.example.org", "one.example.org", 587, "starttls", "papers", 10000, 1, 2),
        ("spare", "127.0.0.1", 25, "none", "", 0, 3, 10),
        ("two.example.org", "two.example.org", 587, "starttls", "papers", 10000, 1, 7),
    ]
    assert settings.passwords == {"one.example.org": "hunter1", "spare": "", "two.example.org": "hunter2"}
    assert "hunter" not in repr(settings)


@pytest.mark.usefixtures("_passwords")
def test_the_password_of_a_route_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that a route names counts for it, although [smtp] has its password from the environment."""
    file = write(tmp_path, GOOD + SOURCE + RELAYS)
    monkeypatch.setenv("NEWSLETTER_SMTP__PASSWORD", "hunter3")
    assert list(config.load(file).passwords.values()) == ["hunter3", "", "hunter2"]


def test_the_environment_gives_routes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON, like every list, and with paths relative to the file."""
    (tmp_path / "p").write_text("hunter1")
    file = write(tmp_path, GOOD + SOURCE)
    routes = '[{"host": "a"}, {"host": "b", "security": "tls", "username": "me", "password_file": "p", "weight": 2}]'
    monkeypatch.setenv("NEWSLETTER_SMTP__ROUTES", routes)
    monkeypatch.setenv("NEWSLETTER_SMTP__PORT", "2525")

    settings = config.load(file)

    assert [(way.name, way.port, way.weight) for way in settings.smtp.ways] == [("a", 2525, 1), ("b", 2525, 2)]
    assert settings.passwords == {"a": "", "b": "hunter1"}


def test_an_empty_password_of_a_route_is_none(tmp_path: Path) -> None:
    """The file is named by the route that asks for it."""
    (tmp_path / "p").touch()
    routes = '[[smtp.routes]]\n[[smtp.routes]]\nname = "b"\nsecurity = "tls"\nusername = "me"\npassword_file = "p"\n'
    found = complaint(write(tmp_path, GOOD + SOURCE + routes))
    assert "smtp.routes.2.password_file" in found
    assert "is empty" in found


# Signing.


def pem(private: PrivateKeyTypes, passphrase: bytes = b"") -> bytes:
    """Return *private* as a file holds it."""
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def short_key() -> rsa.RSAPrivateKey:
    """Return an RSA key of 648 bits, of two Mersenne primes, since no library makes such any more."""
    p, q, e = 2**521 - 1, 2**127 - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    parts = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(e, p * q)).private_key()


def test_nothing_is_signed_unless_asked(tmp_path: Path) -> None:
    """Many let the relay sign."""
    assert config.load(write(tmp_path, GOOD + SOURCE)).dkim_keys == ()


def test_two_keys_sign(tmp_path: Path) -> None:
    """One of each kind, in whatever order, for the sender's domain."""
    (tmp_path / "rsa.pem").write_bytes(pem(rsa.generate_private_key(65537, 2048)))
    (tmp_path / "ed25519.pem").write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    dkim = (
        '[dkim]\nselector = "papers"\nkey_file = "ed25519.pem"\n'
        'second_selector = "papers.2026"\nsecond_key_file = "rsa.pem"\n'
    )

    settings = config.load(write(tmp_path, GOOD + SOURCE + dkim))

    assert settings.dkim_domain == "example.org"
    (first, ours), (second, theirs) = settings.dkim_keys
    assert (first, second) == ("papers", "papers.2026")
    assert isinstance(ours, ed25519.Ed25519PrivateKey)
    assert isinstance(theirs, rsa.RSAPrivateKey)


def test_a_parent_of_the_senders_domain_may_sign(tmp_path: Path) -> None:
    """Receivers count it as the sender's own; an international one goes over the wire in ASCII."""
    (tmp_path / "k").write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    for domain, signs in (("Bücher.example", "xn--bcher-kva.example"), ("", "mail.xn--bcher-kva.example")):
        text = (
            f'[newsletter]\nsender = "papers@mail.bücher.example"\n{REPLY_TO}\n{SOURCE}'
            f'[dkim]\ndomain = "{domain}"\nselector = "s"\nkey_file = "k"\n'
        )
        assert config.load(write(tmp_path, text)).dkim_domain == signs


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a private key in PEM"),
        (b"\xff\x00", "not a private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not a private key in PEM"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither an RSA nor an Ed25519 key"),
        (pem(ed25519.Ed25519PrivateKey.generate(), b"sesame"), "protected by a passphrase"),
        (
            ed25519.Ed25519PrivateKey.generate()
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "not a private key in PEM",
        ),
        (pem(short_key()), "has 648 bits; receivers take 1024 to 4096"),
    ],
)
def test_a_key_that_cannot_sign(tmp_path: Path, content: bytes, said: str) -> None:
    """What no receiver would count is told before a mail goes out, with the way to a better one."""
    (tmp_path / "k").write_bytes(content)
    found = complaint(write(tmp_path, f'{GOOD}{SOURCE}[dkim]\nselector = "s"\nkey_file = "k"\n'))
    assert found.startswith("dkim.key_file = ")
    assert said in found
    assert "openssl" in found


def test_two_keys_of_one_kind(tmp_path: Path) -> None:
    """The second is there for the receivers that the first does not reach."""
    for name in ("k", "l"):
        (tmp_path / name).write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    keys = '[dkim]\nselector = "s"\nkey_file = "k"\nsecond_selector = "t"\nsecond_key_file = "l"\n'
    found = complaint(write(tmp_path, GOOD + SOURCE + keys))
    assert "dkim.second_key_file = " in found
    assert "one RSA and one Ed25519" in found


def test_durability(tmp_path: Path) -> None:
    """The one that keeps up with a fast server, unless the operator chooses."""
    assert config.load(write(tmp_path, GOOD + SOURCE)).database.durability == "crash"
    file = write(tmp_path, f'{GOOD}{SOURCE}[database]\ndurability = "power-cut"\n')
    assert config.load(file).database.durability == "power-cut"


def test_relative_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the command is run from changes nothing."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    file = write(
        tmp_path, GOOD + '[database]\nurl = "sqlite:///data/news.db"\n[[sources]]\nkind = "file"\npath = "p"\n'
    )

    settings = config.load(Path("..") / file.name)

    assert (tmp_path / "data/news.db") == settings.database.path.resolve()
    assert (tmp_path / "p") == settings.sources[0].path.resolve()  # type: ignore[union-attr]
    assert (tmp_path / "secret") == settings.newsletter.secret_file.resolve()
    assert settings.file.is_absolute()


def test_absolute_paths_stay(tmp_path: Path) -> None:
    """A path that begins at the root is meant."""
    (tmp_path / "elsewhere").write_text("another-secret-of-some-length")
    file = write(
        tmp_path, f'{GOOD}secret_file = "{tmp_path}/elsewhere"\n{SOURCE}[database]\nurl = "sqlite:////x/n.db"\n'
    )
    settings = config.load(file)
    assert Path("/x/n.db") == settings.database.path
    assert settings.secrets == ("another-secret-of-some-length",)


def test_several_secrets(tmp_path: Path) -> None:
    """The first signs, all verify."""
    file = write(tmp_path, GOOD + SOURCE)
    (tmp_path / "secret").write_text("the-new-one-of-today\nthe-old-one-of-last-year\n")
    assert config.load(file).secrets == ("the-new-one-of-today", "the-old-one-of-last-year")


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable stands for a key: numbers, texts and lists (as JSON), in any section."""
    file = write(tmp_path, f'{GOOD}max_papers = 5\n{SOURCE}[smtp]\nhost = "mail.example.org"\nport = 587\n')
    for name, value in {
        "NEWSLETTER_SMTP__PORT": "2525",
        "NEWSLETTER_SMTP__PASSWORD": "12345",
        "NEWSLETTER_SMTP__MESSAGES_PER_SECOND": "0.5",
        "NEWSLETTER_NEWSLETTER__SEND_AT": "07:15",
        "NEWSLETTER_NEWSLETTER__DAYS": '["sat"]',
        "NEWSLETTER_FILE": "/nowhere",
    }.items():
        monkeypatch.setenv(name, value)

    settings = config.load(file)

    assert (
        settings.smtp.host,
        settings.smtp.port,
        settings.passwords[settings.smtp.host],
        settings.smtp.messages_per_second,
    ) == ("mail.example.org", 2525, "12345", 0.5)
    assert (5, time(7, 15), ("sat",)) == (
        settings.newsletter.max_papers,
        settings.newsletter.send_at,
        settings.newsletter.days,
    )
    assert file == settings.file


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NEWSLETTER_SMTP__PORT", "many", ["smtp.port = 'many'", "environment"]),
        ("NEWSLETTER_SMTP__PROT", "25", ["smtp.prot", "did you mean port"]),
        ("NEWSLETTER_NEWSLETTER__DAYS", "mon,tue", ["NEWSLETTER_NEWSLETTER", "JSON"]),
        ("NEWSLETTER_NEWSLETTER__TIME_ZONE", "Nowhere", ["newsletter.time_zone = 'Nowhere'", "Europe/Zurich"]),
    ],
)
def test_wrong_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: list[str]
) -> None:
    """A mistake in the environment is told like one in the file."""
    monkeypatch.setenv(name, value)
    found = complaint(write(tmp_path, GOOD + SOURCE))
    assert said == [part for part in said if part in found], found


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder at hand comes before the user's, and the variable before both."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    theirs, here, named = (tmp_path / p for p in ("home/newsletter/newsletter.toml", "newsletter.toml", "other.toml"))
    theirs.parent.mkdir(parents=True)
    for file in (theirs, here, named):
        file.touch()

    assert here == config.find(None)
    monkeypatch.setenv("NEWSLETTER_CONFIG", str(named))
    assert named == config.find(None)
    monkeypatch.delenv("NEWSLETTER_CONFIG")
    here.unlink()
    assert theirs == config.find(None)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (GOOD + "colour = 1\n" + SOURCE, "newsletter.colour"),
        (GOOD + 'max_papers = "ten"\n' + SOURCE, "newsletter.max_papers"),
        (GOOD + 'time_zone = "Mars/Olympus"\n' + SOURCE, "newsletter.time_zone"),
        (GOOD + 'secret_file = "nowhere"\n' + SOURCE, "newsletter.secret_file"),
        (f'[newsletter]\nsender = "Daily Papers"\n{REPLY_TO}\n{SOURCE}', "newsletter.sender"),
        (GOOD + SOURCE + '[smtp]\nusername = "me"\n', "smtp.security"),
        (None, "newsletter.toml"),
    ],
)
def test_the_command_line_ends_with_2(tmp_path: Path, text: str | None, key: str) -> None:
    """On the command line every such mistake is one line on standard error, and the status is 2."""
    file = write(tmp_path, text) if text else tmp_path / "newsletter.toml"
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "--config", str(file), "db", "check"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("newsletter: ")
    assert key in done.stderr


# The default configuration that 'newsletter init' fills in.

DEFAULT = packaged("config") / "newsletter.toml"


def test_the_default_configuration_loads(tmp_path: Path) -> None:
    """What is written for a newcomer is a configuration as it stands."""
    settings = config.load(write(tmp_path, DEFAULT.read_text("utf-8")))
    assert settings.newsletter.sender_address == "papers@example.org"


def test_what_it_comments_out_is_the_default(tmp_path: Path) -> None:
    """Taking away every bare '#' changes nothing."""
    text = DEFAULT.read_text("utf-8")
    as_it_is = config.load(write(tmp_path, text))
    spelled_out = re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE)
    assert spelled_out != text
    assert as_it_is == config.load(write(tmp_path, spelled_out))


def _sections() -> list[tuple[str, type[BaseModel]]]:
    """Return the model of each table, by the name of the table."""
    found: list[tuple[str, type[BaseModel]]] = []
    for name, field in Settings.model_fields.items():
        if name == "sources":
            union = typing.get_args(typing.get_args(field.annotation)[0])[0]
            found += [("sources", model) for model in typing.get_args(union)]
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found.append((name, field.annotation))
    return found


def uncommented(text: str) -> str:
    """Return *text* with its examples, which begin with '# ' and are TOML, put in force."""
    return re.sub(r"^# (?=\w+ = |\[)", "", text, flags=re.MULTILINE)


def test_its_example_of_routes_is_one(tmp_path: Path) -> None:
    """The table that it shows names every key, and works once the '#' are taken away."""
    (tmp_path / "first-password").write_text("hunter2\n")
    text = DEFAULT.read_text("utf-8")
    sending, others = text.split("[dkim]", 1)
    (way,) = config.load(write(tmp_path, f"{uncommented(sending)}[dkim]{others}")).smtp.ways
    assert way.model_fields_set >= set(RouteSettings.model_fields) - {"password"}


def test_it_mentions_every_key() -> None:
    """Who reads the default configuration has seen every key that there is, in its section."""
    text = DEFAULT.read_text("utf-8")
    top, sources = text.split("# Where papers come from", 1)
    parts = re.split(r"^\[([a-z]+)\]$", top, flags=re.MULTILINE)
    content = {**dict(zip(parts[1::2], parts[2::2], strict=True)), "sources": sources}
    sections, tables = _sections(), {"domains", "routes", "imap", "webhooks"}

    assert set(content) == {name for name, _ in sections}
    missing = [
        f"{name}.{key}"
        for name, model in sections
        for key in model.model_fields
        if key not in tables and not re.search(rf"^#? *{key}( = | )", content[name], re.MULTILINE)
    ]
    assert missing == []
    assert "[smtp.domains." in text
    assert "[[smtp.routes]]" in text
    for name, model in (("imap", ImapSettings), ("webhooks", WebhookSettings)):
        table = text.partition(f"# [bounces.{name}]\n")[2].partition("\n\n")[0]
        assert [key for key in model.model_fields if f"# {key}" not in table] == []  # a secret's file names it too
