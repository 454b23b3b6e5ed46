"""The handler of the queue: an event becomes one delivery for each endpoint that wants it. Nothing is sent here."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

import orjson

from orderstore.contract import COMMIT_ATTRIBUTE
from workers.envelope import MalformedMessage, parse_envelope
from workers.runtime.outcome import Done, Outcome
from workers.runtime.queue import Message
from workers.webhooks.deliveries import Announced, Deliveries
from workers.webhooks.delivery import DeliveryState
from workers.webhooks.endpoint import Endpoint
from workers.webhooks.endpoints import KnownEndpoints
from workers.webhooks.observe import WebhookObserver
from workers.webhooks.payload import payload_of

# A receiver that was away may ask for what it missed. Whoever is away for longer than this is gone.
SKIPPED_MS_MAX: Final = 14 * 86_400_000
COMMIT_DIGITS_MAX: Final = 10


class Offers(Protocol):
    """Who attempts deliveries in this process."""

    def offer(self, endpoint: str, delivery: str) -> None:
        """A delivery that was just written down."""


class WebhookHandler:
    """Writes deliveries down, once each, however often the event is heard. Raises MalformedMessage, TableError."""

    def __init__(
        self,
        deliveries: Deliveries,
        known: KnownEndpoints,
        sender: Offers,
        *,
        now_ms: Callable[[], int],
        observer: WebhookObserver,
    ) -> None:
        self._deliveries = deliveries
        self._known = known
        self._sender = sender
        self._now_ms = now_ms
        self._observer = observer

    async def __call__(self, message: Message) -> Outcome:
        """Write a delivery for each endpoint that wants the event."""
        envelope = parse_envelope(message.body)
        mine = [
            endpoint
            for endpoint in await self._known.all()
            if endpoint.tenant == envelope.tenant and endpoint.wants(envelope.event_type)
        ]
        # One that was enabled a moment ago must not be passed over: nobody would know that there is something to replay.
        now = [endpoint if endpoint.state == "enabled" else await self._known.again(endpoint) for endpoint in mine]
        wanting = [endpoint for endpoint in now if endpoint.wants(envelope.event_type) and self._is_told(endpoint)]
        if not wanting:
            return Done()
        announced = announced_of(message)
        for endpoint in wanting:
            state: DeliveryState = "pending" if endpoint.state == "enabled" else "skipped"
            delivery = await self._deliveries.create(endpoint.id, announced, state=state)
            if delivery is None:
                continue  # heard before
            self._observer.announced(state)
            if state == "pending":
                self._sender.offer(endpoint.id, delivery.id)
        return Done()

    def _is_told(self, endpoint: Endpoint) -> bool:
        """A disabled endpoint's events are put aside for a while, for whoever enables it and replays them."""
        if endpoint.state == "disabled":
            return self._now_ms() - endpoint.since_ms < SKIPPED_MS_MAX
        return endpoint.state == "enabled"


def announced_of(message: Message) -> Announced:
    """The event that a message tells of. Raises MalformedMessage."""
    commit = message.attributes.get(COMMIT_ATTRIBUTE, "")
    try:
        envelope = orjson.loads(message.body)
    except orjson.JSONDecodeError as error:  # what a tolerant parser passes over is not handed on to others
        raise MalformedMessage("the body is not JSON throughout") from error
    try:
        occurred_at = datetime.fromisoformat(envelope["occurredAt"])
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedMessage("occurredAt: not a time") from error
    if occurred_at.tzinfo is None:
        raise MalformedMessage("occurredAt: not a time")
    return Announced(
        event=envelope["eventId"],
        event_type=envelope["eventType"],
        order=envelope["orderId"],
        occurred_at_ms=round(occurred_at.timestamp() * 1000),
        payload=payload_of(
            envelope, commit=int(commit) if commit.isdecimal() and len(commit) <= COMMIT_DIGITS_MAX else None
        ),
    )
