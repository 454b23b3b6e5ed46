"""Each handler, as the loop calls it: what it makes of a message, and what has changed by then."""

import json
from collections.abc import Callable
from typing import Any, Final

from orderstore import codec
from orderstore.domain.rejections import CommandRejected
from orderstore.recorded import Actor
from orderstore.requests import PlaceOrder
from orderstore.store.errors import StoreError
from tests.bad_input.decoder import Decoder, Shape, samples
from tests.bad_input.mutations import of_json_text, of_text, of_tree
from tests.bad_input.of_messages import (
    _webhook_message,
    _wrapped,
    bodies,
    bus_events,
    envelopes,
    message,
    reports,
    webhook_messages,
)
from tests.virtual_time import run_virtual
from tests.workers.intake.intake_world import IntakeWorld
from tests.workers.webhooks.world import World as WebhookWorld
from tests.workers.world import World
from workers.classify import classify
from workers.envelope import MalformedMessage, parse_envelope
from workers.notification.feedback_handler import FeedbackHandler
from workers.notification.records import TableNotifications
from workers.reaction import EventNotInOrder, OutOfStep, SimulatedTechnicalFailure
from workers.runtime.outcome import Outcome, Poison
from workers.runtime.queue import Message
from workers.tables.errors import TableError

DECLARED: Final = (
    StoreError,
    codec.CodecError,
    TableError,
    CommandRejected,
    OutOfStep,
    EventNotInOrder,
    SimulatedTechnicalFailure,
)


BODY_OF_ORDER: Final = {
    "items": [{"sku": "TEA", "quantity": 2, "price": "12.50"}],
    "currency": "EUR",
    "customerId": "customer-1",
    "customerEmail": "ada@example.com",
}


def _changed(world: World) -> object:
    """Everything that a handler of the world could have changed."""
    return (
        {name: dict(table._items) for name, table in world.tables.items()},
        [*world.mailbox.sent],
    )


async def _placed(world: World) -> str:
    world.faults.armed = False
    placed = await world.orders.place(
        PlaceOrder.model_validate(BODY_OF_ORDER), actor=Actor("customer", "c"), idempotency_key="k"
    )
    return str(placed.history.events[0].order_id)


def _handled(queue: str) -> Callable[[str], object]:
    """What the loop makes of a body: a message that cannot be read is poison, and nothing has happened."""

    async def handle(body: str) -> str:
        world = World()
        order_id = await _placed(world)
        body = body.replace("ORDER", order_id)
        world.messages.clear()
        before = _changed(world)
        outcome = await _outcome(world.handlers[queue], message(body))
        if _is_unreadable(body) and not (isinstance(outcome, Poison) and _changed(world) == before):
            raise AssertionError(f"unreadable, and the handler said {outcome}")
        return type(outcome).__name__

    return lambda body: run_virtual(handle, body)


async def _outcome(handler: Any, given: Message) -> Outcome:
    try:
        outcome: Outcome = await handler(given)
    except (MalformedMessage, *DECLARED) as error:
        outcome = classify(error)
    return outcome


def _is_unreadable(body: str) -> bool:
    try:
        parse_envelope(body)
    except MalformedMessage:
        return True
    return False


@samples
def real_bodies() -> list[Any]:
    """Envelopes that name an order that is there."""
    return [{**envelope, "orderId": "ORDER", "tenant": "test"} for envelope in envelopes()]


def _handler_decoder(queue: str, *, outcome: str) -> Decoder:
    return Decoder(
        name=f"{queue} handler",
        covers=(),
        decode=_handled(queue),
        valid=lambda: [(json.dumps(real_bodies()[0]), outcome)],
        shapes=(
            Shape(mutate=of_json_text, samples=real_bodies),
            Shape(mutate=of_json_text, samples=envelopes),
            Shape(mutate=of_text, samples=bodies),
        ),
        weight=20,
    )


def _webhooks_handled(given: Message) -> object:
    async def handle() -> str:
        world = WebhookWorld()
        await world.endpoint()
        before = dict(world.deliveries._table._items)  # type: ignore[attr-defined]  # the table in memory
        handler, _ = world.process()
        outcome = await _outcome(handler, given)
        unchanged = dict(world.deliveries._table._items) == before  # type: ignore[attr-defined]  # the table in memory
        if _is_unreadable(given.body) and not (isinstance(outcome, Poison) and unchanged):
            raise AssertionError(f"unreadable, and the handler said {outcome}")
        return type(outcome).__name__

    return run_virtual(handle)


def _intake_handled(body: str) -> object:
    async def handle() -> str:
        world = IntakeWorld()
        outcome = await _outcome(
            world.handler, message(body, AWSTraceHeader="Root=1-5759e988-bd862e3fe1be46a994272793")
        )
        placed = await world.orders_placed()
        if isinstance(outcome, Poison) and (placed or world.told() or world.table._items):
            raise AssertionError("poison, and something has happened")
        if placed > 1:
            raise AssertionError(f"{placed} orders of one request")
        return type(outcome).__name__

    return run_virtual(handle)


class _Deaf:
    """A suppression list that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    async def add(self, kind: Any, address: str, report: Any) -> bool:
        self.told.append((kind, address))
        return True


def _feedback_handled(body: str) -> object:
    async def handle() -> str:
        world, list_of_them = World(), _Deaf()
        records = TableNotifications(world.tables["notifications"], now_ms=world.now_ms)
        outcome = await _outcome(FeedbackHandler(records, list_of_them), message(body))
        if isinstance(outcome, Poison) and list_of_them.told:
            raise AssertionError("poison, and somebody is written to no more")
        return type(outcome).__name__

    return run_virtual(handle)


DECODERS: Final = (
    *(
        _handler_decoder(queue, outcome=outcome)
        for queue, outcome in (
            ("payment", "Done"),
            ("inventory", "Done"),
            ("shipping", "Done"),
            ("billing", "Done"),
            ("notification", "Done"),
        )
    ),
    Decoder(
        name="webhooks handler",
        covers=(),
        decode=_webhooks_handled,
        valid=lambda: [(_webhook_message(webhook_messages()[0]), "Done")],
        shapes=(Shape(mutate=of_tree, samples=webhook_messages, finish=_webhook_message),),
        weight=20,
    ),
    Decoder(
        name="intake handler",
        covers=(
            "workers.intake.placing:read_request",
            "orderstore.refusals:parsed",
            "orderstore.refusals:validated",
            "orderstore.strict_json:parse",
        ),
        decode=_intake_handled,
        valid=lambda: [(json.dumps(bus_events()[0]), "Done")],
        shapes=(Shape(mutate=of_json_text, samples=bus_events),),
        weight=20,
    ),
    Decoder(
        name="mail-feedback handler",
        covers=(),
        decode=_feedback_handled,
        valid=lambda: [(json.dumps(one), "Done") for one in reports()],
        shapes=(
            Shape(mutate=of_json_text, samples=reports),
            Shape(mutate=of_json_text, samples=lambda: reports()[:2], finish=_wrapped),
        ),
        weight=20,
    ),
)
