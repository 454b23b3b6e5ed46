"""Calls side by side: bounded, each once, and an error is what it was."""

import anyio
import pytest

from orderstore.store.side_by_side import side_by_side
from tests.virtual_time import run_virtual


class Trouble(Exception):
    """What a caller catches by its kind."""


def test_every_key_is_worked_on_once_and_answers_keep_the_order_of_the_keys() -> None:
    """Whoever is done first; a key that is named twice is one key."""
    asked: list[int] = []

    async def work(key: int) -> int:
        asked.append(key)
        await anyio.sleep(10 - key)
        return key * key

    async def scenario() -> None:
        found = await side_by_side([1, 3, 2, 3], work, name="square")

        assert list(found.items()) == [(1, 1), (3, 9), (2, 4)]
        assert sorted(asked) == [1, 2, 3]

    run_virtual(scenario)


def test_no_more_than_the_bound_are_under_way() -> None:
    """Ten calls of a second each, three at once: four seconds."""
    now = most = 0

    async def work(_key: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await anyio.sleep(1)
        now -= 1

    async def scenario() -> None:
        began = anyio.current_time()
        await side_by_side(range(10), work, name="wait", at_once=3)

        assert most == 3
        assert anyio.current_time() - began == pytest.approx(4)

    run_virtual(scenario)


def test_an_error_is_raised_as_it_is_once_what_is_under_way_has_ended() -> None:
    """No group around it; nothing new is begun, and nothing is cut off."""
    begun = ended = 0

    async def work(_key: int) -> None:
        nonlocal begun, ended
        begun += 1
        if begun == 2:
            await anyio.sleep(0.5)
            raise Trouble("the second")
        await anyio.sleep(1)
        ended += 1

    async def scenario() -> None:
        with pytest.raises(Trouble, match="the second"):
            await side_by_side(range(9), work, name="fail", at_once=2)

        assert (begun, ended) == (2, 1)

    run_virtual(scenario)
