"""The page on changes of mind is true: each of its requests does what it says, and what it names is there."""

import itertools
import json
import re
import shlex
from dataclasses import fields
from pathlib import Path

from orderstore.domain.decide_returns import RETURNS_MAX
from orderstore.domain.deciding import ATTEMPTS_MAX
from orderstore.domain.events import Terms
from orderstore.withdrawal import DAYS
from projections.http.problems import KINDS
from tests.projections.http.api import ADMIN, Api, running
from tests.projections.http.stories import declined, delivered, held, reserved, short, under_review
from workers.settings import Settings, variable

PAGE = (Path(__file__).parents[3] / "docs" / "changes-of-mind.md").read_text()
EXAMPLES = [line for line in PAGE.splitlines() if line.startswith("curl ")]
TOLD = {"returnId": "$RETURN", "editId": "$EDIT", "actionId": "$QUESTION"}


async def run(api: Api, line: str, known: dict[str, str]) -> tuple[int, str]:
    """What this command is answered with: the status, and the code of a problem. Ids of the answer are known from then on."""
    for name, value in known.items():
        line = line.replace(name, value)
    words = shlex.split(line, comments=True)
    headers = dict(word.split(": ", 1) for option, word in itertools.pairwise(words) if option == "-H")
    content = words[words.index("-d") + 1] if "-d" in words else None
    (path,) = [word for word in words if word.startswith("/orders")]
    response = await api.client.request("POST", path, headers=headers, content=content)
    told = response.json()
    known |= {named: told[name] for name, named in TOLD.items() if told.get(name) is not None}
    return response.status_code, told.get("code", "")


async def test_every_request_does_what_it_says() -> None:
    """In the order in which they stand there, each of an order to which that can happen."""
    async with running() as api:
        known = {
            "$API": "",
            "$AUTH": f"Authorization: Bearer {ADMIN}",
            "$ORDER": await reserved(api),
            "$HELD": await held(api),
            "$DECLINED": await declined(api),
            "$ASKED": await short(api),
            "$REVIEWED": await under_review(api),
            "$ARRIVED": await delivered(api),
        }
        for line in EXAMPLES:
            expected = re.search(r"  # (\d{3})(?: (\w+))?$", line)
            assert expected is not None, line
            assert await run(api, line, known) == (int(expected[1]), expected[2] or ""), line
        assert len(EXAMPLES) > 15


async def test_it_names_every_operation_and_its_scope() -> None:
    """One that is added is told here."""
    async with running() as api:
        document = (await api.get("/openapi.json", token=None)).json()
    for path, operations in document["paths"].items():
        if not path.startswith("/orders/{orderId}/") or "post" not in operations or "/exceptions/" in path:
            continue
        place = path.removeprefix("/orders/{orderId}")
        verb = place.rpartition("/")[2]
        row = next(
            row for row in PAGE.splitlines() if row.startswith("|") and (f"…{place}`" in row or f"`…/{verb}`" in row)
        )
        (scope,) = operations["post"]["security"][0]["bearer"]
        assert f"`{scope}`" in row, row


def test_what_it_names_is_there() -> None:
    """Codes, terms, settings and bounds."""
    named = set(re.findall(r"(?:# 4\d\d |4\d\d `|`4\d\d )([a-z_]+)", PAGE))
    assert len(named) > 8
    assert named <= set(KINDS)
    settings = {variable(known) for known in fields(Settings)}
    told = set(re.findall(r"ORDERSTORE_[A-Z_]+", PAGE))
    assert told <= settings
    assert {f"ORDERSTORE_TERMS_{term.name.upper()}" for term in fields(Terms)} <= told
    assert f"{ATTEMPTS_MAX} attempts" in PAGE
    assert f"{RETURNS_MAX} returns" in PAGE
    assert f"({DAYS} unless" in PAGE
    assert json.dumps({"missingStock": "ask"})[1:-1] in PAGE
