"""Envelopes: tolerant of what is new, strict about what is needed; and what each error means for the message."""

import json

import pytest

from orderstore.codec import UnknownEvent as UnknownStoredEvent
from orderstore.domain.rejections import UnknownOrder
from orderstore.store.errors import Throttled, Unavailable
from orderstore.transact import Contended
from tests.virtual_time import run_virtual
from tests.workers.world import World
from workers.classify import classify
from workers.envelope import MalformedMessage, UnknownEventType, parse_envelope
from workers.reaction import SimulatedTechnicalFailure
from workers.runtime.outcome import Poison, Retry
from workers.shipping.carrier import CarrierTimeout
from workers.tables.errors import TableThrottled

GOOD = {
    "eventId": "e-1",
    "eventType": "OrderCreated",
    "eventVersion": "1.0",
    "source": "order-service",
    "occurredAt": "2026-03-01T12:00:00.000Z",
    "orderId": "o-1",
    "tenant": "test",
    "version": 1,
    "correlationId": "o-1",
    "causationId": "o-1",
    "actor": {"type": "customer", "id": "c"},
    "data": {"anything": 1},
}


def test_new_fields_and_minor_versions_are_tolerated() -> None:
    """A producer may add; what is not needed is not looked at."""  # E045, E046
    envelope = parse_envelope(json.dumps(GOOD | {"eventVersion": "1.7", "new": {"deep": [1]}, "data": None}))

    assert (envelope.order_id, envelope.event_id, envelope.traceparent) == ("o-1", "e-1", None)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "[]",
        "null",
        '"text"',
        json.dumps({name: value for name, value in GOOD.items() if name != "orderId"}),
        json.dumps(GOOD | {"eventId": ""}),
        json.dumps(GOOD | {"eventId": 7}),
        json.dumps(GOOD | {"eventVersion": "one"}),
        json.dumps(GOOD | {"orderId": "x" * 300}),
        "[" * 5_000,
    ],
)
def test_what_is_no_envelope_is_poison(body: str) -> None:
    """No retry can help, and the reason holds no value of the message."""  # E058
    with pytest.raises(MalformedMessage) as malformed:
        parse_envelope(body)

    assert isinstance(classify(malformed.value), Poison)


def test_the_reason_for_poison_quotes_nothing() -> None:
    """What a malformed message holds may be personal."""
    secret = "ada@example.com"
    with pytest.raises(MalformedMessage) as malformed:
        parse_envelope(json.dumps(GOOD | {"eventVersion": secret, "orderId": [secret]}))

    assert secret not in str(malformed.value)
    assert malformed.value.__cause__ is None


@pytest.mark.parametrize("change", [{"eventType": "OrderTeleported"}, {"eventVersion": "2.0"}])
def test_an_event_of_tomorrow_is_poison_with_its_reason(change: dict[str, str]) -> None:
    """Readers are deployed before writers; until then the message waits where a person sees it."""
    with pytest.raises(UnknownEventType, match="this build knows"):
        parse_envelope(json.dumps(GOOD | change))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UnknownOrder("there is no order o-1"), Poison("UnknownOrder: there is no order o-1")),
        (UnknownStoredEvent("secret"), Retry("this build cannot read the order: a newer one wrote it", after_s=300.0)),
        (Throttled("PutItem", tries=3), Retry("orderstore.store.errors.Throttled")),
        (Unavailable("PutItem", tries=3, ambiguous=True), Retry("orderstore.store.errors.Unavailable")),
        (TableThrottled("x"), Retry("workers.tables.errors.TableThrottled")),
        (Contended("x"), Retry("orderstore.transact.Contended")),
        (CarrierTimeout("x"), Retry("workers.shipping.carrier.CarrierTimeout")),
        (SimulatedTechnicalFailure("x"), Retry("workers.reaction.SimulatedTechnicalFailure")),
        (ZeroDivisionError("secret"), Retry("builtins.ZeroDivisionError")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_its_outcome(error: Exception, expected: object) -> None:
    """Trouble is retried, what cannot be helped is poison, and a reason never quotes an error's text that we did not write."""  # E058
    assert classify(error) == expected


@pytest.mark.parametrize("queue", ["payment", "inventory", "shipping", "billing", "notification"])
def test_a_message_of_an_order_that_does_not_exist_is_poison_everywhere(queue: str) -> None:
    """Nothing is charged, booked or mailed for it."""

    async def scenario() -> None:
        world = World()
        world.send(queue, json.dumps(GOOD))
        with pytest.raises(UnknownOrder):
            await world.handlers[queue](world.messages[0][1])
        assert await world.effects() == []

    run_virtual(scenario)
