"""One order as a stream follows it: which commits it was told, and the fold of the log up to there."""

from projections.live.changes import Change, fold, is_final, standing
from projections.live.ports import Tail
from projections.views.order_status import OrderStatus


class FollowedOrder:
    """Reads the whole log of the order once, when it is first asked, and then only what came after."""

    def __init__(self, order_id: str, *, told_to: int) -> None:
        """`told_to`: the last commit that the client knows; 0 when it knows none."""
        self.order_id = order_id
        self.told_to = told_to
        """The last commit that was handed out."""
        self._view: OrderStatus | None = None
        self._read_to = 0

    @property
    def head(self) -> int:
        """The last commit that was read; 0 before the first read, and where there is no such order."""
        return self._read_to

    @property
    def seen(self) -> int:
        """The last commit of which it needs no more news."""
        return max(self.told_to, self._read_to)

    @property
    def is_unread(self) -> bool:
        """Whether it is new, and nothing of it was read."""
        return self._read_to == 0 == self.told_to

    @property
    def is_final(self) -> bool:
        """Whether nothing more is under way, as far as was read."""
        return self._view is not None and is_final(standing(self._view).order)

    @property
    def standing(self) -> Change:
        """Where it stands. Raises ValueError before anything was read."""
        if self._view is None:
            raise ValueError(f"nothing was read of order {self.order_id}")
        return standing(self._view)

    async def read(self, tail: Tail) -> tuple[Change, ...]:
        """What is due: each commit after `told_to`, in order, every one once. Raises StoreError, CodecError, OutOfPlace."""
        recorded = await tail.after(self.order_id, self._read_to)
        if not recorded:
            return ()
        self._view, changes = fold(self._view, recorded, told_to=self.told_to)
        self._read_to = recorded[-1].commit
        self.told_to = max(self.told_to, self._read_to)
        return changes
