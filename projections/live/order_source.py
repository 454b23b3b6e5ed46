"""What the stream of one order tells: each commit once, and the end."""

from collections.abc import Sequence
from typing import Final

from orderstore.audit.moments import CommitAhead
from orderstore.domain.rejections import UnknownOrder
from projections.live import frames
from projections.live.changes import Change
from projections.live.following import FollowedOrder
from projections.live.frames import Frame
from projections.live.observe import StreamKind
from projections.live.ports import Tail
from projections.live.watching import Key, Watch


class OrderSource:
    """`told_to`: the last commit that the client was given; None for a new client, which is told where the order stands."""

    kind: Final[StreamKind] = "order"

    def __init__(self, order_id: str, watch: Watch, tail: Tail, *, told_to: int | None, look_again_s: float) -> None:
        self.look_again_s: Final = look_again_s
        self._order = FollowedOrder(order_id, told_to=told_to or 0)
        self._is_new = told_to is None
        self._key = Key("order", order_id)
        self._watch = watch
        self._tail = tail

    async def open(self) -> Sequence[Frame]:
        """What is due at once. Raises UnknownOrder, CommitAhead (the client names a commit that the order has not), StoreError, CodecError.

        What is committed after the read is seen by a look that comes later: it finds the view past what was read.
        """
        order = self._order
        asked = order.told_to
        changes = await order.read(self._tail)
        if not order.head:
            raise UnknownOrder(f"there is no order {order.order_id}")
        if asked > order.head:
            raise CommitAhead(asked, head_commit=order.head, head_version=order.standing.order["version"])
        self._follow()
        return [_frame(order.standing)] if self._is_new else [_frame(change) for change in changes]

    @property
    def is_over(self) -> bool:
        """Whether nothing more is under way for the order."""
        return self._order.is_final

    async def collect(self) -> Sequence[Frame]:
        """See `Source.collect`."""
        changes = await self._order.read(self._tail)
        self._follow()
        return [_frame(change) for change in changes]

    def end(self) -> Frame | None:
        """See `Source.end`."""
        if not self._order.is_final:
            return None
        order = self._order.standing
        return frames.event("end", {"orderId": order.order_id, "commit": order.commit, "status": order.order["status"]})

    def _follow(self) -> None:
        self._watch.follow(self._key, self._order.seen)


def _frame(change: Change) -> Frame:
    return frames.event("status", change.document, id_=str(change.commit))
