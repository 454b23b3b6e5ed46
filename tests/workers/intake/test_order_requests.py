"""Order requests from the bus: one order each, whatever comes twice; a refusal is an answer, with reasons and without what was sent."""

import json
from typing import Any

import anyio
import pytest

from orderstore.privacy.keys import KeyUnusable
from orderstore.store.errors import Throttled
from tests.virtual_time import run_virtual
from tests.workers.intake.intake_world import SHOP, TEA, IntakeWorld, event, line
from tests.workers.world import Crash, Faults
from workers.classify import classify, is_outage
from workers.envelope import MalformedMessage
from workers.intake.queue.requests import traceparent_of_xray
from workers.intake.reports import ACCEPTED, REJECTED, SOURCE, ReportNotSent
from workers.runtime.outcome import Done, Poison

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def asked(world: IntakeWorld, detail: object, **envelope: Any) -> dict[str, Any]:
    """Hand the request in and return the detail of its report."""
    assert await world.handle(event(detail, **envelope)) == Done()
    return dict(world.reports.sent[-1].detail)


def test_a_request_becomes_an_order_and_its_sender_learns_which() -> None:
    """The report names the event it answers, so that no more than PutEvents' own answer is needed to tie them together."""  # B01, B05

    async def scenario() -> None:
        world = IntakeWorld()
        report = await asked(world, TEA, id="event-1")
        history = await world.orders.load(report["orderId"])

        assert (report["requestId"], report["requestSource"], report["repeated"]) == ("event-1", SHOP, False)
        assert world.reports.sent[0].detail_type == ACCEPTED
        created = history.events[0]
        assert (created.actor.type, created.actor.id) == ("service", f"intake:{SHOP}")
        assert getattr(created.event, "channel", None) == "events"

    run_virtual(scenario)


def test_a_worker_takes_requests_up_by_itself() -> None:
    """As many as a day of a shop, handed to the queue while no worker runs: it begins to work and needs no other sign."""  # B04, B07, B08

    async def scenario() -> None:
        world = IntakeWorld()
        for number in range(300):
            await world.queue.send(event({**TEA, "idempotencyKey": f"order-{number}"}))
        assert await world.orders_placed() == 0
        async with world.working():
            await anyio.sleep(20)  # of virtual time: one long poll

        assert await world.orders_placed() == 300
        assert (await world.queue.depths()).dead_letters == 0

    run_virtual(scenario)


@pytest.mark.parametrize("detail", [TEA, {**TEA, "idempotencyKey": "A-1"}], ids=["no key", "own key"])
def test_the_same_event_twice_is_one_order_and_one_report(detail: dict[str, Any]) -> None:
    """Deliveries are at least once; the second report has the id of the first, so that whoever listens drops it."""  # B09

    async def scenario() -> None:
        world = IntakeWorld()
        first = await asked(world, detail, id="event-1")
        second = await asked(world, detail, id="event-1", **{"replay-name": "monday"})

        assert await world.orders_placed() == 1
        assert (first["orderId"], first["reportId"]) == (second["orderId"], second["reportId"])
        assert (first["repeated"], second["repeated"]) == (False, True)

    run_virtual(scenario)


def test_a_sender_s_own_key_outlives_the_event() -> None:
    """An event that is sent again has another id; with its own key it is the same request."""

    async def scenario() -> None:
        world = IntakeWorld()
        keyed = {**TEA, "idempotencyKey": "A-1"}
        first, second = await asked(world, keyed), await asked(world, keyed)
        elsewhere = await asked(world, keyed, source="other.example")

        assert first["orderId"] == second["orderId"]
        assert first["reportId"] != second["reportId"]
        assert elsewhere["orderId"] != first["orderId"]  # keys count within their source
        assert await world.orders_placed() == 2

    run_virtual(scenario)


def test_a_key_that_named_another_request_is_refused() -> None:
    """As at the API: nothing is stored, and the first order stays as it is."""  # B02

    async def scenario() -> None:
        world = IntakeWorld()
        await asked(world, {**TEA, "idempotencyKey": "A-1"})
        report = await asked(world, {**TEA, "currency": "USD", "idempotencyKey": "A-1"})

        assert (world.reports.sent[-1].detail_type, report["code"]) == (REJECTED, "idempotency_key_reused")
        assert await world.orders_placed() == 1

    run_virtual(scenario)


