"""The notification worker's handler: one record, then one mail, for each event that customers are told of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import orjson

from orderstore.domain.events import OrderCreated, SealedText
from orderstore.history import History
from orderstore.orders import Orders, placed
from orderstore.privacy.keys import KeyErased
from orderstore.recorded import Recorded
from workers.notification.mail import Mail, MailNotSent, MailRefused, MailSender
from workers.notification.records import FinalState, Notification, NotificationRecords
from workers.notification.texts import TEMPLATES, Texts
from workers.observe import WorkerObserver
from workers.reaction import OrderWorker, UnknownEvent
from workers.runtime.outcome import Defer, Done, Outcome
from workers.runtime.queue import Message

CHANNEL: Final = "email"
# Longer than a handler may run, so that a claim is taken over only from one who died.
RESEND_AFTER_S: Final = 60.0
# Whoever holds the claim is done in moments, or dead: a look costs one read, a wait to the end would hold up the queue's drain.
LOOK_AGAIN_S: Final = 3.0

OpenContact = Callable[[SealedText, str], Awaitable[bytes]]
"""Decrypts what `Seal` sealed: (sealed, stream) -> plain JSON. Raises KeyErased when the customer's key is gone."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to write to. Lives in memory only, and shows in no log or trace."""

    email: str = field(repr=False)
    name: str | None = field(repr=False)


class NotificationHandler(OrderWorker):
    """Mails customers. `resend_after_s`: how old an unfinished claim must be before another worker takes it over."""

    def __init__(
        self,
        orders: Orders,
        *,
        records: NotificationRecords,
        sender: MailSender,
        open_contact: OpenContact,
        texts: Texts,
        now_ms: Callable[[], int],
        sandbox: bool,
        resend_after_s: float = RESEND_AFTER_S,
        observer: WorkerObserver | None = None,
    ) -> None:
        super().__init__(orders, worker="notification", sandbox=sandbox, observer=observer)
        self._records = records
        self._sender = sender
        self._open_contact = open_contact
        self._texts = texts
        self._now_ms = now_ms
        self._resend_after_s = resend_after_s

    async def __call__(self, message: Message) -> Outcome:
        """Send the event's notification, once. Raises: see `workers/classify.py`."""
        envelope, history = await self._read(message)
        template = TEMPLATES.get(envelope.event_type)
        if template is None:
            return Done()
        recorded = _find(history, envelope.event_id)
        order = placed(history).order
        record = await self._records.begin(
            order.order_id,
            f"{recorded.event_id}:{CHANNEL}",
            template=template,
            channel=CHANNEL,
            subject="" if order.contact is None else order.contact.subject,
        )
        match record.state:
            case "pending":
                return await self._deliver(record, history, recorded)
            case "sending":
                held_s = (self._now_ms() - record.claimed_at_ms) / 1000
                if held_s < self._resend_after_s:
                    return Defer(min(self._resend_after_s - held_s, LOOK_AGAIN_S))
                return await self._deliver(record, history, recorded)
            case "sent" | "suppressed" | "failed":
                self._observer.nothing_to_do("notification", envelope.event_type)
                return Done()

    async def _deliver(self, record: Notification, history: History, recorded: Recorded) -> Outcome:
        order = placed(history).order
        contact, reason = await self._contact(order, history.stream)
        if contact is None:
            return await self._finish(record, "suppressed", reason)
        subject, text = self._texts.render(record.template, order=order, event=recorded.event, name=contact.name)
        claimed = await self._records.claim(record)
        if claimed is None:
            return Defer(min(self._resend_after_s, LOOK_AGAIN_S))  # another delivery is at it
        try:
            mail = Mail(to=contact.email, subject=subject, text=text, notification_id=record.notification)
            message_id = await self._sender.send(mail)
        except MailRefused as error:
            return await self._finish(claimed, "failed", str(error))
        except MailNotSent:
            await self._records.give_back(claimed)
            raise
        return await self._finish(claimed, "sent", message_id)

    async def _contact(self, order: OrderCreated, stream: str) -> tuple[Contact | None, str]:
        """Whom to write to, or why to nobody."""
        if order.contact is None:
            return None, "no_contact"
        try:
            plain = orjson.loads(await self._open_contact(order.contact, stream))
        except KeyErased:
            return None, "erased"
        if plain.get("email") is None:
            return None, "no_address"
        return Contact(plain["email"], plain.get("name")), ""

    async def _finish(self, record: Notification, state: FinalState, detail: str) -> Outcome:
        if await self._records.finish(record, state, detail=detail):
            self._observer.notification(CHANNEL, state)
        return Done()


def _find(history: History, event_id: str) -> Recorded:
    for recorded in history.events:
        if recorded.event_id == event_id:
            return recorded
    raise UnknownEvent(f"the order has no event {event_id}")
