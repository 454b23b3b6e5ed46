"""One record per notification, conditional at every step, so that a customer is told once.

    (none) ──> pending ──> sending ──> sent
                  │ ^          │ └───> failed        the mail service will never take it
                  │ └──────────┘ surely not sent: tried again
                  └──> suppressed                    nobody to send to

Who moves the record to `sending` sends. If that one dies before it writes `sent`, nobody can know whether the mail left (SES has no
idempotency key); after `resend_after` another takes the claim over, and the mail may then be sent twice. That needs a death in the
milliseconds between SES's answer and the next write. No address and no name is stored: `subject` refers to whose key seals them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, get_args

from workers.tables.errors import ConditionRefused
from workers.tables.port import Change, Item, Key, PutNew, Table

State = Literal["pending", "sending", "sent", "suppressed", "failed"]
FinalState = Literal["sent", "suppressed", "failed"]
FINAL_STATES: Final[frozenset[str]] = frozenset(get_args(FinalState))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """The record as it stands. Times are wall clock, in milliseconds since 1970."""

    order: str
    notification: str
    template: str
    state: State
    claimed_at_ms: int = 0


class NotificationRecords(Protocol):
    """Methods raise `workers.tables.errors.TableError`."""

    async def begin(self, order: str, notification: str, *, template: str, channel: str, subject: str) -> Notification:
        """Write the notification down if it is new; the record that stands is returned."""
        ...

    async def claim(self, record: Notification) -> Notification | None:
        """Become the one who sends; None when somebody else moved the record since `record` was read."""
        ...

    async def give_back(self, record: Notification) -> None:
        """It was surely not sent: somebody may try again at once."""
        ...

    async def finish(self, record: Notification, state: FinalState, *, detail: str) -> bool:
        """Write the end down (`detail`: the mail service's id, or the reason); False when somebody else did."""
        ...


class TableNotifications(NotificationRecords):
    """Records in a service table whose keys are `order` and `notification`."""

    def __init__(self, table: Table, *, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    async def begin(self, order: str, notification: str, *, template: str, channel: str, subject: str) -> Notification:
        """See `NotificationRecords.begin`."""
        key = {"order": order, "notification": notification}
        row = {
            "template": template,
            "channel": channel,
            "subject": subject,
            "state": "pending",
            "claimed_at_ms": 0,
            "begun_at_ms": self._now_ms(),
        }
        existing = await self._table.put_new(PutNew(key, row))
        return _record(existing if existing is not None else {**key, **row})

    async def claim(self, record: Notification) -> Notification | None:
        """See `NotificationRecords.claim`."""
        claimed = replace(record, state="sending", claimed_at_ms=self._now_ms())
        moved = await self._move(record, {"state": "sending", "claimed_at_ms": claimed.claimed_at_ms})
        return claimed if moved else None

    async def give_back(self, record: Notification) -> None:
        """See `NotificationRecords.give_back`."""
        await self._move(record, {"state": "pending"})

    async def finish(self, record: Notification, state: FinalState, *, detail: str) -> bool:
        """See `NotificationRecords.finish`."""
        return await self._move(record, {"state": state, "detail": detail, "finished_at_ms": self._now_ms()})

    async def _move(self, record: Notification, assign: Item) -> bool:
        expected = {"state": record.state, "claimed_at_ms": record.claimed_at_ms}
        try:
            await self._table.change(Change(key=_key(record), assign=assign, equals=expected))
        except ConditionRefused:
            return False
        return True


def _key(record: Notification) -> Key:
    return {"order": record.order, "notification": record.notification}


def _record(row: Item) -> Notification:
    return Notification(
        order=row["order"],
        notification=row["notification"],
        template=row["template"],
        state=row["state"],
        claimed_at_ms=row["claimed_at_ms"],
    )
