"""Virtual time: runtime code runs on Trio, whose mock clock jumps to the next deadline as soon as nothing can run.

Hours of back-off pass in milliseconds and no test ever waits on a real clock.
"""

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
from trio.abc import Clock

T = TypeVar("T")
SIGNAL_S = 0.02
FOR_EVER_S = 100 * 365 * 86_400.0
"""Longer than anything waits that waits for a moment in time."""


def run_virtual(function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """Run `function(*arguments)` on Trio with an auto-jumping clock and return its result."""
    return trio.run(function, *arguments, clock=OpenClock())


class JumpingClock(Clock):
    """Jumps to the next deadline in the moment in which nothing can run: half the turns of the loop that `MockClock` takes for it.

    Only for what waits for nothing but its own tasks and the clock: no thread, no file, no socket.
    """

    def __init__(self) -> None:
        self._now_s = 0.0

    def start_clock(self) -> None:
        """See `trio.abc.Clock`."""

    def current_time(self) -> float:
        """See `trio.abc.Clock`."""
        return self._now_s

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """See `trio.abc.Clock`; the loop asks only when no task is ready."""
        if deadline == math.inf:  # when all is over but for the loop's own signals, as for a forgotten generator
            return SIGNAL_S
        self._now_s = max(self._now_s, deadline)
        return 0.0


class OpenClock(JumpingClock):
    """For what may wait for a thread or a socket too: it does so, as long as it takes, when no task waits for a moment in time."""

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """See `trio.abc.Clock`. Who waits until nothing can run (`wait_all_tasks_blocked`) is woken before time goes on."""
        if deadline == math.inf or trio._core._run.GLOBAL_RUN_CONTEXT.runner.waiting_for_idle:
            return math.inf
        return super().deadline_to_sleep_time(deadline)

    def jump(self, seconds: float) -> None:
        """So much time passes in which nothing runs, as while a process stands still."""
        self._now_s += seconds


def run_seeded(seed: int, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """The same, with the order in which ready tasks run drawn from `seed`: a run that failed can be run again.

    Trio shuffles ready tasks on purpose, and has no public name for its generator; pytest-trio sets the same two for Hypothesis.
    Raises `trio.TooSlowError` where every task waits for ever.
    """

    async def bounded() -> T:
        with trio.fail_after(FOR_EVER_S):
            return await function(*arguments)

    scheduler = trio._core._run
    scheduler._r.seed(seed)
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    try:
        return trio.run(bounded, clock=JumpingClock())
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]
