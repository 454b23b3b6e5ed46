"""The door: durable before it answers, once per key, and nothing stored for a refusal."""

from functools import partial

import anyio
import pytest

from orderstore.domain import billing
from orderstore.domain import decisions as d
from orderstore.domain.events import OrderCreated
from orderstore.domain.ids import stream_of
from orderstore.domain.rejections import TooLateToCancel, UnknownOrder
from orderstore.domain.state import Cancelling, Confirmed, Received
from orderstore.orders import CustomerErased, HooksRefused, KeyReused
from orderstore.requests import CancelOrder, RequestRefund
from orderstore.store.errors import Unavailable
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.builders import BOOKED, DISPATCHED, PAID, RESERVED
from tests.ordering import ACTOR, TENANT, PlainVault, cause, orders_over, request
from tests.virtual_time import run_virtual


async def stored(store: MemoryEventStore) -> int:
    return len([stream async for stream in store.streams()])


def test_an_accepted_order_is_in_the_log_before_the_answer() -> None:
    """One commit, one event, the article's total, and no plain personal data."""  # E008, E039, E099, D16, K1

    async def scenario() -> None:
        store = MemoryEventStore()
        accepted = await orders_over(store).place(request(), actor=ACTOR, idempotency_key=None)

        (commit,) = await store.read(accepted.history.stream)
        assert accepted.new
        assert isinstance(accepted.history.state, Received)
        assert accepted.history.state.order.total_minor == 90_000
        assert b"ada@example.com" not in commit.body

    run_virtual(scenario)


def test_the_same_key_and_request_is_the_same_order() -> None:
    """A repeat meets its own first commit: same order, same event id, nothing appended."""  # E044, design 2

    async def scenario() -> None:
        store = MemoryEventStore()
        orders = orders_over(store)
        first = await orders.place(request(), actor=ACTOR, idempotency_key="key-1")
        again = await orders.place(request(), actor=ACTOR, idempotency_key="key-1")

        assert (first.new, again.new) == (True, False)
        assert first.history.events == again.history.events
        assert await stored(store) == 1

    run_virtual(scenario)


def test_prices_that_are_equal_make_equal_requests() -> None:
    """850, "850" and "850.00" are one price: a client may write it as it likes in its retry."""

    async def scenario() -> None:
        orders = orders_over()
        items = [{"sku": "A", "quantity": 1, "price": price} for price in (850, "850", "850.00")]
        answers = [await orders.place(request(items=[item]), actor=ACTOR, idempotency_key="key-1") for item in items]

        assert [answer.new for answer in answers] == [True, False, False]

    run_virtual(scenario)


def test_the_same_key_with_another_request_is_refused() -> None:
    """Nothing is stored over the first order."""

    async def scenario() -> None:
        store = MemoryEventStore()
        orders = orders_over(store)
        first = await orders.place(request(), actor=ACTOR, idempotency_key="key-1")
        with pytest.raises(KeyReused):
            await orders.place(request(currency="GBP"), actor=ACTOR, idempotency_key="key-1")

        assert len(await store.read(first.history.stream)) == 1

    run_virtual(scenario)


def test_another_person_is_another_request_until_the_first_is_erased() -> None:
    """Personal data are compared, not hashed: once they cannot be read, a repeat is taken at its word."""

    async def scenario() -> None:
        vault = PlainVault()
        orders = orders_over(vault=vault)
        first = await orders.place(request(customerId="c-1"), actor=ACTOR, idempotency_key="key-1")
        with pytest.raises(KeyReused):
            await orders.place(
                request(customerId="c-1", customerEmail="bob@example.com"), actor=ACTOR, idempotency_key="key-1"
            )

        vault.erased.add("customer:c-1")
        again = await orders.place(request(customerId="c-1"), actor=ACTOR, idempotency_key="key-1")
        assert (again.new, again.history.events) == (False, first.history.events)

    run_virtual(scenario)


def test_an_erased_customer_is_told_so_and_nothing_is_stored() -> None:
    """A repeat of an earlier order is answered, another body under its key is refused, a new order with personal data is not taken."""

    async def scenario() -> None:
        vault, store = PlainVault(), MemoryEventStore()
        orders = orders_over(store, vault=vault)
        await orders.place(request(customerId="c-1"), actor=ACTOR, idempotency_key="key-1")
        vault.erased.add("customer:c-1")

        with pytest.raises(KeyReused):
            await orders.place(request(customerId="c-1", currency="GBP"), actor=ACTOR, idempotency_key="key-1")
        for key in ("key-2", None):
            with pytest.raises(CustomerErased):
                await orders.place(request(customerId="c-1"), actor=ACTOR, idempotency_key=key)
        assert await stored(store) == 1

    run_virtual(scenario)


