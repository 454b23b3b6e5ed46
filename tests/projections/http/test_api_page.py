"""The page for the API's users is true: each of its examples does what it says, in the order in which they stand there."""

import re
import shlex
from pathlib import Path

from projections.answers.fresh_reads import READ_WAIT_S
from projections.answers.ports import EXCEPTION_KINDS
from projections.http.problems import KINDS
from projections.http.report_places import DAYS_MAX
from tests.projections.http.api import ADMIN, Api, running

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
EXAMPLES = [line for line in PAGE.splitlines() if line.startswith("curl ")]


async def run(api: Api, line: str, order_id: str) -> tuple[int, str]:
    """What this command is answered with: the status, and the code of a problem."""
    command = line.replace("$API", "").replace("$AUTH", f"Authorization: Bearer {ADMIN}").replace("$ORDER", order_id)
    words = iter(shlex.split(command, comments=True)[1:])
    method, path, headers, content = "GET", "", {}, None
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                content = next(words)
            case _:
                assert not path, f"two addresses in {line}"
                path = word
    response = await api.client.request(method, path, headers=headers, content=content)
    return response.status_code, response.json().get("code", "")


async def test_every_example_does_what_it_says() -> None:
    """One order's story, from its placing on."""
    async with running() as api:
        order_id = await api.place(currency="EUR")
        for line in EXAMPLES:
            expected = re.search(r"  # (\d{3})(?: (\w+))?$", line)
            assert expected is not None, line
            assert await run(api, line, order_id) == (int(expected[1]), expected[2] or ""), line
        assert len(EXAMPLES) > 20


def test_what_the_page_names_is_there() -> None:
    """Kinds, codes and bounds."""
    for kind in EXCEPTION_KINDS:
        assert f"`{kind}`" in PAGE
    refusals = PAGE[PAGE.index("## When the answer is no") :]
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", refusals)) | set(re.findall(r"# 4\d\d (\w+)$", PAGE, re.MULTILINE))
    assert named <= set(KINDS)
    assert f"{DAYS_MAX} at most" in PAGE
    assert READ_WAIT_S == 1.0
