"""The API answers whatever its own description allows, and whatever it does not, as it says that it answers."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsroom import Newsroom
from served import Site

from newsletter.web.server import serving

DAY = "2026-07-15"
KINDS = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None)}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, Any], list[str]]]:
    """Return a newsletter with an issue, the description of its API, and keys of papers that there are."""
    room = Newsroom(tmp_path_factory.mktemp("api"), web={"requests_per_minute": 0})
    keys = room.publish(DAY, "Alpha model", "Beta", upvotes=3, categories=["cs.CL"])
    room.run("run", "--date", DAY, "--now")
    with (
        room.app() as app,
        serving(app, "127.0.0.1", 0) as url,
        httpx2.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        yield Site(room, app, url, client), client.get("/api/openapi.json").json(), list(keys)
    room.close()


def values(schema: dict[str, Any], known: list[str]) -> st.SearchStrategy[str]:
    """Return values of a parameter: what its schema allows, what there is, and anything else."""
    allowed = st.integers().map(str) if schema["type"] == "integer" else TEXT
    return st.sampled_from([*schema.get("enum", []), *known, DAY, "model"]) | allowed | TEXT


def wrong(value: Any, schema: dict[str, Any], every: dict[str, Any]) -> Iterator[str]:
    """Yield where *value* is not what *schema* says."""
    schema = every[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if not isinstance(value, tuple(KINDS[kind] for kind in kinds)):
        yield f"{value!r} is no {kinds}"
    elif isinstance(value, dict):
        yield from (f"{name} is missing" for name in schema.get("required", []) if name not in value)
        for name, inner in schema.get("properties", {}).items():
            yield from wrong(value[name], inner, every) if name in value else ()
    elif isinstance(value, list):
        yield from (problem for one in value for problem in wrong(one, schema["items"], every))


@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_every_answer_is_one_that_is_described(
    described: tuple[Site, dict[str, Any], list[str]], data: st.DataObject
) -> None:
    """Of each path, with any value of any parameter: a status that is described, and a body that is as described."""
    site, document, keys = described
    path = data.draw(st.sampled_from(sorted(document["paths"])))
    operation = document["paths"][path]["get"]
    asked: dict[str, str] = {}
    for parameter in operation["parameters"]:
        value = data.draw(values(parameter["schema"], keys), label=parameter["name"])
        if parameter["in"] == "path":
            path = re.sub(rf"\{{{parameter['name']}\}}", lambda _, said=value: quote(said, safe="") or "x", path)
        elif data.draw(st.booleans()):
            asked[parameter["name"]] = value
    answer = site.client.get(path, params=asked)
    assert str(answer.status_code) in operation["responses"]
    content = operation["responses"][str(answer.status_code)]["content"]
    assert answer.headers["content-type"].partition(";")[0] in content
    [shape] = content.values()
    assert list(wrong(answer.json(), shape["schema"], document["components"]["schemas"])) == []
