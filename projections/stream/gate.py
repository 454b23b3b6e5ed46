"""A subscription that must not begin yet: what it is given is refused, and so kept, until it may."""

from collections.abc import Awaitable, Callable, Sequence

from projections.stream.source import Record
from projections.stream.subscriber import Subscriber


class NotYet(Exception):
    """The subscription may not begin. Nothing is skipped: the reader brings the same records again."""


class Holding:
    """A `Subscriber` around another, which is told nothing before `may_begin` has once answered True."""

    def __init__(self, subscriber: Subscriber, *, may_begin: Callable[[], Awaitable[bool]], why: str) -> None:
        """`why` is what a person reads while it waits."""
        self._subscriber = subscriber
        self._may_begin = may_begin
        self._why = why
        self._begun = False

    async def apply(self, records: Sequence[Record]) -> None:
        """See `Subscriber.apply`. Raises NotYet."""
        await self._check()
        await self._subscriber.apply(records)

    async def backfill(self, since_ms: int) -> None:
        """See `Subscriber.backfill`. Raises NotYet."""
        await self._check()
        await self._subscriber.backfill(since_ms)

    async def _check(self) -> None:
        if self._begun:
            return
        if not await self._may_begin():
            raise NotYet(self._why)
        self._begun = True
