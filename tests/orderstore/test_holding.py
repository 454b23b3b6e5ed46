"""The verbs `hold` and `release_hold`: one hold for one name, whoever asks how often; and the allowances that the door gives an order."""

import anyio
import pytest

from orderstore.domain.allowances import DEFAULTS
from orderstore.domain.events import Allowances, OrderCreated, OrderHeld, OrderHoldReleased
from orderstore.domain.rejections import HoldReused, UnknownHold, UnknownOrder
from orderstore.domain.state import Placed
from orderstore.expected import Exactly, WrongVersion
from orderstore.history import History
from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder, HoldOrder, ReleaseHold
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
from orderstore.wishes.holding import hold_id_of
from tests.ordering import ACTOR, TENANT, PlainVault, TickingClock, orders_over, request
from tests.virtual_time import run_virtual

OPERATOR = Actor("operator", "ops")


def asked(**changes: str) -> HoldOrder:
    return HoldOrder.model_validate({"reason": "fraud_review", **changes})


async def placed_order(orders: Orders) -> str:
    accepted = await orders.place(request(), actor=ACTOR, idempotency_key=None)
    order_id: str = accepted.history.events[0].order_id
    return order_id


def holds_of(history: History) -> list[tuple[str, str]]:
    assert isinstance(history.state, Placed)
    return [(hold.hold_id, hold.reason) for hold in history.state.holds]


def test_a_hold_is_written_down_with_who_placed_it_and_sealed_words() -> None:
    """The reason is for everybody, the words are not."""

    async def scenario() -> None:
        vault = PlainVault()
        orders = orders_over(vault=vault)
        order_id = await placed_order(orders)
        held = await orders.hold(
            order_id, asked(holdId="h-1", note="the third card"), actor=OPERATOR, idempotency_key="k"
        )
        released = await orders.release_hold(order_id, "h-1", ReleaseHold(note="it is hers"), actor=OPERATOR)

        assert held.new
        assert holds_of(held.history) == [("h-1", "fraud_review")]
        assert holds_of(released) == []
        for recorded, words in zip(released.events[-2:], (b"the third card", b"it is hers"), strict=True):
            event = recorded.event
            assert isinstance(event, OrderHeld | OrderHoldReleased)
            assert event.note is not None
            assert event.note.plain is None
            assert event.note.sealed is not None
            assert await vault.open(event.note.sealed, "") == words
            assert recorded.actor == OPERATOR

    run_virtual(scenario)


