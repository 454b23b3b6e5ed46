"""ECS task scale-in protection, driven by the work that is under way.

    idle ── some work is long or must not be cut off ──> protected ── none for a while ──> idle
                                                             └── drain begins ──> idle, at once

A protected task is not chosen when a service scales in, and not ended by a deployment (AWS, "Protect your Amazon ECS tasks from being
terminated by scale-in events"). The same protection holds a deployment up, so it is asked for no sooner, and kept no longer, than it
has to be: ordinary messages end well within the drain and never cause it. An error of the agent is counted, told once, and changes
nothing for the work.

AgentError
├── AgentUnreachable   no answer in time, or no connection: nothing is known of the request's effect
└── AgentRefused       an answer that is not what was asked for: rights, throttling, a task of no service, a blocked deployment
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

import anyio
from anyio.abc import TaskStatus

from workers.runtime.backoff import full_jitter_s

# AWS, "Amazon ECS task scale-in protection endpoint": ExpiresInMinutes is 1 to 2,880.
EXPIRES_MINUTES_MAX: Final = 2_880


class AgentError(Exception):
    """The container agent did not do as it was asked."""


class AgentUnreachable(AgentError):
    """No usable answer."""


class AgentRefused(AgentError):
    """It answered, and the answer was no."""


class Agent(Protocol):
    """The ECS container agent, as far as it protects the task that this process runs in."""

    async def protect(self, minutes: int) -> None:
        """Protect the task for so long from now, 1 to 2,880 minutes. Raises AgentError."""
        ...

    async def release(self) -> None:
        """Protect it no longer. Raises AgentError."""
        ...


class ProtectionObserver(Protocol):
    """Facts, told as they happen: an implementation counts and returns at once."""

    def changed(self, *, protected: bool) -> None:
        """The agent has confirmed it."""

    def failed(self, error: AgentError, *, in_a_row: int) -> None:
        """It did not; the next try comes by itself."""


class Jobs:
    """Work beside the queues that a stop would cut off, by name: `with jobs.under_way("daily root"): …`."""

    def __init__(self) -> None:
        self._began_at: dict[object, float] = {}

    @contextmanager
    def under_way(self, name: str, *, at_once: bool = False) -> Iterator[None]:
        """For the length of the block. `at_once`: it must not be cut off however short it has been."""
        assert name, "work has a name"
        mark = object()
        self._began_at[mark] = -math.inf if at_once else anyio.current_time()
        try:
            yield
        finally:
            del self._began_at[mark]

    def oldest_s(self) -> float:
        """How long the oldest has been under way; endless when one must not be cut off, 0 when there is none."""
        return anyio.current_time() - min(self._began_at.values()) if self._began_at else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionSettings:
    """When to ask for it and for how long. Raises `ValueError` for times that do not go together."""

    after_s: float = 60.0
    """Work that has been under way for so long is long: above what a drain waits for anyway, or a stop would cost nothing."""
    quiet_s: float = 120.0
    """Without long work for so long, the protection is given up: not between one long piece and the next, which is short at first."""
    look_every_s: float = 5.0
    minutes: int = 10
    """What is asked for each time. It bounds how long a process that was killed, or that cannot reach the agent, stays protected."""
    held_s_max: float = 7_200.0
    """Protection lasts no longer than this at a stretch, whatever runs: work that hangs must not hold up deployments for good."""
    call_timeout_s: float = 5.0
    retry_base_s: float = 5.0
    retry_cap_s: float = 60.0

    def __post_init__(self) -> None:
        if self.quiet_s <= self.after_s:
            raise ValueError(
                "quiet_s must be above after_s, or it is given up and asked for between one long piece and the next"
            )
        if min(self.after_s, self.quiet_s, self.look_every_s, self.call_timeout_s, self.retry_base_s) <= 0:
            raise ValueError("the times of a protection are above 0")
        if not 1 <= self.minutes <= EXPIRES_MINUTES_MAX:
            raise ValueError(f"minutes are 1 to {EXPIRES_MINUTES_MAX}, not {self.minutes}")
        if self.retry_base_s > self.retry_cap_s:
            raise ValueError("retry_cap_s must not be below retry_base_s")
        # Asked for again at half of its time, then tried until its end.
        if self.minutes * 60 / 2 < self.look_every_s + self.retry_base_s + 2 * self.call_timeout_s:
            raise ValueError("minutes are too few to renew the protection before it ends")


class Protection:
    """A part of the process: looks at the work, and keeps the agent told. It is able whatever the agent says."""

    name = "task protection"
    able = True

    def __init__(
        self,
        agent: Agent,
        oldest_s: Sequence[Callable[[], float]],
        *,
        observer: ProtectionObserver,
        random: Random,
        settings: ProtectionSettings | None = None,
    ) -> None:
        """Each of `oldest_s` tells how long the oldest piece of its work has been under way; 0 when there is none."""
        self._agent = agent
        self._oldest_s = tuple(oldest_s)
        self._observer = observer
        self._random = random
        self._settings = settings or ProtectionSettings()
        self._stopping = anyio.Event()
        self._ends_at = -math.inf
        """Until when the task may be protected; a request without an answer may have had its effect."""
        self._renew_at = -math.inf
        self._began_at: float | None = None
        """When the work of this stretch was first found to be long."""
        self._needed_at = -math.inf
        self._failures = 0

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Look until stopped; then give the protection up, if there may be any."""
        task_status.started()
        try:
            while not self._stopping.is_set():
                pause_s = await self._look()
                with anyio.move_on_after(pause_s):
                    await self._stopping.wait()
        finally:
            # A cancelled process is about to end: the agent hears of it, or the protection runs out by itself.
            with anyio.CancelScope(shield=True):
                if self._may_be_protected():
                    await self._ask(protect=False)

    def stop(self) -> None:
        """Give it up: what runs has the drain's time, and the deployment that stops this task must not wait."""
        self._stopping.set()

    def stop_now(self) -> None:
        """The same."""
        self._stopping.set()

    async def _look(self) -> float:
        """Ask for what the work needs; the seconds until the next look."""
        settings = self._settings
        now = anyio.current_time()
        if any(oldest_s() >= settings.after_s for oldest_s in self._oldest_s):
            self._needed_at = now
            if self._began_at is None:
                self._began_at = now
        is_needed = now - self._needed_at < settings.quiet_s
        if not is_needed:
            self._began_at = None
        overdue = self._began_at is not None and now - self._began_at >= settings.held_s_max
        if is_needed and not overdue:
            if now >= self._renew_at and not await self._ask(protect=True):
                return self._retry_s()
        elif self._may_be_protected() and not await self._ask(protect=False):
            return self._retry_s()
        return settings.look_every_s

    def _may_be_protected(self) -> bool:
        return anyio.current_time() < self._ends_at

    async def _ask(self, *, protect: bool) -> bool:
        """One request; whether the agent did it."""
        settings = self._settings
        before = anyio.current_time()
        lasts_s = settings.minutes * 60
        try:
            with anyio.fail_after(settings.call_timeout_s):
                await (self._agent.protect(settings.minutes) if protect else self._agent.release())
        except (AgentError, TimeoutError) as error:
            told = error if isinstance(error, AgentError) else AgentUnreachable("no answer in time")
            if protect and isinstance(told, AgentUnreachable):
                self._ends_at = max(self._ends_at, anyio.current_time() + lasts_s)
            self._failures += 1
            self._observer.failed(told, in_a_row=self._failures)
            return False
        self._failures = 0
        was_protected = self._renew_at > -math.inf
        self._ends_at = anyio.current_time() + lasts_s if protect else -math.inf
        self._renew_at = before + lasts_s / 2 if protect else -math.inf
        if protect is not was_protected:
            self._observer.changed(protected=protect)
        return True

    def _retry_s(self) -> float:
        settings = self._settings
        return settings.look_every_s + full_jitter_s(
            attempt=self._failures, base_s=settings.retry_base_s, cap_s=settings.retry_cap_s, source=self._random
        )