def test_an_invalid_request_is_refused_field_by_field_and_nothing_is_stored() -> None:
    """All that is wrong at once, by pointer."""  # B02, B03

    async def scenario() -> None:
        world = IntakeWorld()
        items = [{"sku": "", "quantity": "2", "price": "1,5"}]
        report = await asked(world, {"items": items, "colour": "red", "idempotencyKey": "é"})

        assert report["code"] == "invalid"
        assert {(error["pointer"], error["code"]) for error in report["errors"]} == {
            ("/idempotencyKey", "malformed"),
            ("/items/0/sku", "string_too_short"),
            ("/items/0/quantity", "int_type"),
            ("/items/0/price", "value_error"),
            ("/currency", "missing"),
            ("/colour", "extra_forbidden"),
        }
        assert await world.orders_placed() == 0

    run_virtual(scenario)


@pytest.mark.parametrize(
    "wrong",
    [
        {"customerEmail": "jane(doe@secret.example"},
        {"customerName": "Jane\u0000Doe"},
        {"jane.doe@secret.example": "Jane"},
        {"reference": "jane.doe@secret.example"},
        {"paymentMethod": "4111 1111 1111 1111"},
        {"idempotencyKey": "4111111111111111"},
        {"total": "987654.32"},
        {"placedAt": "Jane's birthday"},
    ],
    ids=lambda wrong: next(iter(wrong)).partition("@")[0],
)
def test_a_refusal_repeats_nothing_of_what_was_sent(wrong: dict[str, Any]) -> None:
    """The bus has other readers than the sender: neither values nor names that the sender made up leave."""  # D31, K1

    async def scenario() -> None:
        world = IntakeWorld()
        report = await asked(world, {**TEA, **wrong})
        text = json.dumps(report)

        assert world.reports.sent[-1].detail_type == REJECTED
        assert not [word for word in ("ane", "doe", "secret", "4111", "987654", "25.00", "(") if word in text]

    run_virtual(scenario)


@pytest.mark.parametrize("price", ["12.345678", "0.1", "850", "1E+2"])
def test_prices_are_taken_as_they_were_written(price: str) -> None:
    """A JSON number passes through no binary fraction."""

    async def scenario() -> None:
        world = IntakeWorld()
        body = event({**TEA, "items": [{"sku": "TEA", "quantity": 3, "price": "PRICE"}]}).replace('"PRICE"', price)
        await world.handle(body)
        order = (await world.orders.load(world.reports.sent[0].detail["orderId"])).events[0].event

        assert str(order.lines[0].unit_price) == price  # type: ignore[union-attr]  # it is the OrderCreated

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("price", "says"),
    [("1e99999999999999999999", "not_json"), ("NaN", "not_json"), ('1,"price":2', "not_json")],
    ids=["beyond all bounds", "NaN", "twice"],
)
def test_what_is_no_acceptable_json_is_refused_as_long_as_the_envelope_says_whose_it_is(price: str, says: str) -> None:
    """Its sender is told; it does not end among the dead letters."""  # B02

    async def scenario() -> None:
        world = IntakeWorld()
        items = [{"sku": "TEA", "quantity": 3, "price": "PRICE"}]
        assert await world.handle(event({**TEA, "items": items}, id="event-1").replace('"PRICE"', price)) == Done()
        (report,) = world.reports.sent

        assert (report.detail["code"], report.detail["requestId"]) == (says, "event-1")
        assert await world.orders_placed() == 0

    run_virtual(scenario)


@pytest.mark.parametrize(
    "body",
    [
        "garbage",
        "[]",
        "{}",
        "[" * 100_000,
        event(TEA).replace('"detail"', '"retail"'),
        event(TEA, source=""),
        event(TEA, kind="Something else"),
        event(TEA, source=SOURCE),
        event({"orderId": "1"}, source=SOURCE, kind=ACCEPTED),
        event(TEA, source="orderstore"),
    ],
    ids=lambda body: body[:20],
)
def test_what_is_no_order_request_is_poison(body: str) -> None:
    """Nobody could be told. Our own reports are among it, should a rule ever let them through: no loop comes of that."""

    async def scenario() -> None:
        world = IntakeWorld()
        with pytest.raises(MalformedMessage) as raised:
            await world.handle(body)

        assert isinstance(classify(raised.value), Poison)
        assert world.reports.sent == []
        assert await world.orders_placed() == 0

    run_virtual(scenario)


def test_poison_is_a_dead_letter_and_holds_nobody_up() -> None:
    """Through the real loop: the good ones are placed, the bad one lies there with its cause."""  # B03, E060

    async def scenario() -> None:
        world = IntakeWorld()
        for body in (event(TEA), "garbage", event(TEA)):
            await world.queue.send(body)
        async with world.working():
            await anyio.sleep(20)
        (letter,) = await world.dead.receive(max_messages=1, wait_s=0, visibility_timeout_s=60)

        assert await world.orders_placed() == 2
        assert "not an event of EventBridge" in letter.attributes["deadLetterReason"]

    run_virtual(scenario)


