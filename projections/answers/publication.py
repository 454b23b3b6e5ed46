"""What is published: of an order, and of each event, without a word of it in the log. Two facts tell: how far the relay has come, and
what it left behind (parked; set aside by somebody; or passed over for good, by somebody's word, while the order goes on).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from orderstore.domain.ids import order_of
from orderstore.recorded import Recorded
from orderstore.registry import BY_NAME
from projections.answers.observe import ReadObserver, SilentReadObserver
from projections.answers.ports import Document
from projections.shared_reads import SharedRead
from projections.stream.parking import LotUnavailable, Parked, ParkingLot, every_row

PUBLICATION_KEPT_S: Final = 1.0

OrderPublication = Literal["pending", "published", "skipped"]
EventPublication = Literal["pending", "published", "skipped", "internal"]


@dataclass(frozen=True, slots=True)
class Publication:
    """How far the relay was at a moment. Everything recorded before `through_ms` (milliseconds since 1970; None while nobody knows) was
    published by then, but for what it had left behind of the orders in `left`, and the commits in `passed`, which never will be. Both are
    of one tenant, by the order's id: a row that is parked or set aside, a row with the state "passed"; an order may have both."""

    through_ms: int | None = None
    left: Mapping[str, Parked] = field(default_factory=dict)
    passed: Mapping[str, Parked] = field(default_factory=dict)

    def of_order(self, view: Document) -> OrderPublication:
        """Of the order with this status document: pending while anything that the document knows of is to be published, skipped if
        nothing is and not all of it was."""
        row = self.left.get(view["orderId"])
        if row is not None:
            return "skipped" if row.state == "skipped" else "pending"
        if not self._is_through(view["lastRecordedAtMs"]):
            return "pending"
        return "skipped" if view["orderId"] in self.passed else "published"

    def of_event(self, recorded: Recorded) -> EventPublication:
        """Of one event. What is internal is told to nobody, so that nobody waits for it."""
        if not BY_NAME[recorded.name].published:
            return "internal"
        row = self.left.get(recorded.order_id)
        if any(one is not None and recorded.commit in one.passed for one in (row, self.passed.get(recorded.order_id))):
            return "skipped"
        if row is not None and _is_left(row, recorded):
            return "skipped" if row.state == "skipped" else "pending"
        return "published" if self._is_through(recorded.recorded_at_ms) else "pending"

    def is_complete(self, view: Document) -> bool:
        """Whether nothing that this status document knows of is still to be published."""
        return self.of_order(view) == "published"

    def _is_through(self, recorded_at_ms: int) -> bool:
        """The mark says nothing of its own millisecond."""
        return self.through_ms is not None and recorded_at_ms < self.through_ms


def first_commit(row: Parked) -> int | None:
    """The first commit that the subscription owes of a parked order, or that it passed over; None while it is not known."""
    if row.state == "passed":
        return row.passed[0]
    return None if row.first is None else int(row.first["commit"]["N"])


def _is_left(row: Parked, recorded: Recorded) -> bool:
    """Whether this event is among what was left behind; in doubt it is."""
    first = first_commit(row)
    if row.owed_since_ms is not None and recorded.recorded_at_ms >= row.owed_since_ms:
        return True  # a back-fill, which heals what the stream may have lost, passed over it
    return row.owed_since_ms is None if first is None else recorded.commit >= first


class RecentPublication:
    """The relay's progress. However many ask at once, one read serves them all, and none follows for `kept_s` after it, however it ended.

    The mark is read before the parking lot: what was parked by the time that the mark passed it is then among what is found there. When the
    lot cannot be read both stay as they were, which errs on the side of `pending`.
    """

    def __init__(
        self,
        mark: Callable[[], Awaitable[int | None]],
        lot: ParkingLot,
        *,
        subscription: str,
        tenant: str,
        kept_s: float = PUBLICATION_KEPT_S,
        observer: ReadObserver | None = None,
    ) -> None:
        self._mark = mark
        self._lot = lot
        self._subscription = subscription
        self._tenant = tenant
        self._observer = observer or SilentReadObserver()
        self._known = Publication()
        self._shared = SharedRead(self._read, kept_s=kept_s, aged_from="end")

    async def get(self) -> Publication:
        """How far it was, a moment ago. A failure is reported, not raised."""
        return await self._shared.get()

    async def _read(self) -> Publication:
        through_ms = await self._mark()
        try:
            rows = await every_row(self._lot, self._subscription, passed=True)
        except LotUnavailable as error:
            self._observer.read_failed(what="parked", error=error)
        else:
            left, passed = (_one_per_order(rows, self._tenant, passed=passed) for passed in (False, True))
            self._known = Publication(through_ms, left, passed)
        return self._known


def _one_per_order(rows: Sequence[Parked], tenant: str, *, passed: bool) -> dict[str, Parked]:
    """Those with the state "passed", or the others, of this tenant's orders."""
    found: dict[str, Parked] = {}
    for row in rows:
        try:
            whose, order_id = order_of(row.key)
        except ValueError:
            continue  # what is no order's is nobody's to ask for
        if whose == tenant and (row.state == "passed") == passed:
            found[order_id] = row
    return found
