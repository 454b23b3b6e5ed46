"""Concurrency, all of it: load, fold, decide, append; on a conflict fold the commit that won and decide again.

It never sleeps and never publishes. A decision is pure and sees each state once, so it may be made as often as needed.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from orderstore import codec
from orderstore.domain.events import Event
from orderstore.domain.state import State
from orderstore.expected import Expected, Whatever, check_expected
from orderstore.history import History
from orderstore.observe import Observer, SilentObserver
from orderstore.recorded import Cause
from orderstore.registry import BY_CLASS
from orderstore.store.chain import seal
from orderstore.store.errors import CommitConflict, CounterConflict
from orderstore.store.port import Commit, EventStore

Decide = Callable[[State], tuple[Event, ...]]
DecideNumbered = Callable[[State, int], tuple[Event, ...]]

# Each lost round is another writer's success, and an order has few writers: more rounds than this is a fault, not contention.
ATTEMPTS_MAX: Final = 16
ANY: Final = Whatever()


class Contended(Exception):
    """Other writers won every round. Nothing was stored; try again later."""


class Transactor:
    """The write path over one store. `now_ms` is the wall clock in milliseconds since 1970."""

    def __init__(self, store: EventStore, *, now_ms: Callable[[], int], observer: Observer | None = None) -> None:
        self._store = store
        self._now_ms = now_ms
        self._observer = observer or SilentObserver()

    async def load(self, stream: str) -> History:
        """The whole order, strongly consistent. Raises StoreError, CodecError."""
        return History(stream=stream).then(*await self._store.read(stream))

    async def transact(self, history: History, decide: Decide, *, cause: Cause, expected: Expected = ANY) -> History:
        """Append what `decide` says of the newest state, if that is the version that is expected, also after a conflict.

        What is so already needs no version: a repeat is answered as the first time was (RFC 9110, 13.1.1).
        Raises CommandRejected (from `decide`), WrongVersion, Contended, StoreError.
        """
        for _ in range(ATTEMPTS_MAX):
            commit = self._commit(history, decide(history.state), cause)
            if commit is None:
                return history
            check_expected(expected, version=history.version)
            try:
                await self._store.append(commit)
            except CommitConflict as conflict:
                history = self._rejoin(history, conflict.winner)
            else:
                return self._appended(history, commit)
        raise Contended(f"{history.stream}: other writers won {ATTEMPTS_MAX} rounds; nothing was stored")

    async def transact_numbered(
        self, history: History, decide: DecideNumbered, *, counter: str, cause: Cause
    ) -> History:
        """The same, with the next number of a gap-free series: number and commit are stored together or not at all."""
        taken = await self._store.counter(counter) + 1
        for _ in range(ATTEMPTS_MAX):
            commit = self._commit(history, decide(history.state, taken), cause)
            if commit is None:
                return history
            try:
                await self._store.append_numbered(commit, counter=counter, taken=taken)
            except CommitConflict as conflict:
                history = self._rejoin(history, conflict.winner)
            except CounterConflict as conflict:
                self._observer.conflicted()
                taken = conflict.current + 1
            else:
                self._observer.numbered(counter)
                return self._appended(history, commit)
        raise Contended(f"{history.stream}: other writers won {ATTEMPTS_MAX} rounds; no number was taken")

    def _commit(self, history: History, events: tuple[Event, ...], cause: Cause) -> Commit | None:
        if not events:
            self._observer.repeated(cause.purpose)
            return None
        now_ms = self._now_ms()
        occurred_at = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
        first_version = history.version + 1
        body = codec.encode(events, cause=cause, first_version=first_version, occurred_at=occurred_at)
        number = 1 if history.head is None else history.head.number + 1
        return seal(stream=history.stream, number=number, recorded_at_ms=now_ms, body=body, previous=history.head)

    def _rejoin(self, history: History, winner: Commit) -> History:
        """The store hands back the commit that holds our number, which is the one that follows: folding it costs no read."""
        self._observer.conflicted()
        return history.then(winner)

    def _appended(self, history: History, commit: Commit) -> History:
        grown = history.then(commit)
        for recorded in grown.events[len(history.events) :]:
            self._observer.appended(BY_CLASS[type(recorded.event)].name)
        return grown