@pytest.mark.parametrize(
    "changes", [{"holdId": "h-1"}, {}, {"note": "words"}], ids=["named", "by its key", "with words"]
)
def test_a_repeat_is_the_same_hold_and_is_answered_the_same(changes: dict[str, str]) -> None:
    """Also after the release, also with the version of its first time, also when both come at once."""

    async def scenario() -> None:
        orders = orders_over()
        order_id = await placed_order(orders)
        answers = []

        async def place() -> None:
            hold = asked(**changes)
            answers.append(await orders.hold(order_id, hold, actor=OPERATOR, idempotency_key="k", expected=Exactly(1)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(place)
            tasks.start_soon(place)
        hold_id = hold_id_of(order_id, asked(**changes), "k")
        await orders.release_hold(order_id, hold_id, ReleaseHold(), actor=OPERATOR)
        await place()
        after = await orders.release_hold(order_id, hold_id, ReleaseHold(note="again"), actor=OPERATOR)

        assert [answer.new for answer in answers] in ([True, False, False], [False, True, False])
        assert [recorded.name for recorded in after.events] == ["OrderCreated", "OrderHeld", "OrderHoldReleased"]
        assert holds_of(after) == []

    run_virtual(scenario)


def test_two_names_are_two_holds_and_their_events_have_ids_that_follow_from_them() -> None:
    """A repeat after a crash, in any process, makes the same event."""

    async def scenario() -> None:
        orders, again = orders_over(), orders_over()
        ids = []
        for there in (orders, again):
            await there.place(request(), actor=ACTOR, idempotency_key="order")
            order_id = (await there.place(request(), actor=ACTOR, idempotency_key="order")).history.events[0].order_id
            await there.hold(order_id, asked(holdId="a"), actor=OPERATOR, idempotency_key="k")
            await there.hold(order_id, asked(), actor=OPERATOR, idempotency_key="k")
            await there.hold(order_id, asked(), actor=OPERATOR, idempotency_key="l")
            released = await there.release_hold(order_id, "a", ReleaseHold(), actor=OPERATOR)
            assert len(holds_of(released)) == 2
            ids.append([recorded.event_id for recorded in released.events])
        assert ids[0] == ids[1]
        assert len(set(ids[0])) == 5

    run_virtual(scenario)


@pytest.mark.parametrize("other", [{"reason": "address"}, {"note": "other words"}, {"note": ""}])
def test_a_name_means_one_hold_for_ever(other: dict[str, str]) -> None:
    """Another reason or other words under the same name: nothing is stored, and it is said."""

    async def scenario() -> None:
        orders = orders_over()
        order_id = await placed_order(orders)
        first = asked(holdId="h-1", note="words")
        await orders.hold(order_id, first, actor=OPERATOR, idempotency_key="k")
        with pytest.raises(HoldReused):
            await orders.hold(
                order_id, asked(holdId="h-1", **{"note": "words", **other}), actor=OPERATOR, idempotency_key="k"
            )
        assert len((await orders.load(order_id)).events) == 2

    run_virtual(scenario)


def test_a_hold_is_placed_on_what_was_seen_or_not_at_all() -> None:
    """`expected`, as everywhere; what is not there is unknown."""

    async def scenario() -> None:
        orders = orders_over()
        order_id = await placed_order(orders)
        with pytest.raises(WrongVersion):
            await orders.hold(order_id, asked(holdId="h"), actor=OPERATOR, idempotency_key="k", expected=Exactly(2))
        await orders.hold(order_id, asked(holdId="h"), actor=OPERATOR, idempotency_key="k", expected=Exactly(1))
        with pytest.raises(WrongVersion):
            await orders.release_hold(order_id, "h", ReleaseHold(), actor=OPERATOR, expected=Exactly(1))
        with pytest.raises(UnknownHold):
            await orders.release_hold(order_id, "other", ReleaseHold(note="words"), actor=OPERATOR)
        with pytest.raises(UnknownOrder):
            await orders.hold("nowhere", asked(), actor=OPERATOR, idempotency_key="k")
        assert len((await orders.load(order_id)).events) == 2

    run_virtual(scenario)


def test_the_words_about_an_erased_customer_are_not_kept_and_the_hold_is_placed_all_the_same() -> None:
    """Sealing them would bring back what was erased."""

    async def scenario() -> None:
        vault = PlainVault()
        orders = orders_over(vault=vault)
        order_id = await placed_order(orders)
        contact = (await orders.load(order_id)).events[0].event
        assert isinstance(contact, OrderCreated)
        assert contact.contact is not None
        vault.erased.add(contact.contact.subject)
        held = await orders.hold(order_id, asked(holdId="h", note="words"), actor=OPERATOR, idempotency_key="k")
        again = await orders.hold(order_id, asked(holdId="h", note="words"), actor=OPERATOR, idempotency_key="k")

        assert (held.new, again.new) == (True, False)
        assert held.history.events[-1].event == OrderHeld(hold_id="h", reason="fraud_review", note=None)

    run_virtual(scenario)


def test_a_hold_and_a_cancellation_at_the_same_moment_both_stand() -> None:
    """The loser decides anew on top of the winner, whichever that is."""

    async def scenario() -> None:
        orders = orders_over()
        order_id = await placed_order(orders)

        async def hold() -> None:
            await orders.hold(order_id, asked(holdId="h"), actor=OPERATOR, idempotency_key="k")

        async def cancel() -> None:
            await orders.cancel(order_id, CancelOrder(), actor=ACTOR)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hold)
            tasks.start_soon(cancel)
        history = await orders.load(order_id)
        assert {recorded.name for recorded in history.events[1:]} == {"OrderHeld", "OrderCancellationRequested"}
        assert holds_of(history) == [("h", "fraud_review")]

    run_virtual(scenario)


def test_an_order_is_placed_with_the_allowances_of_the_day() -> None:
    """They stand in its first event: another setting tomorrow moves no deadline of today's orders."""

    async def scenario() -> None:
        store, clock = MemoryEventStore(), TickingClock()
        own = Allowances(outcomes_s=1, dispatch_s=2, delivery_s=3, undo_s=4, refund_s=5)
        common = {"tenant": TENANT, "vault": PlainVault(), "hooks_allowed": True, "now_ms": clock}
        today = Orders(Transactor(store, now_ms=clock), allowances=own, **common)  # type: ignore[arg-type]  # as named
        tomorrow = Orders(Transactor(store, now_ms=clock), **common)  # type: ignore[arg-type]  # as named
        first = await today.place(request(), actor=ACTOR, idempotency_key="k")
        repeat = await tomorrow.place(request(), actor=ACTOR, idempotency_key="k")
        created, again = first.history.events[0].event, repeat.history.events[0].event

        assert isinstance(created, OrderCreated)
        assert created.allowances == own
        assert again == created
        usual = (await orders_over().place(request(), actor=ACTOR, idempotency_key=None)).history.events[0].event
        assert isinstance(usual, OrderCreated)
        assert usual.allowances == DEFAULTS

    run_virtual(scenario)