def test_no_hash_in_the_log_is_made_of_personal_data() -> None:
    """Two people with the same basket have the same request hash: a guessed address can be confirmed by nothing."""

    async def scenario() -> None:
        orders = orders_over()
        answers = [
            await orders.place(request(customerEmail=email), actor=ACTOR, idempotency_key=None)
            for email in ("ada@example.com", "bob@example.com")
        ]

        created = [answer.history.events[0].event for answer in answers]
        assert created[0].request_hash == created[1].request_hash

    run_virtual(scenario)


def test_sixty_four_repeats_at_once_make_one_order() -> None:
    """Concurrent repeats of one key: one is new, all answer with the same event."""

    async def scenario() -> None:
        store = MemoryEventStore()
        orders = orders_over(store)
        answers = []

        async def place() -> None:
            answers.append(await orders.place(request(), actor=ACTOR, idempotency_key="key-1"))

        async with anyio.create_task_group() as group:
            for _ in range(64):
                group.start_soon(place)

        assert [answer.new for answer in answers].count(True) == 1
        assert len({answer.history.events[0].event_id for answer in answers}) == 1
        assert await stored(store) == 1

    run_virtual(scenario)


def test_test_hooks_are_refused_outside_the_sandbox() -> None:
    """paymentOutcome and its like are for the sandbox providers; elsewhere nothing is stored."""  # K5, E038

    async def scenario() -> None:
        store = MemoryEventStore()
        orders = orders_over(store, hooks_allowed=False)
        for hook in ({"payment_outcome": "declined"}, {"simulate_technical_failure": "payment"}):
            with pytest.raises(HooksRefused):
                await orders.place(request(**hook), actor=ACTOR, idempotency_key="key-1")

        assert await stored(store) == 0

    run_virtual(scenario)


def test_outcomes_that_race_are_joined_in_one_of_their_commits() -> None:
    """Payment and inventory append at once: the loser decides again on the winner's commit and carries the join."""

    async def scenario() -> None:
        store = MemoryEventStore()
        orders = orders_over(store)
        before = (await orders.place(request(), actor=ACTOR, idempotency_key=None)).history
        async with anyio.create_task_group() as group:
            for purpose, decide in (
                ("payment-outcome", partial(d.complete_payment, outcome=PAID)),
                ("inventory-outcome", partial(d.reserve_inventory, outcome=RESERVED)),
            ):
                group.start_soon(partial(orders.record, before, decide, cause=cause(purpose)))

        after = await orders.load(before.events[0].order_id)
        commits = await store.read(before.stream)
        assert isinstance(after.state, Confirmed)
        assert [commit.number for commit in commits] == [1, 2, 3]
        assert [recorded.version for recorded in after.events] == [1, 2, 3, 4]

    run_virtual(scenario)


def test_a_worker_that_is_late_decides_on_what_happened_meanwhile() -> None:
    """Its history is two commits old: it is handed the commit that it missed, and its outcome adds nothing."""

    async def scenario() -> None:
        store = MemoryEventStore()
        orders = orders_over(store)
        old = (await orders.place(request(), actor=ACTOR, idempotency_key=None)).history
        paid = await orders.record(old, partial(d.complete_payment, outcome=PAID), cause=cause("payment-outcome"))
        await orders.record(paid, partial(d.reserve_inventory, outcome=RESERVED), cause=cause("inventory-outcome"))

        late = await orders.record(old, partial(d.complete_payment, outcome=PAID), cause=cause("payment-outcome"))
        assert [item.name for item in late.events] == ["OrderCreated", "PaymentCompleted"]
        assert len(await store.read(old.stream)) == 3

    run_virtual(scenario)


