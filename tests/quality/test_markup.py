"""The HTML of every mail is HTML: judged by html-validate and by the Nu checker of the W3C."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from corpus import Judged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# What the Nu checker knows no better, each with the reason for having it all the same.
KNOWN = {
    r"Attribute “xmlns:[ov]” not allowed here": "Outlook for Windows reads its resolution from elements of this space",
    r"CSS: “mso-[a-z-]+”: Property .* doesn't exist": "Outlook for Windows alone reads it, all others pass it over",
}


@pytest.fixture(scope="session")
def judged_files(
    html_files: list[Path], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Return the HTML of every kind of mail, and of the recorded days where there are any."""
    try:
        recorded = request.getfixturevalue("recorded_digests")
    except pytest.skip.Exception:
        recorded = []
    folder = tmp_path_factory.mktemp("recorded-html")
    return html_files + [judged.write_html(folder) for judged in recorded if judged.papers != 25]


@pytest.mark.system("node")
def test_html_validate_finds_nothing(
    judged_files: list[Path], node_module: Callable[[str], Path], tmp_path: Path
) -> None:
    """By the rules for mail: htmlvalidate.cjs says which are left out, and why."""
    command = [str(node_module(".bin/html-validate")), "--config", str(Path(__file__).with_name("htmlvalidate.cjs"))]
    command += ["--formatter", "json", *map(str, judged_files)]
    answer = tmp_path / "answer.json"
    with answer.open("wb") as out:  # to a pipe it writes no more than fits
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, timeout=110, check=False)
    assert answer.stat().st_size, done.stderr
    found = [
        f"{Path(file['filePath']).stem}:{told['line']}: {told['ruleId']}: {told['message']}"
        for file in json.loads(answer.read_text())
        for told in file["messages"]
    ]
    assert found == []


@pytest.mark.system("java")
def test_the_nu_checker_finds_no_error(judged_files: list[Path], node_module: Callable[[str], Path]) -> None:
    """But for what it cannot know of mail programs."""
    command = ["java", "-Xss8m", "-XX:TieredStopAtLevel=1", "-jar", str(node_module("vnu-jar/build/dist/vnu.jar"))]
    command += ["--errors-only", "--format", "json", "--stdout", *map(str, judged_files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.stdout, done.stderr
    found = [
        f"{Path(told['url']).stem}:{told.get('lastLine')}: {told['message']}"
        for told in json.loads(done.stdout)["messages"]
        if not any(re.match(known, told["message"]) for known in KNOWN)
    ]
    assert found == []


def test_every_mail_has_two_parts_and_one_subject(every_mail: list[Judged]) -> None:
    """Text first, then HTML with a title and a language; the operator's is text alone."""
    for judged in every_mail:
        kinds = [part.get_content_type() for part in judged.mail.message.walk() if not part.is_multipart()]
        assert kinds == (["text/plain", "text/html"] if judged.mail.html else ["text/plain"])
        assert len(str(judged.mail.message["Subject"]).splitlines()) == 1
        assert judged.mail.html or judged.name.startswith("operator")
