"""One channel's turn: the record is claimed, the channel is called once, and what came of it is written down.

    NotToldYet        it was surely not told; the claim is given back
    PerhapsTold       nobody knows whether it was told; the claim stays until it has run out

Both may just mean that a service is down, so they are outages to whoever asks (`workers/classify.py`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

import anyio
import orjson

from orderstore.domain.events import OrderCreated, SealedText
from orderstore.privacy.keys import KeyErased
from orderstore.recorded import Recorded
from workers.notification.channels import (
    Channel,
    Contact,
    Delivered,
    Delivery,
    NotDelivered,
    Note,
    Refused,
    Suppressed,
    Uncertain,
)
from workers.notification.last_words import with_last_words
from workers.notification.records import FINAL_STATES, FinalState, Notification, NotificationRecords
from workers.notification.texts import Texts
from workers.observe import SilentWorkerObserver, WorkerObserver
from workers.runtime.outcome import Defer, Done
from workers.tables.errors import TableThrottled, TableUnavailable

# Longer than a handler may run, so that a claim is taken over only from one who died.
RESEND_AFTER_S: Final = 60.0
# What is on its way is done in moments; a stop and the next deadline wait no longer.
GRACE_S: Final = 3.0
# Whoever holds the claim is done in moments, or dead: a look costs one read, a wait to the end would hold up the queue's drain.
LOOK_AGAIN_S: Final = 3.0
# The pauses between tries to write down what became of a note; well within what a handler has left, or is granted to finish.
WRITE_AGAIN_AFTER_S: Final = (0.1, 0.4, 1.0)
# However long a service wants to be left alone: it is asked again within a quarter of an hour.
RETRY_AFTER_S_MAX: Final = 900.0

T = TypeVar("T")
Ended = Callable[[FinalState, str], Awaitable[Done | Defer]]
"""Writes down how it ended: (state, detail)."""
OpenContact = Callable[[SealedText, str], Awaitable[bytes]]
"""Decrypts what `Seal` sealed: (sealed, stream) -> plain JSON. Raises KeyErased when the customer's key is gone."""


class NotToldYet(Exception):
    """Surely not told: it is tried again."""


