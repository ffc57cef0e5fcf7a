"""What filters at the receiving end say of each mail, signed as it is sent."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import filters
import pytest
from corpus import Judged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# What a mail is not to blame for, each with the reason.
EXCUSED = {
    "DATE_IN_PAST": "the days are past ones; a digest is sent on its own day",
}


def above(scores: filters.Scores) -> filters.Scores:
    """Return the rules that count against a mail, {} where all in all nothing does."""
    counted = {rule: score for rule, score in scores.items() if rule not in EXCUSED}
    against = {rule: score for rule, score in counted.items() if score > 0}
    return against if round(sum(counted.values()), 2) > 0 else {}


def counting_against(judged: Sequence[Judged], scores: Iterable[filters.Scores]) -> dict[str, filters.Scores]:
    """Return what counts against each mail that comes out above 0."""
    return {one.name: above(found) for one, found in zip(judged, scores, strict=True) if above(found)}


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[filters.Rspamd]:
    """Return a running rspamd."""
    with filters.rspamd(tmp_path_factory.mktemp("rspamd")) as running:
        yield running


@pytest.fixture(params=["own", "recorded", "other"])
def sent(request: pytest.FixtureRequest) -> list[Judged]:
    """Return digests of ten papers of five days, and then each other mail that an honest day brings."""
    if request.param == "other":
        mails: list[Judged] = request.getfixturevalue("every_mail")
        return [judged for judged in mails if not judged.name.startswith("hostile")]
    found: list[Judged] = request.getfixturevalue(f"{request.param}_digests")
    return [judged for judged in found if judged.papers == 10]


@pytest.mark.system("spamassassin")
def test_spamassassin_counts_nothing_against_them(sent: list[Judged], tmp_path: Path) -> None:
    """Local tests only, no network: a score of at most 0."""
    scores = filters.spamassassin([one.mail.content for one in sent], tmp_path)
    assert counting_against(sent, scores) == {}


@pytest.mark.system("rspamd")
def test_rspamd_counts_nothing_against_them(sent: list[Judged], rspamd: filters.Rspamd) -> None:
    """Its modules that ask the network left out: a score of at most 0."""
    scores = [rspamd.scores(one.mail.content, one.mail.sender, one.mail.recipient) for one in sent]
    assert counting_against(sent, scores) == {}
