"""Calls side by side, with a bound, whose errors stay what they are."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeVar

import anyio

Key = TypeVar("Key")
Found = TypeVar("Found")


async def side_by_side(
    keys: Iterable[Key], work: Callable[[Key], Awaitable[Found]], *, name: str, at_once: int | None = None
) -> dict[Key, Found]:
    """Do the work once for every key, and return what came of each, in the order of the keys; `at_once` at most (None: all) side by side.

    After an error nothing new is begun, what is under way comes to its end, and the first error is raised as it is, not wrapped in a
    group: callers catch errors by their kind. `name` is what the tasks are called.
    """
    wanted = list(dict.fromkeys(keys))
    found: dict[Key, Found] = {}
    failures: list[Exception] = []
    bound: AbstractAsyncContextManager[object] = nullcontext() if at_once is None else anyio.CapacityLimiter(at_once)

    async def one(key: Key) -> None:
        async with bound:
            if failures:
                return
            try:
                found[key] = await work(key)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised below
                failures.append(error)

    async with anyio.create_task_group() as tasks:
        for key in wanted:
            tasks.start_soon(one, key, name=f"{name} {key}")
    if failures:
        raise failures[0]
    return {key: found[key] for key in wanted}