def test_a_process_may_die_at_any_call() -> None:
    """Before and after each: with the next delivery the order is there once, and the report is."""  # B09, D11

    async def calls() -> int:
        faults = Faults()
        await IntakeWorld(faults=faults).handle(event(TEA))
        return faults.calls

    async def scenario(at: int, after: bool) -> None:
        faults = Faults(at=at, after=after)
        world = IntakeWorld(faults=faults)
        with pytest.raises(Crash):
            await world.handle(event(TEA, id="event-1"))
        faults.armed = False
        await world.handle(event(TEA, id="event-1"))

        assert await world.orders_placed() == 1
        assert [report.detail_type for report in world.told()] == [ACCEPTED]

    total = run_virtual(calls)
    assert total >= 2
    for at in range(1, total + 1):
        for after in (False, True):
            run_virtual(scenario, at, after)


def test_business_refusals_are_answers() -> None:
    """Test hooks in production, and a customer who was erased: told as at the API."""  # B02, K7

    async def scenario() -> None:
        world = IntakeWorld(hooks=False)
        hooks = await asked(world, {**TEA, "paymentOutcome": "declined"})
        world.vault.erased.add("customer-customer-7")
        world.vault.erased.add("customer:customer-7")
        erased = await asked(world, {**TEA, "customerId": "customer-7", "customerName": "Jane"})

        assert hooks["code"] == "hooks_refused"
        assert len(hooks["errors"]) == 4
        assert erased["code"] == "customer_erased"

    run_virtual(scenario)


def test_the_sender_s_trace_goes_into_the_order() -> None:
    """Its own, or the delivery's; one that is malformed is dropped and refuses nothing."""

    async def scenario() -> None:
        world = IntakeWorld()
        own = await asked(world, {**TEA, "traceparent": TRACE})
        bad = await asked(world, {**TEA, "traceparent": 7})
        await world.handle(
            event(TEA), AWSTraceHeader="Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
        )
        handed = world.reports.sent[-1].detail
        traces = [(await world.orders.load(it["orderId"])).events[0].traceparent for it in (own, bad, handed)]

        assert traces == [TRACE, None, "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"]

    run_virtual(scenario)


@pytest.mark.parametrize("header", [None, "", "Root=1-2-3", "Root=1-5759e988-bd862e3fe1be46a994272793", "junk;;=="])
def test_an_x_ray_header_without_a_trace_is_none(header: str | None) -> None:
    """EventBridge hands on what it was given."""
    assert traceparent_of_xray(header) is None


def test_the_log_names_no_source_that_is_no_plain_name() -> None:
    """What stands in the log in the clear stands there for ever: an address in a source's name could not be erased."""

    async def scenario() -> None:
        world = IntakeWorld()
        report = await asked(world, TEA, source="jane.doe@secret.example")

        assert (await world.orders.load(report["orderId"])).events[0].actor.id == "intake"

    run_virtual(scenario)


def test_trouble_is_no_answer() -> None:
    """The log or the bus is down: the message waits, burns no receive, and nobody is told anything."""  # D12

    async def scenario(error: Exception, port: str, method: str) -> None:
        world = IntakeWorld()

        async def down(*_: object, **__: object) -> None:
            raise error

        setattr(getattr(world, port), method, down)
        with pytest.raises(type(error)):
            await world.handle(event({**TEA, "customerName": "Jane"}))

    run_virtual(scenario, Throttled("PutItem", tries=8), "store", "append")
    run_virtual(scenario, ReportNotSent("the bus"), "reports", "send")
    run_virtual(scenario, KeyUnusable("customer-7", "tampered with"), "vault", "seal")
    assert is_outage(ReportNotSent("the bus"))


@pytest.mark.parametrize(
    ("source", "key"),
    [("files", "basket-1"), ("shop.example:key:mine", "1"), ("shop.example:event:mine", "1")],
    ids=["a source called as files are", "a source that goes on like a key", "a source that goes on like an event"],
)
def test_no_source_can_be_mistaken_for_another(source: str, key: str) -> None:
    """Own keys count within their source: a name that is chosen cunningly meets nobody else's order."""

    async def scenario() -> None:
        world = IntakeWorld()
        await world.upload(line(1, idempotencyKey="basket-1"))
        await world.drain()
        await world.handle(event({**TEA, "idempotencyKey": "mine:key:1"}))
        await world.handle(event({**TEA, "idempotencyKey": "mine:event:1"}))
        before = await world.orders_placed()
        await world.handle(event({**TEA, "idempotencyKey": key}, source=source))
        await world.handle(event(TEA, source=source, id="1"))
        assert await world.orders_placed() == before + 2

    run_virtual(scenario)
