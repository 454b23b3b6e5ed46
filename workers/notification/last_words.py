"""Whoever is cut off between a service's answer and the next write leaves a doubt, and a customer who is told twice: so they may finish."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

T = TypeVar("T")


async def with_last_words(work: Callable[[], Awaitable[T]], *, grace_s: float) -> T:
    """Do the work. A cancellation from outside (a deadline, a stop, lost visibility) takes effect when it is done, or `grace_s` later.

    Raises what the work raises; when cancelled, the cancellation goes on afterwards, whatever the work came to.
    """
    results: list[T] = []
    errors: list[Exception] = []
    ended = anyio.Event()
    kept = anyio.CancelScope(shield=True)

    async def run() -> None:
        with kept:
            try:
                results.append(await work())
            except Exception as error:  # noqa: BLE001 - raised again by who waits
                errors.append(error)
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(run, name="last words")
        try:
            await ended.wait()
        except anyio.get_cancelled_exc_class():
            kept.deadline = min(kept.deadline, anyio.current_time() + grace_s)
            raise
    if errors:
        raise errors[0]
    return results[0]
