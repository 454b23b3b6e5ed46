"""A door that remembers, is idempotent by key, and can be told to be busy, to refuse, or to fall over."""

from collections.abc import Callable

import anyio

from workers.intake.door import DoorNotYet, Form, Placed, Requested
from workers.intake.online_retail.model import CancelOrder, RefundLines, Sale


class FakeDoor:
    """Keeps every accepted request; `before` and `after` run around each acceptance and may raise."""

    def __init__(
        self,
        *,
        before: Callable[[str], None] = lambda _: None,
        after: Callable[[str], None] = lambda _: None,
        takes_s=0.0,
        arrived=True,
    ):
        self.sales: dict[str, Sale] = {}
        self.instructions: dict[str, CancelOrder | RefundLines] = {}
        self.calls: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self.arrived = arrived
        self._before, self._after, self._takes_s = before, after, takes_s

    async def place(self, sale: Sale, *, key: str) -> Placed:
        return Placed(await self._accept(self.sales, key, sale))

    async def cancel(self, instruction: CancelOrder, *, key: str) -> Requested:
        assert f"online-retail:{instruction.sale}" in self.sales, "a cancellation came before its sale"
        return Requested(await self._accept(self.instructions, key, instruction), Form.CANCELLED)

    async def refund(self, instruction: RefundLines, *, key: str) -> Requested:
        assert f"online-retail:{instruction.sale}" in self.sales, "a refund came before its sale"
        if not self.arrived:
            raise DoorNotYet("on its way")
        return Requested(await self._accept(self.instructions, key, instruction), Form.RETURNED)

    async def _accept(self, kept, key, request) -> bool:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.calls.append(key)
            self._before(key)
            await anyio.sleep(self._takes_s)
            new = key not in kept
            assert kept.setdefault(key, request) == request, "the same key came with another request"
            self._after(key)
            return new
        finally:
            self._at_once -= 1
