"""One record per event and channel, conditional at every step, so that a customer is told once by each channel.

    (none) ──> pending ──> sending ──> sent
       │          │ ^          │ ├───> failed        the service will never take it, or there is no point any more
       │          │ └──────────┘ └───> suppressed    nobody to send to, or they want no more
       │          └──────────────────> suppressed, failed
       ├──────────────────> sending                  whoever writes the record first may hold the claim at once
       └──────────────────> sent, suppressed, failed of a channel that is told once however often it is told

Who moves the record to `sending` sends. If that one dies before it writes `sent`, nobody can know whether the note left (SES and SNS
have no idempotency key); after `resend_after` another takes the claim over, and it may then be told twice. That needs a death in the
milliseconds between the service's answer and the next write; and what the mail service has meanwhile told of is not sent again.

What comes back later (bounces, complaints, deliveries) is beside the state, each kind with its own time: it may come twice, in any
order, and before `sent` is written. No address and no name is stored: `subject` refers to whose key seals them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol, get_args

from workers.tables.errors import ConditionRefused
from workers.tables.port import Change, Item, Key, PutNew, RangedTable
from workers.tables.rows import typed

State = Literal["pending", "sending", "sent", "suppressed", "failed"]
FinalState = Literal["sent", "suppressed", "failed"]
FINAL_STATES: Final[frozenset[str]] = frozenset(get_args(FinalState))

RESEND: Final = ":resend-"
"""What the name of a resend has behind that of the notification."""

FeedbackKind = Literal["delivered", "delayed", "soft_bounced", "bounced", "complained", "rejected"]
# What stands in the record's place when it is shown: the gravest that is known.
GRAVEST_FIRST: Final[tuple[FeedbackKind, ...]] = (
    "complained",
    "bounced",
    "rejected",
    "delivered",
    "soft_bounced",
    "delayed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """The record as it stands. Times are wall clock, in milliseconds since 1970."""

    order: str
    notification: str
    channel: str
    template: str
    state: State
    channels: tuple[str, ...] = ()
    """All by which the event is to be told, as it was decided first; empty in records from before there were several."""
    claimed_at_ms: int = 0
    begun_at_ms: int = 0
    finished_at_ms: int = 0
    subject: str = ""
    detail: str = ""
    feedback: Mapping[FeedbackKind, int] = field(default_factory=dict)
    """What came back, and when it happened."""
    resend: Mapping[str, Any] = field(default_factory=dict)
    """Of a resend: who asked for it, and why."""

    @property
    def shown_state(self) -> str:
        """The state; of what is known to have left, what became of it."""
        came_back = next((kind for kind in GRAVEST_FIRST if kind in self.feedback), None)
        return came_back or self.state


class NotificationRecords(Protocol):
    """Methods raise `workers.tables.errors.TableError`."""

    async def begin(
        self,
        order: str,
        notification: str,
        *,
        template: str,
        channel: str,
        subject: str,
        channels: Sequence[str] = (),
        resend: Item | None = None,
    ) -> Notification:
        """Write the notification down if it is new; the record that stands is returned."""
        ...

    async def find(self, order: str, notification: str) -> Notification | None:
        """The record, if there is one."""
        ...

    async def put(self, record: Notification) -> Notification | None:
        """Write down a record of which there is none yet, in whatever state; None, or the one that stands in its way."""
        ...

    async def of_event(self, order: str, event_id: str) -> tuple[Notification, ...]:
        """The event's records, by whatever channel, the one that was begun first in front; no resends."""
        ...

    async def claim(self, record: Notification) -> Notification | None:
        """Become the one who sends; None when somebody else moved the record since `record` was read."""
        ...

    async def give_back(self, record: Notification) -> None:
        """It was surely not sent: somebody may try again at once."""
        ...

    async def finish(self, record: Notification, state: FinalState, *, detail: str) -> bool:
        """Write the end down (`detail`: the service's id, or the reason); False when somebody else did."""
        ...

    async def came_back(self, order: str, notification: str, kind: FeedbackKind, *, at_ms: int) -> bool:
        """Write down what the service told of it; False when it was known, or there is no such record."""
        ...


class TableNotifications(NotificationRecords):
    """Records in a service table whose keys are `order` and `notification`."""

    def __init__(self, table: RangedTable, *, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    async def begin(
        self,
        order: str,
        notification: str,
        *,
        template: str,
        channel: str,
        subject: str,
        channels: Sequence[str] = (),
        resend: Item | None = None,
    ) -> Notification:
        """See `NotificationRecords.begin`."""
        new = Notification(
            order=order,
            notification=notification,
            channel=channel,
            template=template,
            state="pending",
            channels=tuple(channels),
            begun_at_ms=self._now_ms(),
            subject=subject,
            resend=resend or {},
        )
        return await self.put(new) or new

    async def put(self, record: Notification) -> Notification | None:
        """See `NotificationRecords.put`."""
        row: dict[str, Any] = {
            "template": record.template,
            "channel": record.channel,
            "subject": record.subject,
            "channels": record.channels,
            "state": record.state,
            "claimed_at_ms": record.claimed_at_ms,
            "begun_at_ms": record.begun_at_ms,
        }
        if record.state in FINAL_STATES:
            row |= {"detail": record.detail, "finished_at_ms": record.finished_at_ms}
        if record.resend:
            row["resend"] = record.resend
        existing = await self._table.put_new(PutNew(_key(record), row))
        return None if existing is None else record_of(existing)

    async def find(self, order: str, notification: str) -> Notification | None:
        """See `NotificationRecords.find`."""
        row = await self._table.get({"order": order, "notification": notification})
        return None if row is None else record_of(row)

    async def of_event(self, order: str, event_id: str) -> tuple[Notification, ...]:
        """See `NotificationRecords.of_event`. One query, whichever channels there are or were."""
        rows = await self._table.beginning({"order": order}, "notification", f"{event_id}:")
        found = [record_of(row) for row in rows if RESEND not in row["notification"]]
        return tuple(sorted(found, key=lambda record: record.begun_at_ms))

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

    async def came_back(self, order: str, notification: str, kind: FeedbackKind, *, at_ms: int) -> bool:
        """See `NotificationRecords.came_back`. Each kind has an attribute of its own, so no two writers undo each other's."""
        key = {"order": order, "notification": notification}
        row = await self._table.get(key)
        if row is None or _attribute(kind) in row:
            return False
        await self._table.change(Change(key=key, assign={_attribute(kind): at_ms}))
        return True

    async def _move(self, record: Notification, assign: Item) -> bool:
        expected = {"state": record.state, "claimed_at_ms": record.claimed_at_ms}
        try:
            await self._table.change(Change(key=_key(record), assign=assign, equals=expected))
        except ConditionRefused:
            return False
        return True


def record_of(row: Item) -> Notification:
    """A row of the table. Raises RowUnreadable."""
    feedback = {kind: row[_attribute(kind)] for kind in GRAVEST_FIRST if _attribute(kind) in row}
    return typed(Notification, {**row, "feedback": feedback}, "a notification")


def _key(record: Notification) -> Key:
    return {"order": record.order, "notification": record.notification}


def _attribute(kind: FeedbackKind) -> str:
    return f"{kind}_at_ms"
