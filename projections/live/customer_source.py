"""What the stream of a customer tells: the changes of their latest orders, and the notes that come into their inbox."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final

import anyio

from projections.live import frames, positions
from projections.live.changes import is_final
from projections.live.following import FollowedOrder
from projections.live.frames import Frame
from projections.live.observe import StreamKind
from projections.live.ports import Inbox, Statuses, Tail
from projections.live.positions import NotAPosition, Position
from projections.live.settings import LiveSettings
from projections.live.troubles import LASTING, PASSING, UNREADABLE
from projections.live.watching import Key, Watch

LATEST: Final = 5
"""So many orders are listed to see whether there is a new one; only then all that are followed."""


class CustomerSource:
    """`position`: where the client was; None for a new one, which is told where everything stands.

    The latest `customer_orders_max` orders are followed; a new one pushes the oldest out.
    """

    kind: Final[StreamKind] = "customer"

    def __init__(
        self,
        customer_id: str,
        watch: Watch,
        *,
        statuses: Statuses,
        tail: Tail,
        inbox: Inbox,
        position: Position | None,
        settings: LiveSettings,
    ) -> None:
        self._customer_id = customer_id
        self._watch = watch
        self._statuses = statuses
        self._tail = tail
        self._inbox = inbox
        self._position = position
        self._settings = settings
        self._inbox_key = Key("inbox", customer_id)
        self._orders: dict[str, FollowedOrder] = {}
        self._notes = 0 if position is None else position.notes
        self._told: dict[str, int] = {}
        """Of each order that is followed, the last commit in the frames that were made; with `_notes` it is the id of the next."""
        self._unreadable: set[str] = set()
        self._ready: list[Frame] = []
        self._listed_at_s = anyio.current_time()

    @property
    def look_again_s(self) -> float:
        """For orders that are new."""
        return self._settings.customer_list_s

    async def open(self) -> Sequence[Frame]:
        """What is due at once.

        Raises NotAPosition (it names a note or a commit that is not there), ConnectionError, ViewsUnavailable, StoreError, CodecError.
        """
        self._watch.follow(self._inbox_key, self._notes)
        last = await self._inbox.last_number(self._customer_id)
        listed = await self._list(self._settings.customer_orders_max)
        if self._position is None:
            self._notes = last
            for document in reversed(listed):
                self._begin(document, told_to=int(document["commit"]))
            self._watch.follow(self._inbox_key, self._notes)
            return [self._standing(listed, await self._inbox.unread(self._customer_id))]
        if self._notes > last:
            raise NotAPosition("the id names a note that is not there")
        for document in reversed(listed):  # all of them before the first frame is made: its id tells of all
            self._begin(document, told_to=self._known(document["orderId"]))
        for document in reversed(listed):
            order = self._orders[document["orderId"]]
            told_to = order.told_to
            if told_to != int(document["commit"]):
                await self._read(order)
            if told_to > order.head > 0:
                raise NotAPosition(f"the id names commit {told_to} of order {order.order_id}, which is not there")
        await self._read_notes()
        return self._hand_out()

    async def collect(self) -> Sequence[Frame]:
        """See `Source.collect`. Orders come first: a note tells of what an order has come to."""
        moved = self._watch.moved
        reads: list[Callable[[], Awaitable[None]]] = [
            partial(self._list_if_due, inbox_moved=self._inbox_key in moved),
            partial(self._read_orders, moved),
        ]
        if self._inbox_key in moved:
            reads.append(self._read_notes)
        trouble: Exception | None = None
        for read in reads:
            try:
                await read()
            except PASSING as error:
                trouble = error
        if trouble is not None and not self._ready:
            raise trouble  # else it is met again by the next call; what was read is told first
        return self._hand_out()

    def end(self) -> None:
        """A customer may always order again."""
        return

    async def _list(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The latest orders, newest first."""
        self._listed_at_s = anyio.current_time()
        return (await self._statuses.orders_of_customer(self._customer_id, None, limit)).items

    async def _list_if_due(self, *, inbox_moved: bool) -> None:
        """Follow orders that are new, from their beginning; leave those that they push out."""
        most = self._settings.customer_orders_max
        if not inbox_moved and anyio.current_time() < self._listed_at_s + self._settings.customer_list_s:
            return
        listed = await self._list(min(LATEST, most))
        if all(document["orderId"] in self._orders for document in listed):
            return
        listed = await self._list(most)
        for document in reversed(listed):
            if document["orderId"] not in self._orders:
                self._begin(document, told_to=self._known(document["orderId"]))
        latest = {document["orderId"] for document in listed}
        for order_id in [order_id for order_id in self._orders if order_id not in latest]:
            if len(self._orders) > most:
                del self._orders[order_id], self._told[order_id]
                self._unreadable.discard(order_id)
                self._watch.leave(Key("order", order_id))

    def _known(self, order_id: str) -> int:
        """The last commit of it that the client had when it came: the list is an index, and may show an order later than it did before."""
        return 0 if self._position is None else self._position.of(order_id) or 0

    def _begin(self, document: Mapping[str, Any], *, told_to: int) -> FollowedOrder:
        order_id = document["orderId"]
        order = self._orders[order_id] = FollowedOrder(order_id, told_to=told_to)
        self._told[order_id] = told_to
        self._watch.follow(Key("order", order_id), told_to, calm=is_final(document))
        return order

    async def _read_orders(self, moved: Collection[Key]) -> None:
        """Those that have moved, and those that are new. One that cannot be read now does not hold up the others."""
        trouble: Exception | None = None
        for order in tuple(self._orders.values()):
            if order.is_unread or Key("order", order.order_id) in moved:
                try:
                    await self._read(order)
                except PASSING as error:
                    trouble = error
        if trouble is not None:
            raise trouble

    async def _read(self, order: FollowedOrder) -> None:
        if order.order_id in self._unreadable:
            return
        key = Key("order", order.order_id)
        try:
            changes = await order.read(self._tail)
        except PASSING:
            raise
        except LASTING:
            # Not followed any more by this stream; its place in the id stands, for the day on which it can be read again.
            self._unreadable.add(order.order_id)
            self._watch.leave(key)
            self._ready.append(frames.event("fault", {"code": UNREADABLE, "orderId": order.order_id}))
            return
        for change in changes:
            self._told[order.order_id] = change.commit
            self._ready.append(frames.event("status", change.document, id_=self._id()))
        self._watch.follow(key, order.seen, calm=order.is_final)

    async def _read_notes(self) -> None:
        number = self._watch.level(self._inbox_key)
        most = self._settings.notes_at_once
        notes = await self._inbox.after(self._customer_id, self._notes, limit=most)
        for note in notes:
            self._notes = int(note["number"])
            self._ready.append(frames.event("note", note, id_=self._id()))
        if (
            len(notes) < most
        ):  # what is missing up to the number that was known before has expired, or was erased: it will never come
            self._notes = max(self._notes, number)
        self._watch.follow(self._inbox_key, self._notes)

    def _hand_out(self) -> Sequence[Frame]:
        ready, self._ready = self._ready, []
        return ready

    def _standing(self, listed: Sequence[Mapping[str, Any]], unread: tuple[int, bool]) -> Frame:
        count, more = unread
        document = {
            "customerId": self._customer_id,
            "orders": list(listed),
            "unread": count,
            "unreadMore": more,
        }
        return frames.event("standing", document, id_=self._id())

    def _id(self) -> str:
        return positions.encode(self._customer_id, self._notes, self._told)
