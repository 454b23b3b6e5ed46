"""Bounded concurrency in two shapes: jobs side by side, and a walk over a long row of streams in batches.

The first failure ends the rest and is raised as it is, not wrapped in a group: the caller's tree of errors stays the one that it knows.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import anyio

BATCHES_AT_ONCE: Final = 4
CLOSE_WITHIN_S: Final = 5.0


@contextmanager
def first_error() -> Iterator[None]:
    """Raise the first exception of a task group instead of the group.

    Who is cancelled is told that alone, whatever failed in the same moment: a mixed group is caught by nobody's `except Exception`.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        cancelled = group.subgroup(anyio.get_cancelled_exc_class())
        if cancelled is not None:
            raise cancelled from None
        if not isinstance(group, ExceptionGroup):
            raise
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise error from group


async def run_all(jobs: Iterable[Callable[[], Awaitable[None]]], *, at_once: int) -> None:
    """Run every job, `at_once` at most side by side."""
    limiter = anyio.CapacityLimiter(at_once)

    async def run(job: Callable[[], Awaitable[None]]) -> None:
        async with limiter:
            await job()

    with first_error():
        async with anyio.create_task_group() as tasks:
            for job in jobs:
                tasks.start_soon(run, job)


async def for_each_batch(
    streams: AsyncIterator[str],
    visit: Callable[[tuple[str, ...]], Awaitable[None]],
    *,
    batch_size: int,
    at_once: int = BATCHES_AT_ONCE,
) -> None:
    """Call `visit` for every stream, `batch_size` distinct ones at a time, `at_once` batches side by side: memory is bounded by that.

    A stream that is named again in another batch is visited again. Raises what `visit` or the iterator raises; the walk ends there.
    """
    send, receive = anyio.create_memory_object_stream[tuple[str, ...]](0)

    async def worker() -> None:
        async for batch in receive:
            await visit(batch)

    try:
        with first_error():
            async with send, receive, anyio.create_task_group() as tasks:
                for number in range(at_once):
                    tasks.start_soon(worker, name=f"batches-{number}")
                batch: dict[str, None] = {}
                async for stream in streams:
                    batch[stream] = None
                    if len(batch) >= batch_size:
                        await send.send(tuple(batch))
                        batch = {}
                if batch:
                    await send.send(tuple(batch))
                send.close()
    finally:
        if isinstance(streams, AsyncGenerator):
            with anyio.move_on_after(CLOSE_WITHIN_S, shield=True):
                await streams.aclose()
