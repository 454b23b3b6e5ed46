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
