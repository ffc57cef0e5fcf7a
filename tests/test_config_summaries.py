"""``[summaries]``: what is allowed, and how its key is kept."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from test_config import GOOD, SOURCE, complaint, write

from newsletter.config import load as config

KEY = "sk-hunter-2"
SERVER = 'url = "https://api.example.com/v1/"\nmodel = "small"\n'


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("NEWSLETTER_"):
            monkeypatch.delenv(name)


def configured(folder: Path, keys: str) -> Path:
    """Write a configuration with these keys of [summaries]."""
    return write(folder, f"{GOOD}{SOURCE}[summaries]\n{keys}")


def test_it_is_off_unless_a_server_is_named(tmp_path: Path) -> None:
    """No table, no model."""
    settings = config.load(write(tmp_path, GOOD + SOURCE))
    assert settings.summaries.url == ""
    assert settings.summaries_key == ""


def test_its_defaults(tmp_path: Path) -> None:
    """Thirty papers a day, twenty seconds for an answer, public addresses only."""
    found = config.load(configured(tmp_path, SERVER)).summaries
    assert (found.url, found.model) == ("https://api.example.com/v1", "small")
    assert (found.max_papers, found.timeout, found.allow_private_address) == (30, timedelta(seconds=20), False)


def test_the_key_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file beside the configuration, its line end taken off; the environment wins; neither is shown."""
    (tmp_path / "key").write_text(f"{KEY}\n")
    file = configured(tmp_path, f'{SERVER}api_key_file = "key"\n')
    settings = config.load(file)
    assert settings.summaries_key == KEY
    monkeypatch.setenv("NEWSLETTER_SUMMARIES__API_KEY", "sk-hunter-3")
    changed = config.load(file)
    assert changed.summaries_key == "sk-hunter-3"
    assert "hunter" not in repr(settings) + str(settings) + repr(changed)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('url = "https://api.example.com/v1"\n', "needs model too"),
        ('model = "small"\n', "url is missing"),
        ('url = "api.example.com"\nmodel = "m"\n', "summaries.url = 'api.example.com': use a link"),
        ('url = "https://api.example.com/v1/chat/completions"\nmodel = "m"\n', 'before "/chat/completions"'),
        (f'{SERVER}timeout = "2m"\n', "summaries.timeout = '2m': use at most"),
        (f"{SERVER}max_papers = 0\n", "summaries.max_papers = 0"),
        (f"{SERVER}modle = 1\n", "summaries.modle is not a known key; did you mean model?"),
        (f'{SERVER}api_key_file = "absent"\n', "summaries.api_key_file = "),
        ('url = "http://api.example.com/v1"\nmodel = "m"\napi_key = "sk-hunter-2"\n', "travels in clear"),
    ],
)
def test_each_mistake_is_one_line(tmp_path: Path, keys: str, said: str) -> None:
    """That names the key and what is allowed, and shows no secret."""
    found = complaint(configured(tmp_path, keys))
    assert said in found
    assert "hunter" not in found


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"two words", b"line\nline", "schlüssel".encode(), b"\xff\xfe", b"a\0b"]
)
def test_a_key_file_holds_a_key_and_nothing_else(tmp_path: Path, content: bytes) -> None:
    """It goes into a header as it is."""
    (tmp_path / "key").write_bytes(content)
    found = complaint(configured(tmp_path, f'{SERVER}api_key_file = "key"\n'))
    assert "summaries.api_key_file = " in found
    assert "line" not in found.partition("': ")[2]


def test_a_key_of_the_wrong_kind_is_not_shown(tmp_path: Path) -> None:
    """A number without quotes is somebody's key all the same."""
    assert "12345" not in complaint(configured(tmp_path, f"{SERVER}api_key = 12345\n"))


def test_a_model_on_this_machine_may_have_a_key_in_clear(tmp_path: Path) -> None:
    """Where it is allowed to be there."""
    keys = 'url = "http://127.0.0.1:8080/v1"\nmodel = "m"\napi_key = "sk-hunter-2"\nallow_private_address = true\n'
    assert config.load(configured(tmp_path, keys)).summaries_key == KEY
