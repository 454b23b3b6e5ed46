"""One order from the API call to its invoice, followed through the spans alone."""

from collections import Counter
from functools import cache

import orjson
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from orderstore.history import History
from orderstore.order_log import command
from orderstore.recorded import Actor
from orderstore.tracing import TRACEPARENT, parse_traceparent, working_in
from tests.projections.http.api import ARTICLE
from tests.virtual_time import run_seeded, run_virtual
from tests.workers.tracing.recorded import Recorded, context_of, linked_from, parent_of, told
from tests.workers.tracing.shop import Shop, open_shop
from workers.tracing.port import Off, Tracing

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SEED = 20_261_121
NOT_SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


async def completed(tracing: Tracing, *, copies: int = 1, **headers: str) -> tuple[Shop, History]:
    """The shop after one order has come to its end, and that order."""
    async with open_shop(tracing, copies=copies) as shop:
        order_id = await shop.place(**headers)
        await shop.ends(order_id)
        return shop, await shop.orders.load(order_id)


@cache
def followed() -> tuple[Recorded, Shop, History]:
    """The same order for every test that only looks at it."""
    recorded = Recorded()
    shop, history = run_virtual(lambda: completed(recorded.tracing, traceparent=CALLER))
    return recorded, shop, history


def test_from_the_invoice_one_can_walk_back_to_the_api_call() -> None:
    """The event names its span, each span its parent, and the first of them the caller's."""  # E044
    recorded, _, history = followed()
    (invoice,) = [event for event in history.events if event.name == "InvoiceIssued"]
    context = parse_traceparent(invoice.traceparent)
    assert context is not None

    way = list(recorded.up_from(context.span_id))

    second = way[4].name  # of payment and stock whichever came last confirmed the order
    assert second in ("process shop-payment", "process shop-inventory")
    assert [span.name for span in way] == [
        "process shop-billing",  # the invoice
        "create shop-order-events",
        "process shop-shipping",  # the dispatch
        "create shop-order-events",
        second,
        "create shop-order-events",
        "POST /orders",
    ]
    events = [told(span).get("orderstore.event.type") for span in way[1::2]]
    assert events[0::2] == ["ShipmentDispatched", "OrderCreated"]
    assert events[1] in ("PaymentCompleted", "OrderConfirmed")  # of one commit, where the payment came last
    caller = parse_traceparent(CALLER)
    assert caller is not None
    assert (parent_of(way[-1]), context_of(way[-1]).trace_id) == (caller.span_id, caller.trace_id)


@pytest.mark.thorough
def test_every_event_of_the_log_names_a_span_of_the_same_trace() -> None:
    """Those of one commit the same: that in which it was decided."""
    recorded, _, history = followed()
    spans = recorded.by_id()
    names: dict[int, str] = {}
    for event in history.events:
        context = parse_traceparent(event.traceparent)
        assert context is not None
        assert context.trace_id == CALLER[3:35]
        names[event.commit] = spans[context.span_id].name

    assert Counter(names.values()) == {
        "POST /orders": 1,
        "process shop-payment": 2,
        "process shop-inventory": 2,
        "process shop-shipping": 3,
        "process shop-billing": 2,
    }


def test_every_message_bears_the_context_of_its_own_producer_span() -> None:
    """And every consumer span is linked to the context in which its message was created, as well as its child."""
    recorded, shop, _ = followed()
    spans = recorded.by_id()
    born = []
    for event in shop.topic.published:
        context = parse_traceparent(event.attributes[TRACEPARENT])
        assert context is not None
        span = spans[context.span_id]
        assert (span.kind, told(span)["orderstore.event.id"]) == (SpanKind.PRODUCER, event.event_id)
        assert len(event.attributes) <= 7  # SQS takes ten, and a dead letter adds three
        born.append(context.span_id)
    assert len(set(born)) == len(born)

    consumed = [span for span in recorded.spans if span.kind is SpanKind.CONSUMER]
    assert len(consumed) == 8
    for span in consumed:
        (link,) = linked_from(span)
        assert link == parent_of(span)
        assert link in born


def test_the_conventions_attributes_are_there() -> None:
    """Names, kinds and attributes of the messaging conventions, one of each kind of span."""
    recorded, _, history = followed()
    order_id = history.events[0].order_id
    (billing,) = recorded.named("process shop-billing")
    assert told(billing) == {
        "messaging.system": "aws_sqs",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "shop-billing",
        "messaging.message.id": told(billing)["messaging.message.id"],
        "messaging.message.conversation_id": order_id,
        "orderstore.order.id": order_id,
        "orderstore.event.id": told(billing)["orderstore.event.id"],
        "orderstore.event.type": "ShipmentDispatched",
        "orderstore.message.receive_count": 1,
        "orderstore.message.outcome": "done",
    }
    for name, kind, operation, system in (
        ("create shop-order-events", SpanKind.PRODUCER, "create", "aws.sns"),
        ("publish shop-order-events", SpanKind.CLIENT, "send", "aws.sns"),
        ("receive shop-billing", SpanKind.CLIENT, "receive", "aws_sqs"),
        ("delete shop-billing", SpanKind.CLIENT, "settle", "aws_sqs"),
    ):
        span = recorded.named(name)[0]
        assert span.kind is kind
        assert told(span)["messaging.operation.type"] == operation
        assert told(span)["messaging.system"] == system
        assert ("messaging.batch.message_count" in told(span)) is (operation != "create")
    assert {span.kind for span in recorded.named("append shop-events")} == {SpanKind.CLIENT}
    (invoiced,) = [event.commit for event in history.events if event.name == "InvoiceIssued"]
    assert [told(span)["orderstore.commit"] for span in recorded.named("append_numbered shop-events")][-1] == invoiced


