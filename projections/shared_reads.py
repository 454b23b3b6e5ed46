"""A value that many ask for and few read: kept for a while, one read on its way at a time, its answer or its failure for all who wait.

Knows nothing of what is read. Not to be confused with `answers.shared_looks`, which looks again until something has come to be so.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Final, Generic, Literal, NoReturn, TypeVar

import anyio

T = TypeVar("T")

AgedFrom = Literal["beginning", "end"]
"""Since when an answer ages.

beginning   for who must not act on what was true longer ago than that: whoever asks goes by no read that began more than `kept_s` before
            they asked. A failure is for those who waited for it, and the next one asks again.
end         for who wants few reads, however long each takes: whoever asks joins the read that is on its way, and for `kept_s` after its
            end what came of it stands, a failure too.
"""


class _Flight(Generic[T]):
    """One read, and what came of it. `aged_from_s` is None until it has been carried through: a read that was cancelled never is."""

    def __init__(self) -> None:
        self.began_at_s: Final = anyio.current_time()
        self.ended: Final = anyio.Event()
        self.aged_from_s: float | None = None
        self.result: Callable[[], T] = self._nothing

    def _nothing(self) -> T:
        raise AssertionError("this read was not carried through")


class SharedRead(Generic[T]):
    """`get` is what `read` answers, now or up to `kept_s` ago (`AgedFrom`), on this process's monotonic clock."""

    def __init__(self, read: Callable[[], Awaitable[T]], *, kept_s: float, aged_from: AgedFrom) -> None:
        self._read = read
        self._kept_s = kept_s
        self._aged_from: AgedFrom = aged_from
        self._last: _Flight[T] | None = None
        self._on_its_way: _Flight[T] | None = None

    async def get(self) -> T:
        """The value. Raises what `read` raises. Nobody waits for more than one read that is not theirs, and one that is.

        One of those who wait does the read; if it is cancelled, another of them begins anew.
        """
        asked_at_s = anyio.current_time()
        if self._last is not None and self._serves(self._last, asked_at_s):
            return self._last.result()
        while (flight := self._on_its_way) is not None:
            await flight.ended.wait()
            if self._serves(flight, asked_at_s):
                return flight.result()
        return await self._fly()

    async def _fly(self) -> T:
        flight = self._on_its_way = _Flight[T]()
        try:
            answer = await self._read()
        except Exception as error:
            self._carried_through(flight, partial(_again, error, error.__traceback__), stands=self._aged_from == "end")
            raise
        else:
            self._carried_through(flight, lambda: answer, stands=True)
            return answer
        finally:
            self._on_its_way = None
            flight.ended.set()

    def _carried_through(self, flight: _Flight[T], result: Callable[[], T], *, stands: bool) -> None:
        flight.result = result
        flight.aged_from_s = flight.began_at_s if self._aged_from == "beginning" else anyio.current_time()
        if stands:
            self._last = flight

    def _serves(self, flight: _Flight[T], asked_at_s: float) -> bool:
        """Whether it was carried through, and is young enough for who asked then."""
        return flight.aged_from_s is not None and asked_at_s - flight.aged_from_s <= self._kept_s


def _again(error: Exception, traceback: TracebackType | None) -> NoReturn:
    """Raise it to one more of those who waited, as it was raised first: it would grow by some frames for each."""
    raise error.with_traceback(traceback)
