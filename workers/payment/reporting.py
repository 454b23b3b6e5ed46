"""What the provider was asked, and what came of it, as facts for the metrics."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from workers.observe import WorkerObserver
from workers.payment.gateway import GatewayError, GatewayPending, GatewayTimeout, TakenOnce

_T = TypeVar("_T")


async def called(observer: WorkerObserver, step: str, call: Awaitable[_T]) -> _T:
    """The provider's answer, reported. A repeat has the same key, so an error needs no repair here."""
    with reporting(observer, step):
        answer = await call
    observer.payment(step, "done")
    return answer


@contextmanager
def reporting(observer: WorkerObserver, step: str) -> Iterator[None]:
    """Trouble is reported, and goes on its way."""
    try:
        yield
    except GatewayError as error:
        match error:
            case GatewayTimeout():
                result = "unknown"
            case GatewayPending():
                result = "pending"
            case TakenOnce():
                result = "waits"
            case _:
                result = "failed"
        observer.payment(step, result)
        raise