class PerhapsTold(Exception):
    """Told, or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """The event that is to be told of, in its order."""

    order: OrderCreated
    stream: str
    event: Recorded


class Telling:
    """Brings one record to its end. `resend_after_s`: how old an unfinished claim must be before another worker takes it over; `grace_s`:
    how long one who is cut off may still write down that it was told."""

    def __init__(
        self,
        records: NotificationRecords,
        texts: Texts,
        *,
        open_contact: OpenContact,
        now_ms: Callable[[], int],
        resend_after_s: float = RESEND_AFTER_S,
        grace_s: float = GRACE_S,
        observer: WorkerObserver | None = None,
    ) -> None:
        self._records = records
        self._texts = texts
        self._open_contact = open_contact
        self._now_ms = now_ms
        self._resend_after_s = resend_after_s
        self._grace_s = grace_s
        self._observer: WorkerObserver = observer or SilentWorkerObserver()

    async def tell(self, record: Notification, channel: Channel, occasion: Occasion) -> Done | Defer:
        """Deliver, or see that it is done or somebody else's. Raises NotToldYet, PerhapsTold, UnknownTemplate and what the ports raise."""
        if record.state in FINAL_STATES:
            return Done()
        if record.state == "sending":
            if record.feedback:  # it had left, and the service has told of it since
                return await self._finish(record, "sent", "told of by the service")
            held_s = (self._now_ms() - record.claimed_at_ms) / 1000
            if held_s < self._resend_after_s:
                return Defer(min(self._resend_after_s - held_s, LOOK_AGAIN_S))
        if channel.patience_s is not None and self._now_ms() - record.begun_at_ms > channel.patience_s * 1000:
            return await self._finish(record, "failed", "too_late")
        contact, reason = await self._contact(channel, occasion)
        if reason:
            return await self._finish(record, "suppressed", reason)
        note = self._note(record, channel, occasion, contact)
        claimed = await self._records.claim(record)
        if claimed is None:
            return Defer(min(self._resend_after_s, LOOK_AGAIN_S))  # another delivery is at it
        return await self._deliver(claimed, channel, note)

    async def begin(self, new: Notification, channel: Channel, occasion: Occasion) -> Done | Defer:
        """Tell what has no record yet. The record is written when it is known what it has to say first: that it is being told, or how it
        ended. Raises what `tell` raises."""
        new = replace(new, begun_at_ms=self._now_ms())

        async def ended(state: FinalState, detail: str) -> Done | Defer:
            standing = await self._insisting(
                lambda: self._records.put(replace(new, state=state, detail=detail, finished_at_ms=self._now_ms()))
            )
            if standing is not None:  # another delivery was first: nothing is told twice by looking what became of that
                return await self.tell(standing, channel, occasion)
            self._observer.notification(new.channel, state)
            return Done()

        contact, reason = await self._contact(channel, occasion)
        if reason:
            return await ended("suppressed", reason)
        note = self._note(new, channel, occasion, contact)
        if channel.repeatable:
            return await self._settle(new, await channel.deliver(note), ended)
        claimed = replace(new, state="sending", claimed_at_ms=self._now_ms())
        standing = await self._records.put(claimed)
        if standing is not None:
            return await self.tell(standing, channel, occasion)
        return await self._deliver(claimed, channel, note)

    async def _deliver(self, claimed: Notification, channel: Channel, note: Note) -> Done | Defer:
        """Tell, as the one who holds the claim."""
        if self._now_ms() - claimed.claimed_at_ms > self._resend_after_s * 1000 / 2:
            return Defer(0)  # the process stood still since: somebody may be about to take the claim over, or has

        async def deliver() -> Done | Defer:
            return await self._settle(claimed, await channel.deliver(note), partial(self._finish, claimed))

        return await with_last_words(deliver, grace_s=self._grace_s)

    async def end(self, record: Notification, reason: str) -> Done:
        """It is not to be told at all. A record that was never written is written as ended."""
        if record.begun_at_ms:
            return Done() if record.state in FINAL_STATES else await self._finish(record, "suppressed", reason)
        now_ms = self._now_ms()
        never = replace(record, state="suppressed", detail=reason, begun_at_ms=now_ms, finished_at_ms=now_ms)
        standing = await self._insisting(lambda: self._records.put(never))
        if standing is not None:
            return await self.end(standing, reason)
        self._observer.notification(record.channel, "suppressed")
        return Done()

    async def _settle(self, record: Notification, delivery: Delivery, ended: Ended) -> Done | Defer:
        match delivery:
            case Delivered(reference):
                return await ended("sent", reference)
            case Refused(reason):
                return await ended("failed", reason)
            case Suppressed(reason):
                return await ended("suppressed", reason)
            case NotDelivered(reason, retry_after_s):
                if record.state == "sending":
                    await self._records.give_back(record)
                if retry_after_s is None:
                    raise NotToldYet(f"{record.channel}: {reason}")
                return Defer(min(max(retry_after_s, 0.0), RETRY_AFTER_S_MAX))
            case Uncertain(reason):
                raise PerhapsTold(f"{record.channel}: {reason}")

    async def _contact(self, channel: Channel, occasion: Occasion) -> tuple[Contact | None, str]:
        """Whom to write to, or why to nobody. Opened only for a channel that needs it."""
        if not channel.needs_contact:
            return None, ""
        sealed = occasion.order.contact
        if sealed is None:
            return None, "no_contact"
        try:
            plain = orjson.loads(await self._open_contact(sealed, occasion.stream))
        except KeyErased:
            return None, "erased"
        return Contact(email=plain.get("email"), name=plain.get("name"), phone=plain.get("phone")), ""

    def _note(self, record: Notification, channel: Channel, occasion: Occasion, contact: Contact | None) -> Note:
        order, recorded = occasion.order, occasion.event
        rendered = self._texts.render(
            record.template,
            channel.name,
            order=order,
            event=recorded.event,
            name=None if contact is None else contact.name,
        )
        return Note(
            notification_id=record.notification,
            order_id=order.order_id,
            customer_id=order.customer_id,
            event=recorded,
            template=record.template,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            contact=contact,
        )

    async def _finish(self, record: Notification, state: FinalState, detail: str) -> Done:
        if await self._insisting(lambda: self._records.finish(record, state, detail=detail)):
            self._observer.notification(record.channel, state)
        return Done()

    async def _insisting(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write the end down, and insist: an end that is not written is a note that is told twice."""
        for wait_s in WRITE_AGAIN_AFTER_S:
            try:
                return await write()
            except (TableThrottled, TableUnavailable):
                await anyio.sleep(wait_s)
        return await write()
