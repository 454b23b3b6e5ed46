"""A scripted channel, and senders that do as they are told: what the suites of the notification department play against."""

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import anyio

from orderstore.domain import events as e
from orderstore.recorded import Actor, Recorded
from workers.notification.channels import Contact, Delivered, Delivery, Note
from workers.notification.chat import Answer
from workers.notification.suppression import Suppression

PHONE = "+4915112345678"
EMAIL = "ada@example.com"
NAME = "Zebedee"
OPERATORS_ONLY = frozenset({"OrderHeld", "PaymentDisputed"})
"""Events that customers are not told of: who disputes a payment knows it, and is not written to while the bank decides."""


class ScriptedChannel:
    """Answers (or raises) what it is told, one after the other, then `Delivered`. Keeps every note that it was given."""

    def __init__(
        self,
        name: str,
        *script: Delivery | Exception,
        needs_contact: bool = False,
        patience_s: float | None = None,
        repeatable: bool = False,
    ) -> None:
        self.name = name
        self.needs_contact = needs_contact
        self.patience_s = patience_s
        self.repeatable = repeatable
        self.script: deque[Delivery | Exception] = deque(script)
        self.notes: list[Note] = []
        self.takes_s = 0.0

    async def deliver(self, note: Note) -> Delivery:
        await anyio.sleep(self.takes_s)
        self.notes.append(note)
        answer = self.script.popleft() if self.script else Delivered(f"{self.name}-{len(self.notes)}")
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeSender:
    """A mail or SMS service: raises the errors in turn, and may have taken the message all the same (`landed`)."""

    def __init__(self, *errors: Exception, landed: bool = False) -> None:
        self.errors = deque(errors)
        self.landed = landed
        self.taken: list[Any] = []

    async def send(self, *message: Any) -> str:
        if self.errors:
            if self.landed:
                self.taken.append(message)
            raise self.errors.popleft()
        self.taken.append(message)
        return f"id-{len(self.taken)}"


class FakeHttp:
    """A chat's server: answers in turn, or raises; then 200."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = deque(answers)
        self.posted: list[tuple[str, bytes]] = []

    async def post(self, url: str, body: bytes) -> Answer:
        self.posted.append((url, body))
        answer = self.answers.popleft() if self.answers else Answer(status=200, headers={}, body=b"ok")
        if isinstance(answer, Exception):
            raise answer
        return answer


class NobodySuppressed:
    """A list with nobody on it, or one that cannot be read."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble

    async def of(self, kind: str, address: str) -> Suppression | None:
        if self.trouble is not None:
            raise self.trouble
        return None


def note_of(event: e.Event | None = None, *, channel: str = "email", **changes: Any) -> Note:
    """A note about an event of an order, for a customer with every kind of address."""
    told = event or e.OrderRejected(reasons=("payment_failed",))
    recorded = Recorded(
        event_id="11111111-2222-3333-4444-555555555555",  # type: ignore[arg-type]  # a NewType of str
        name=type(told).__name__,
        event_version="1.0",
        tenant="test",
        order_id="6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001",  # type: ignore[arg-type]  # a NewType of str
        version=3,
        commit=2,
        occurred_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        recorded_at_ms=1_772_366_400_000,
        correlation_id="c-1",
        causation_id="c-0",
        actor=Actor("service", "order"),
        source="order",
        traceparent=None,
        event=told,
    )
    values: dict[str, Any] = {
        "notification_id": f"{recorded.event_id}:{channel}",
        "order_id": recorded.order_id,
        "customer_id": "customer-1",
        "event": recorded,
        "template": "order_rejected.v1",
        "subject": "Order rejected",
        "text": "Reasons: payment_failed.\n",
        "contact": Contact(email=EMAIL, name=NAME, phone=PHONE),
    }
    return Note(**{**values, **changes})


Deliver = Callable[[Note], Awaitable[Delivery]]
