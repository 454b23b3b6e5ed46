"""Concurrency, all of it: load, fold, decide, append; on a conflict fold the commit that won and decide again.

It never sleeps and never publishes. The store hands a loser the commit that won, the one that follows: folding it costs no read. Losing
is not free all the same: see `caught_up`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

from orderstore import codec
from orderstore.domain.events import Event
from orderstore.domain.going_on import with_what_went_on
from orderstore.domain.state import State
from orderstore.expected import Expected, Whatever, check_expected
from orderstore.history import History, Standing
from orderstore.observe import Observer, SilentObserver
from orderstore.recorded import Cause
from orderstore.registry import BY_CLASS
from orderstore.store.errors import CommitConflict, CounterConflict
from orderstore.store.port import Commit, EventStore

Decide = Callable[[State], tuple[Event, ...]]
DecideNumbered = Callable[[State, int], tuple[Event, ...]]
_S = TypeVar("_S", bound=Standing)

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

    async def caught_up(self, order: _S) -> _S:
        """The same with what others have written since it was read: for who did something slow meanwhile, and is about to write.

        It saves no conflict for certain, and costs a fifth of one: a refused write is charged as a write, one for each commit that came
        meanwhile. Raises StoreError, CodecError.
        """
        after = 0 if order.head is None else order.head.number
        return order.then(*await self._store.read(order.stream, after=after))

    async def transact(self, order: _S, decide: Decide, *, cause: Cause, expected: Expected = ANY) -> _S:
        """Append what `decide` says of the newest state, if that is the version that is expected, also after a conflict.

        What is so already needs no version: a repeat is answered as the first time was (RFC 9110, 13.1.1).
        Raises CommandRejected (from `decide`), WrongVersion, Contended, StoreError.
        """
        for _ in range(ATTEMPTS_MAX):
            events = with_what_went_on(order.state, decide(order.state))
            if not events:
                self._observer.repeated(cause.purpose)
                return order
            check_expected(expected, version=order.version)
            commit = self._commit(order, events, cause)
            try:
                await self._store.append(commit)
            except CommitConflict as conflict:
                self._observer.conflicted()
                order = order.then(conflict.winner)
            else:
                return self._appended(order, commit, events)
        raise Contended(f"{order.stream}: other writers won {ATTEMPTS_MAX} rounds; nothing was stored")

    async def transact_numbered(self, order: _S, decide: DecideNumbered, *, counter: str, cause: Cause) -> _S:
        """The same, with the next number of a gap-free series: number and commit are stored together or not at all."""
        taken = await self._store.counter(counter) + 1
        order = await self.caught_up(order)  # refused, a transaction is charged four units
        for _ in range(ATTEMPTS_MAX):
            events = with_what_went_on(order.state, decide(order.state, taken))
            if not events:
                self._observer.repeated(cause.purpose)
                return order
            commit = self._commit(order, events, cause)
            try:
                await self._store.append_numbered(commit, counter=counter, taken=taken)
            except CommitConflict as conflict:
                self._observer.conflicted()
                order = await self.caught_up(order.then(conflict.winner))
            except CounterConflict as conflict:
                self._observer.conflicted()
                taken = conflict.current + 1
            else:
                self._observer.numbered(counter)
                return self._appended(order, commit, events)
        raise Contended(f"{order.stream}: other writers won {ATTEMPTS_MAX} rounds; no number was taken")

    def _commit(self, order: Standing, events: tuple[Event, ...], cause: Cause) -> Commit:
        now_ms = self._now_ms()
        now = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
        body = codec.encode(events, cause=cause, first_version=order.version + 1, occurred_at=now)
        return order.following(body, recorded_at_ms=now_ms)

    def _appended(self, order: _S, commit: Commit, events: tuple[Event, ...]) -> _S:
        for event in events:
            self._observer.appended(BY_CLASS[type(event)].name)
        return order.then(commit)
