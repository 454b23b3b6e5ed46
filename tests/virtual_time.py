"""Virtual time: runtime code runs on Trio, whose mock clock jumps to the next deadline as soon as nothing can run.

Hours of back-off pass in milliseconds and no test ever waits on a real clock.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
from trio.testing import MockClock

T = TypeVar("T")


def run_virtual(function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """Run `function(*arguments)` on Trio with an auto-jumping clock and return its result."""
    return trio.run(function, *arguments, clock=MockClock(autojump_threshold=0))  # type: ignore[arg-type,return-value]


def run_seeded(seed: int, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """The same, with the order in which ready tasks run drawn from `seed`: a run that failed can be run again.

    Trio shuffles ready tasks on purpose, and has no public name for its generator; pytest-trio sets the same two for Hypothesis.
    """
    scheduler = trio._core._run
    scheduler._r.seed(seed)
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    try:
        return run_virtual(function, *arguments)
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]
