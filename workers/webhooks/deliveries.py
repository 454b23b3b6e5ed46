"""The deliveries as they are kept, and how one process at a time works on one of them.

A claim is a conditional write that counts `claims` up and moves the due time to when the claim expires: a process that dies leaves a row
that falls due by itself, and what it may still want to write is refused, because somebody else has counted on. Rows that wait, and only
those, have `due_key`: an index of each endpoint's own rows by due time, so that no endpoint stands in another's way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from workers.tables.errors import ConditionRefused
from workers.tables.port import Change, Index, IndexedTable, Item, PutNew
from workers.tables.rows import typed
from workers.webhooks.delivery import (
    ATTEMPTS_KEPT,
    Attempt,
    Delivery,
    DeliveryState,
    delivery_id,
    from_row,
)

KEY: Final = "delivery"
BY_DUE: Final = Index(name="by_due", partition="due_key", sort="due_at_ms")
BY_ENDPOINT: Final = Index(name="by_endpoint", partition="endpoint", sort="occurred_at_ms")
# Well beyond the time of an attempt (`attempting.py`) and what the clocks of two machines may differ.
CLAIM_MS: Final = 60_000
# Longer than a message can live in the queue and its dead letters (4 + 14 days): until then a redrive meets its own record.
KEPT_MS: Final = 30 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """An event that an endpoint is to be told of."""

    event: str
    event_type: str
    order: str
    occurred_at_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A row of the due index, some moments old."""

    id: str
    due_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A row of the endpoint's list, some moments old."""

    id: str
    event: str
    event_type: str
    order: str
    occurred_at_ms: int
    state: DeliveryState


class Deliveries:
    """Over the table `webhook-deliveries`, whose key is `delivery`. Methods raise `workers.tables.errors.TableError`."""

    def __init__(self, table: IndexedTable, *, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    async def create(
        self, endpoint: str, announced: Announced, *, state: DeliveryState = "pending", replay: str = ""
    ) -> Delivery | None:
        """Write a delivery down; None when it is there already, whatever became of it."""
        now_ms = self._now_ms()
        row: dict[str, Any] = {
            "endpoint": endpoint,
            "event": announced.event,
            "event_type": announced.event_type,
            "order": announced.order,
            "occurred_at_ms": announced.occurred_at_ms,
            "created_at_ms": now_ms,
            "payload": announced.payload.decode(),
            "state": state,
            "tries": 0,
            "claims": 0,
            "attempts": [],
            "replay": replay,
            "expires_at": _expires_at(now_ms),
        }
        if state == "pending":
            row |= {"due_key": endpoint, "due_at_ms": now_ms}
        key = {"delivery": delivery_id(endpoint, announced.event)}
        existing = await self._table.put_new(PutNew(key, row))
        return from_row({**key, **row}) if existing is None else None

    async def get(self, delivery: str) -> Delivery | None:
        """As it stands now."""
        row = await self._table.get({"delivery": delivery})
        return None if row is None else from_row(row)

    async def due(self, endpoint: str, *, limit: int) -> tuple[Due, ...]:
        """The endpoint's next rows, those that are due first, then those that will be."""
        found = await self._table.query(BY_DUE, endpoint, limit=limit)
        return tuple(map(_due, found.items))

    async def due_last(self, endpoint: str, *, limit: int) -> tuple[Due, ...]:
        """The endpoint's rows that fell due last, the latest first: a test is among them, however much waits."""
        found = await self._table.query(BY_DUE, endpoint, last=self._now_ms(), limit=limit, descending=True)
        return tuple(map(_due, found.items))

    async def of_endpoint(
        self,
        endpoint: str,
        *,
        from_ms: int | None = None,
        until_ms: int | None = None,
        limit: int,
        after: Item | None = None,
        newest_first: bool = False,
    ) -> tuple[tuple[Listed, ...], Item | None]:
        """A page of an endpoint's deliveries by when their events occurred, `until_ms` excluded; and where the next page begins."""
        last = None if until_ms is None else until_ms - 1
        found = await self._table.query(
            BY_ENDPOINT, endpoint, first=from_ms, last=last, limit=limit, after=after, descending=newest_first
        )
        return tuple(_listed(row) for row in found.items), found.after

    async def claim(self, delivery: Delivery) -> Delivery | None:
        """Become the one who works on it until the claim expires; None when somebody else did since it was read."""
        claimed = replace(delivery, claims=delivery.claims + 1, due_at_ms=self._now_ms() + CLAIM_MS)
        moved = await self._move(delivery, assign={"claims": claimed.claims, "due_at_ms": claimed.due_at_ms})
        return claimed if moved else None

    async def again(self, claimed: Delivery, attempt: Attempt, *, due_at_ms: int) -> bool:
        """The attempt failed, another is due; False when the claim is no longer ours."""
        return await self._move(claimed, assign={**_tried(claimed, attempt), "due_at_ms": due_at_ms})

    async def end(self, claimed: Delivery, state: DeliveryState, attempt: Attempt | None) -> bool:
        """Nothing more is tried; False when the claim is no longer ours."""
        tried = {} if attempt is None else _tried(claimed, attempt)
        assign = {**tried, "state": state, "expires_at": _expires_at(self._now_ms())}
        return await self._move(claimed, assign=assign, remove=("due_key", "due_at_ms"))

    async def rearm(self, delivery: Delivery, *, replay: str) -> bool:
        """Make it pending again from the first try on; False when somebody moved it since it was read.

        Raises ValueError if it is pending.
        """
        if delivery.state == "pending":
            raise ValueError("it is pending already")
        now_ms = self._now_ms()
        assign: dict[str, Any] = {
            "state": "pending",
            "tries": 0,
            "claims": delivery.claims + 1,
            "replay": replay,
            "due_key": delivery.endpoint,
            "due_at_ms": now_ms,
            "expires_at": _expires_at(now_ms),
        }
        return await self._move(delivery, assign=assign)

    async def _move(self, seen: Delivery, *, assign: Mapping[str, Any], remove: Sequence[str] = ()) -> bool:
        change = Change(
            key={"delivery": seen.id},
            assign=assign,
            remove=tuple(remove),
            equals={"state": seen.state, "claims": seen.claims},
        )
        try:
            await self._table.change(change)
        except ConditionRefused:
            return False
        return True


def _tried(claimed: Delivery, attempt: Attempt) -> dict[str, Any]:
    attempts = (*claimed.attempts, attempt)[-ATTEMPTS_KEPT:]
    return {"tries": claimed.tries + 1, "attempts": [asdict(one) for one in attempts]}


def _listed(row: Item) -> Listed:
    return typed(Listed, {**row, "id": row.get("delivery")}, "a webhook delivery")


def _due(row: Item) -> Due:
    return typed(Due, {**row, "id": row.get("delivery")}, "a webhook delivery")


def _expires_at(now_ms: int) -> int:
    """DynamoDB's time to live is in seconds."""
    return (now_ms + KEPT_MS) // 1000