def test_what_readers_see_of_each_event_is_part_of_the_trace() -> None:
    """From when it was recorded until the view had it, below the span that wrote it."""
    recorded, _, history = followed()
    seen = recorded.named("project order_status")

    assert [told(span)["orderstore.event.id"] for span in seen] == [event.event_id for event in history.events]
    for span, event in zip(seen, history.events, strict=True):
        context = parse_traceparent(event.traceparent)
        assert context is not None
        assert parent_of(span) == context.span_id
        assert span.start_time == event.recorded_at_ms * 1_000_000


def test_nothing_failed_and_nothing_personal_is_told() -> None:
    """A lost race is no failure; neither mail address, nor name, nor what was bought stands in any span."""
    recorded, _, _ = followed()
    everything = "\n".join(span.to_json() for span in recorded.spans)

    assert {span.status.status_code for span in recorded.spans} == {StatusCode.UNSET}
    assert not any(span.events for span in recorded.spans)
    for personal in (ARTICLE["customerEmail"], "jane", "LAPTOP", "testclient", "127.0.0.1", "python-httpx"):
        assert personal not in everything


@pytest.mark.parametrize("copies", [pytest.param(1, marks=pytest.mark.thorough), 3])
def test_with_and_without_tracing_the_same_happens_once(copies: int) -> None:
    """Every message comes three times: each event is there once, with the same id and the same meaning, traced or not."""  # E072
    on, off = Recorded(), Off()
    key = {"Idempotency-Key": "checkout-17"}
    # The same seed for both: which of payment and stock comes last decides which event confirms the order.
    traced_shop, traced = run_seeded(SEED, lambda: completed(on.tracing, copies=copies, **key))
    plain_shop, plain = run_seeded(SEED, lambda: completed(off, copies=copies, **key))

    assert {event.event_id: event.name for event in traced.events} == {
        event.event_id: event.name for event in plain.events
    }
    assert all(event.traceparent is not None for event in traced.events)
    assert all(event.traceparent is None for event in plain.events)
    for shop in (traced_shop, plain_shop):
        assert Counter(event.event_id for event in shop.topic.published).most_common(1)[0][1] == 1
    assert all(TRACEPARENT not in event.attributes for event in plain_shop.topic.published)
    assert sum(1 for _ in on.named("append_numbered shop-events")) >= 1


def test_without_tracing_the_caller_s_trace_still_travels() -> None:
    """As it did before there were spans: every event has it, every message, and a worker that traces would go on from there."""
    shop, history = run_virtual(lambda: completed(Off(), traceparent=CALLER))

    assert {event.traceparent for event in history.events} == {CALLER}
    assert {event.attributes[TRACEPARENT] for event in shop.topic.published} == {CALLER}
    assert all(
        orjson.loads(event.body).get(TRACEPARENT) == CALLER
        for event in shop.topic.published
        if event.attributes["eventType"] != "CommitRecorded"
    )


def test_what_the_caller_does_not_sample_leaves_no_span_and_keeps_its_trace() -> None:
    """One decision for the whole order, made once; the log still says which trace it was."""
    recorded = Recorded()
    _, history = run_virtual(lambda: completed(recorded.tracing, traceparent=NOT_SAMPLED))

    assert recorded.spans == ()
    assert {(event.traceparent or "")[3:35] for event in history.events} == {CALLER[3:35]}
    assert {(event.traceparent or "")[-2:] for event in history.events} == {"00"}


@pytest.mark.thorough
def test_a_share_of_the_orders_is_sampled_whole() -> None:
    """A sampled order has all of its spans, another has none."""
    recorded = Recorded(ratio=0.5)

    async def scenario() -> list[History]:
        async with open_shop(recorded.tracing) as shop:
            ids = [await shop.place() for _ in range(4)]
            for order_id in ids:
                await shop.ends(order_id)
            return [await shop.orders.load(order_id) for order_id in ids]

    histories = run_virtual(scenario)
    spans = recorded.by_id()
    for history in histories:
        found = set()
        for event in history.events:
            context = parse_traceparent(event.traceparent)
            assert context is not None
            found.add((context.span_id in spans, context.is_sampled))
        assert found in ({(True, True)}, {(False, False)})


@pytest.mark.thorough
def test_published_again_a_message_has_the_same_body_and_a_context_of_its_own() -> None:
    """What is published twice differs only in the attribute: a queue's reader, and the archive, see the same event."""
    recorded = Recorded()

    async def scenario() -> Shop:
        async with open_shop(recorded.tracing) as shop:
            order_id = await shop.place()
            await shop.ends(order_id)
            history = await shop.orders.load(order_id)
            once = len(shop.topic.published)
            await shop.publish_again(history.stream)
            assert len(shop.topic.published) == 2 * once
            return shop

    published = run_virtual(scenario).topic.published
    by_id: dict[str, list[int]] = {}
    for place, event in enumerate(published):
        by_id.setdefault(event.event_id, []).append(place)
    for first, again in by_id.values():
        assert published[first].body == published[again].body
        mine, other = dict(published[first].attributes), dict(published[again].attributes)
        assert mine.pop(TRACEPARENT) != other.pop(TRACEPARENT)
        assert mine == other


def test_a_sender_s_own_trace_is_kept_and_without_one_the_work_s_is_taken() -> None:
    """As of an order in a file: its line says where it comes from, whatever span reads the file."""
    here = parse_traceparent(CALLER.replace("4bf9", "1111"))
    assert here is not None
    actor = Actor("service", "intake")

    with working_in(here):
        assert command("order-1", "order-created", actor, CALLER).traceparent == CALLER
        assert command("order-1", "order-created", actor, None).traceparent == here.traceparent
    assert command("order-1", "order-created", actor, None).traceparent is None