def test_a_client_may_ask_twice_to_cancel_and_not_after_dispatch() -> None:
    """The second request adds nothing; after the pivot it is too late; an unknown order is unknown."""

    async def scenario() -> None:
        orders = orders_over()
        placed = (await orders.place(request(), actor=ACTOR, idempotency_key=None)).history
        order_id = placed.events[0].order_id
        first = await orders.cancel(order_id, CancelOrder(), actor=ACTOR)
        again = await orders.cancel(order_id, CancelOrder(), actor=ACTOR)
        assert isinstance(again.state, Cancelling)
        assert first.events == again.events

        sent = (await orders.place(request(), actor=ACTOR, idempotency_key=None)).history
        for purpose, decide in (
            ("a", partial(d.complete_payment, outcome=PAID)),
            ("b", partial(d.reserve_inventory, outcome=RESERVED)),
            ("c", partial(d.create_shipment, outcome=BOOKED)),
            ("d", partial(d.dispatch_shipment, outcome=DISPATCHED)),
        ):
            sent = await orders.record(sent, decide, cause=cause(purpose))
        with pytest.raises(TooLateToCancel):
            await orders.cancel(sent.events[0].order_id, CancelOrder(), actor=ACTOR)
        with pytest.raises(UnknownOrder):
            await orders.cancel("00000000-0000-0000-0000-000000000000", CancelOrder(), actor=ACTOR)

    run_virtual(scenario)


def test_a_refund_asked_twice_with_one_key_is_one_refund() -> None:
    """And another key is another refund, as long as pieces are left."""

    async def scenario() -> None:
        orders = orders_over()
        placed = (await orders.place(request(), actor=ACTOR, idempotency_key=None)).history
        order_id = placed.events[0].order_id
        refund = RequestRefund.model_validate({"lines": [{"line": 1, "quantity": 1}], "reason": "broken"})
        for key in ("one", "one", "two"):
            after = await orders.request_refund(order_id, refund, actor=ACTOR, idempotency_key=key)

        assert [recorded.name for recorded in after.events] == ["OrderCreated", "RefundRequested", "RefundRequested"]

    run_virtual(scenario)


def test_a_store_that_fails_before_the_append_leaves_nothing_behind() -> None:
    """The client gets the error, the log has no trace, and the same key works afterwards."""

    class Failing(MemoryEventStore):
        broken = True

        async def append(self, commit: Commit) -> None:
            if self.broken:
                raise Unavailable("PutItem", tries=3, ambiguous=False)
            await super().append(commit)

    async def scenario() -> None:
        store = Failing()
        orders = orders_over(store)
        with pytest.raises(Unavailable):
            await orders.place(request(), actor=ACTOR, idempotency_key="key-1")
        assert await stored(store) == 0

        store.broken = False
        accepted = await orders.place(request(), actor=ACTOR, idempotency_key="key-1")
        created = accepted.history.events[0].event
        assert isinstance(created, OrderCreated)
        assert accepted.history.stream == stream_of(TENANT, created.order_id)

    run_virtual(scenario)


@pytest.mark.thorough
def test_two_hundred_invoices_at_once_are_numbered_one_to_two_hundred() -> None:
    """Number and commit are one transaction: no gap, no duplicate, however they race."""  # domain 5.5 (4)

    async def scenario() -> None:
        store = MemoryEventStore()
        orders = orders_over(store)
        numbers: list[int] = []

        async def invoice() -> None:
            sent = (await orders.place(request(), actor=ACTOR, idempotency_key=None)).history
            for purpose, decide in (
                ("a", partial(d.complete_payment, outcome=PAID)),
                ("b", partial(d.reserve_inventory, outcome=RESERVED)),
                ("c", partial(d.create_shipment, outcome=BOOKED)),
                ("d", partial(d.dispatch_shipment, outcome=DISPATCHED)),
            ):
                sent = await orders.record(sent, decide, cause=cause(purpose))
            at = sent.events[-1].occurred_at

            def decide_numbered(state, number):
                return billing.issue_invoice(state, series="INV-2026", number=number, issued_at=at, supplied_at=at)

            async with turn:  # as the billing worker: one at a time in one process
                done = await orders.record_numbered(sent, decide_numbered, counter="INV-2026", cause=cause("invoice"))
            numbers.append(done.events[-1].event.number)

        turn = anyio.Semaphore(4)
        async with anyio.create_task_group() as group:
            for _ in range(200):
                group.start_soon(invoice)

        assert sorted(numbers) == list(range(1, 201))
        assert await store.counter("INV-2026") == 200

    run_virtual(scenario)
