"""The consume loop: polls by credit, runs handlers within bounds, keeps what it holds, settles, and drains.

    queue ── Poller ──> Handling: buffer, handlers (at most `concurrency`) ──> Settler ──> Acks | Returns ──> queue
                        └──────────── Heartbeat over everything held ─────────────┘

Deadlines count from before the receive call, on the monotonic clock. What is lost is cancelled and never acknowledged.
"""

import random
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

from workers.runtime.acks import Acks, Returns
from workers.runtime.handling import Handling
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.held import Holdings, Stage
from workers.runtime.observe import Drained, QueueObserver, SilentObserver
from workers.runtime.outcome import Classify, Handler, classify_unknown
from workers.runtime.pace import Pace
from workers.runtime.polling import Poller
from workers.runtime.queue import Queue
from workers.runtime.settings import ConsumeSettings
from workers.runtime.settle import Settler


class ConsumeLoop:
    """One queue, one handler. Run it once.

    `now_ms` is the wall clock, used only to report ages; `source` gives the jitter.
    """

    def __init__(
        self,
        queue: Queue,
        handler: Handler,
        settings: ConsumeSettings,
        *,
        now_ms: Callable[[], int],
        source: random.Random,
        observer: QueueObserver | None = None,
        classify: Classify = classify_unknown,
    ) -> None:
        observer = SilentObserver() if observer is None else observer
        self._name = queue.name
        self._settings = settings
        self._observer = observer
        self._holdings = holdings = Holdings()
        self._acks = acks = Acks(queue, holdings, settings, observer=observer, source=source)
        self._returns = returns = Returns(queue, holdings, settings, observer=observer, source=source)
        self._settler = Settler(
            queue, holdings, settings, acks=acks, returns=returns, observer=observer, source=source, now_ms=now_ms
        )
        pace = Pace(settings.concurrency, deadline_s=settings.handler_deadline_s)
        self._handling = Handling(
            queue.name,
            handler,
            settings,
            holdings=holdings,
            acks=acks,
            settler=self._settler,
            pace=pace,
            observer=observer,
            classify=classify,
            stopped_at=lambda: self._stopped_at,
        )
        self._poller = Poller(
            queue,
            holdings,
            settings,
            pace=pace,
            observer=observer,
            source=source,
            now_ms=now_ms,
            admit=self._handling.admit,
        )
        self._heartbeat = Heartbeat(
            queue, holdings, settings, observer=observer, source=source, on_lost=self._handling.lost
        )
        self._stopping = anyio.Event()
        self._stopped_at: float | None = None
        self._patience = anyio.CancelScope()
        self._background_scope = anyio.CancelScope()

    @property
    def running(self) -> int:
        """Handlers at work."""
        return self._handling.running

    @property
    def oldest_running_s(self) -> float:
        """How long the handler has been at work that began first; 0 while none is."""
        began_at = self._handling.oldest_began_at
        return 0.0 if began_at is None else anyio.current_time() - began_at

    @property
    def held(self) -> int:
        """Messages in memory: waiting, running, deferred, being acknowledged or given back."""
        return len(self._holdings)

    @property
    def poll_failures_in_a_row(self) -> int:
        """0 while the queue answers: a readiness probe turns red at a few."""
        return self._poller.failures_in_a_row

    @property
    def answered_at(self) -> float | None:
        """When the queue last answered a poll (monotonic), for a liveness probe."""
        return self._poller.answered_at

    def stop(self) -> None:
        """Stop polling, finish what runs within the drain budget, give back the rest; `run` then returns."""
        if self._stopped_at is None:
            self._stopped_at = anyio.current_time()
            self._stopping.set()

    def stop_now(self) -> None:
        """Wait for nothing more: cancel what runs, give everything back (the second SIGTERM)."""
        self.stop()
        self._patience.cancel()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Consume until stopped or cancelled; either way what is held is given back and acknowledgements are flushed.

        A cancellation skips the drain: handlers are cancelled at once; the clean-up is shielded for `flush_budget_s`, then it goes on.
        """
        async with anyio.create_task_group() as outer:
            await outer.start(self._background)
            # Shielded, so that a cancellation leaves acknowledgements and heartbeat at work until the clean-up is over. Not before they are
            # known to have started: nobody would be there to end them after a cancellation in that moment.
            self._background_scope.shield = True
            try:
                async with anyio.create_task_group() as work:
                    self._handling.open(work)
                    work.start_soon(self._poller.run, name=f"{self._name} poller")
                    task_status.started()
                    await self._stopping.wait()
                    await self._drain()
            finally:
                with anyio.CancelScope(shield=True):
                    await self._clean_up()
                self._background_scope.cancel()

    async def _background(self, *, task_status: TaskStatus[None]) -> None:
        with self._background_scope:
            async with anyio.create_task_group() as tasks:
                for part in (self._acks.run, self._returns.run, self._heartbeat.run, self._heartbeat.watch):
                    tasks.start_soon(part, name=f"{self._name} {part.__qualname__}")
                task_status.started()

    async def _drain(self) -> None:
        self._poller.close(grace_s=self._settings.poll_grace_s)
        self._handling.close()
        self._patience.deadline = anyio.current_time() + self._settings.drain_budget_s
        with self._patience:
            while not self._handling.is_idle or self._poller.polls:
                await self._holdings.changed.wait()
        self._poller.close(grace_s=0)
        self._handling.abandon()
        for held in self._holdings:
            held.cancel("stop")

    async def _clean_up(self) -> None:
        began_at = self._stopped_at if self._stopped_at is not None else anyio.current_time()
        self._stopped_at = began_at
        for held in self._holdings:
            if held.stage not in {Stage.DELETING, Stage.RETURNING}:
                self._settler.give_back(held, "stopping")
        with anyio.move_on_after(self._settings.flush_budget_s):
            await self._returns.flush()
            await self._acks.flush()
        self._observer.drained(
            Drained(
                queue=self._name,
                duration_s=anyio.current_time() - began_at,
                given_back=self._settler.given_back,
                unsettled=len(self._holdings),
            )
        )
