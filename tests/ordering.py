"""A whole write side in memory, for tests that place and extend orders."""

from collections.abc import Callable
from itertools import count
from typing import Any

from anyio.lowlevel import checkpoint

from orderstore.domain.events import SealedText
from orderstore.orders import Orders
from orderstore.privacy.keys import KeyErased
from orderstore.recorded import Actor, Cause
from orderstore.requests import PlaceOrder
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import EventStore
from orderstore.strict_json import parse
from orderstore.transact import Transactor

TENANT = "main"
ACTOR = Actor("customer", "shop")
ARTICLE_REQUEST = b"""{
  "customerEmail": "ada@example.com", "currency": "USD",
  "items": [{"sku": "LAPTOP-001", "quantity": 1, "price": 850}, {"sku": "MOUSE-002", "quantity": 2, "price": "25.00"}]
}"""


class TickingClock:
    """Wall clock in milliseconds that moves by one millisecond a look."""

    def __init__(self, now_ms: int = 1_780_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        self.now_ms += 1
        return self.now_ms


class PlainVault:
    """Not encryption: a mark that must never leave, with a fresh look at each call as a nonce would give it."""

    def __init__(self) -> None:
        self._calls = count()
        self.erased: set[str] = set()

    async def seal(self, subject: str, purpose: str, plain: bytes) -> SealedText:
        await checkpoint()
        if subject in self.erased:  # as every key ring does: what was erased is not made anew
            raise KeyErased(subject)
        return SealedText(subject=subject, ciphertext=f"SEALED-{next(self._calls)}-{plain.hex()}")

    async def open(self, sealed: SealedText, purpose: str) -> bytes:
        await checkpoint()
        if sealed.subject in self.erased:
            raise KeyErased(sealed.subject)
        return bytes.fromhex(sealed.ciphertext.rpartition("-")[2])

    async def seal_object(self, subject: str, purpose: str, plain: bytes) -> bytes:
        return (await self.seal(subject, purpose, plain)).ciphertext.encode()

    async def open_object(self, subject: str, purpose: str, sealed: bytes) -> bytes:
        return await self.open(SealedText(subject=subject, ciphertext=sealed.decode()), purpose)


def orders_over(
    store: EventStore | None = None,
    *,
    hooks_allowed: bool = True,
    now_ms: Callable[[], int] | None = None,
    vault: PlainVault | None = None,
) -> Orders:
    clock = now_ms or TickingClock()
    transactor = Transactor(store or MemoryEventStore(), now_ms=clock)
    return Orders(transactor, tenant=TENANT, vault=vault or PlainVault(), hooks_allowed=hooks_allowed, now_ms=clock)


def request(body: bytes = ARTICLE_REQUEST, **changes: Any) -> PlaceOrder:
    document = parse(body)
    assert isinstance(document, dict)
    return PlaceOrder.model_validate({**document, **changes})


def cause(purpose: str, causation_id: str = "cause-1", source: str = "payment") -> Cause:
    return Cause(
        causation_id=causation_id,
        purpose=purpose,
        correlation_id="correlation-1",
        actor=Actor("service", source),
        source=source,
    )
