"""What a process counts of itself, from its metrics page."""

from collections.abc import Mapping, Sequence
from typing import Final

import httpx

from tests.load.stage import Stage

PAGE_S_MAX: Final = 30


async def counters(stage: Stage, seat: str, families: Sequence[str]) -> dict[str, float]:
    """Every series of these families that is not nought, by its labels."""
    member = stage.fleet.members[seat]
    async with httpx.AsyncClient(trust_env=False, timeout=PAGE_S_MAX) as client:
        headers = {"Authorization": f"Bearer {stage.emulator.api_token}"}
        page = (await client.get(f"http://127.0.0.1:{member.port}/metrics", headers=headers)).text
    return dict(series_of(page, families))


def series_of(page: str, families: Sequence[str]) -> Mapping[str, float]:
    """The same of a page's text."""
    found = {}
    for line in page.splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] in families and float(value):
            found[series.replace("orderstore_", "").replace("_total", "")] = float(value)
    return found
