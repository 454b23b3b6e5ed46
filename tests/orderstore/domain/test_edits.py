"""What an edit costs, when an order takes one, and what becomes of it: the rules, one by one."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from orderstore import asked_prices, request_fields, requests
from orderstore.domain import decisions as d
from orderstore.domain import edits, next_steps
from orderstore.domain import events as e
from orderstore.domain.deciding import ATTEMPTS_MAX
from orderstore.domain.edits import Added
from orderstore.domain.money import CURRENCIES, exact_sum, round_to_minor
from orderstore.domain.pricing import Asked, gross_minor, price
from orderstore.domain.rejections import (
    EditRefused,
    EditUnderWay,
    OrderClosed,
    TooEarlyToEdit,
    TooLateToEdit,
    TooManyAttempts,
    UnknownEdit,
)
from orderstore.domain.state import Cancelled, Cancelling, Confirmed, ImpossibleTransition, Order, evolve, fold
from tests.builders import (
    BOOKED,
    BOOKING_CANCELLED,
    CAPTURED,
    DECLINED,
    DELIVERED,
    DISPATCHED,
    PAID,
    PAID_AT_ONCE,
    RESERVED,
    given,
    line,
    order_created,
)

LAMP = (Added(line=line("LAMP-003", 2, "19.99")),)
READY = (PAID, RESERVED, e.OrderConfirmed())
CANCELLED_PIECES = e.LinesCancelled(
    cancellation_id="c", lines=(e.Pieces(line=1, quantity=1),), amount_minor=2_500, reason="customer"
)
PRICES = st.decimals(0, 10_000, places=4)
LINES = st.lists(st.tuples(st.integers(1, 50), PRICES), min_size=1, max_size=5)


def asked(order: Order, *, edit_id: str = "e", added: tuple[Added, ...] = LAMP) -> Order:
    """The order, when more of it is wanted."""
    return after(order, d.request_edit(order, edit_id=edit_id, added=added))


def after(order: Order, events: tuple[e.Event, ...]) -> Order:
    state = fold(order, events)
    assert isinstance(state, Order)
    return state


def set_aside(order: Order, **changes: Any) -> Order:
    assert order.open_edit is not None
    outcome = e.OrderEditReserved(edit_id=order.open_edit.edit_id, reservation_id="r-2", **changes)
    return after(order, d.reserve_edit(order, outcome=outcome))


def covered(order: Order, **changes: Any) -> Order:
    edit = order.open_edit
    assert edit is not None
    outcome = replace(PAID, attempt=edit.attempt, amount_minor=edit.due_minor, provider_reference="ch_2", **changes)
    return after(order, d.cover_edit(order, edit_id=edit.edit_id, outcome=outcome))


def names(events: tuple[e.Event, ...]) -> list[str]:
    return [type(event).__name__ for event in events]


@drawn(ordered=LINES, added=LINES, currency=st.sampled_from(sorted(CURRENCIES)))
def test_an_order_that_grew_costs_what_it_had_cost_at_once(ordered: Any, added: Any, currency: str) -> None:
    """Without taxes it is the exact sum of all its lines, rounded once: an edit never costs the rounding a second time."""
    lines = tuple(e.OrderLine(sku="A", quantity=count, unit_price=unit) for count, unit in ordered)
    more = tuple(e.OrderLine(sku="B", quantity=count, unit_price=unit) for count, unit in added)
    order = order_created(lines, currency=currency)
    amount_minor, pricing = edits.priced(order, [Added(line=one) for one in more])
    grown = edits.edited(order, e.OrderEditApplied(edit_id="e", lines=more, amount_minor=amount_minor))
    assert pricing is None
    assert amount_minor >= 0
    assert grown == order_created((*lines, *more), currency=currency)


@drawn(
    ordered=LINES, added=LINES, mode=st.sampled_from(("inclusive", "exclusive")), by=st.sampled_from(("line", "unit"))
)
def test_with_taxes_too(ordered: Any, added: Any, mode: Any, by: Any) -> None:
    """By the order's own rules each line costs what it had cost in the order from the beginning, by every rate."""
    rules: dict[str, Any] = {"currency": "EUR", "tax_mode": mode, "tax_rounding": by}

    def taxed(lines: Any, rate: str) -> list[Asked]:
        return [Asked(quantity=n, unit_price=unit, tax_rate_percent=Decimal(rate)) for n, unit in lines]

    first, both = price(taxed(ordered, "19"), **rules), price([*taxed(ordered, "19"), *taxed(added, "7")], **rules)
    exact = exact_sum([(1, Decimal(gross_minor(first)).scaleb(-2))])
    lines = tuple(e.OrderLine(sku="A", quantity=count, unit_price=unit) for count, unit in ordered)
    order = order_created(lines, currency="EUR", pricing=first, total_minor=gross_minor(first), total_exact=exact)
    more = [
        Added(line=e.OrderLine(sku="B", quantity=count, unit_price=unit), tax_rate_percent=Decimal("7.0"))
        for count, unit in added
    ]
    amount_minor, pricing = edits.priced(order, more)
    applied = e.OrderEditApplied(
        edit_id="e", lines=tuple(one.line for one in more), amount_minor=amount_minor, pricing=pricing
    )
    grown = edits.edited(order, applied)
    assert grown.pricing == both
    assert grown.total_minor == gross_minor(both) == round_to_minor(grown.total_exact, "EUR")


def test_an_order_is_bounded_however_it_grew() -> None:
    """By what the door lets in with a new one."""
    assert (edits.LINES_MAX, edits.TOTAL_MINOR_MAX) == (requests.LINES_MAX, request_fields.TOTAL_MINOR_MAX)
    assert edits.TAX_RATES_MAX == asked_prices.TAX_RATES_MAX
    order = order_created((line(),) * 4_999)
    edits.priced(order, LAMP)
    with pytest.raises(EditRefused, match="5000 lines"):
        edits.priced(order, LAMP * 2)
    with pytest.raises(EditRefused, match="comes to at most"):
        edits.priced(order_created(), [Added(line=line("A", 1_000_000, "9999999"))] * 2)
    rate = e.PricedLine(net_minor=1, tax_minor=0, tax_rate_percent=Decimal(0))
    pricing = e.Pricing(
        tax_mode="inclusive",
        tax_rounding="line",
        lines=tuple(replace(rate, tax_rate_percent=Decimal(at)) for at in range(20)),
    )
    full = order_created((line(),) * 20, pricing=pricing)
    edits.priced(full, [replace(LAMP[0], tax_rate_percent=Decimal("19.0"))])
    with pytest.raises(EditRefused, match="20 different tax rates"):
        edits.priced(full, [replace(LAMP[0], tax_rate_percent=Decimal("19.5"))])
    with pytest.raises(EditRefused, match="smallest units"):
        edits.priced(full, [replace(LAMP[0], discount=Decimal("0.001"))])
    with pytest.raises(EditRefused, match="discount"):
        edits.priced(full, [replace(LAMP[0], discount=Decimal("40.00"))])


@pytest.mark.parametrize(
    ("history", "refusal"),
    [
        ((), TooEarlyToEdit),
        ((PAID,), TooEarlyToEdit),
        ((DECLINED,), TooEarlyToEdit),
        ((*READY, e.PaymentAuthorizationExpired(provider_reference="ch_1")), TooEarlyToEdit),
        ((PAID_AT_ONCE, RESERVED, e.OrderConfirmed()), TooLateToEdit),
        ((*READY, BOOKED), TooLateToEdit),
        ((*READY, BOOKED, DISPATCHED), TooLateToEdit),
        ((*READY, BOOKED, DISPATCHED, CAPTURED, DELIVERED), TooLateToEdit),
        ((*READY, e.RefundRequested(refund_id="r", amount_minor=1)), TooLateToEdit),
        ((*READY, e.OrderCancellationRequested(reason="customer")), OrderClosed),
        ((DECLINED, e.OrderRejected(reasons=("payment_failed",))), OrderClosed),
    ],
)
def test_an_order_that_takes_no_edit_says_why(history: tuple[e.Event, ...], refusal: type[Exception]) -> None:
    """Too early is to be tried again, too late is a second order."""
    with pytest.raises(refusal):
        d.request_edit(given(*history), edit_id="e", added=LAMP)


@pytest.mark.parametrize(
    "history",
    [
        READY,
        (*READY, e.OrderHeld(hold_id="h", reason="operator")),
        (*READY, BOOKED, e.ShipmentFailed(shipment_id="shipment-1", code="no")),
        (*READY, CANCELLED_PIECES),
    ],
)
def test_an_order_of_which_nothing_is_booked_takes_one(history: tuple[e.Event, ...]) -> None:
    """Held, lighter than it was, or refused by a carrier: what is due grows by what is added."""
    order = given(*history)
    grown = covered(set_aside(asked(order)))
    assert grown.due_minor == order.due_minor + 3_998
    assert [one.sku for one in grown.order.lines] == ["LAPTOP-001", "MOUSE-002", "LAMP-003"]
    assert (grown.payment.amount_minor, grown.payment.attempt) == (grown.due_minor, 2)


def test_one_step_after_the_other() -> None:
    """Goods, then money, then the old hold; and shipping waits for all but the last."""
    order = asked(given(*READY))
    steps = [(next_steps.inventory_step(order), next_steps.payment_step(order), next_steps.shipping_step(order))]
    order = set_aside(order)
    steps.append((next_steps.inventory_step(order), next_steps.payment_step(order), next_steps.shipping_step(order)))
    order = covered(order)
    steps.append((next_steps.inventory_step(order), next_steps.payment_step(order), next_steps.shipping_step(order)))
    assert [tuple(type(step).__name__ for step in at) for at in steps] == [
        ("ReserveEdit", "NoneType", "NoneType"),
        ("NoneType", "AuthorizeEdit", "NoneType"),
        ("NoneType", "ReleaseHold", "Book"),
    ]


def test_it_is_asked_for_once_and_one_at_a_time() -> None:
    """A repeat adds nothing, whatever became of it; another one waits."""
    order = asked(given(*READY))
    assert d.request_edit(order, edit_id="e", added=LAMP) == ()
    with pytest.raises(EditUnderWay):
        d.request_edit(order, edit_id="f", added=LAMP)
    with pytest.raises(EditUnderWay):
        d.cancel_lines(order, cancellation_id="c", lines=(e.Pieces(line=1, quantity=1),), reason="customer")
    with pytest.raises(EditUnderWay):
        d.request_refund(order, refund_id="r", lines=(e.Pieces(line=1, quantity=1),), reason=None)
    declined = after(order, d.withdraw_edit(order, edit_id="e"))
    assert d.request_edit(declined, edit_id="e", added=LAMP) == ()
    assert d.withdraw_edit(declined, edit_id="e") == ()
    with pytest.raises(UnknownEdit):
        d.withdraw_edit(declined, edit_id="f")


def test_outcomes_of_an_edit_that_is_decided_add_nothing() -> None:
    """Late goods and late money are given back by whoever brings them."""
    order = set_aside(asked(given(*READY)))
    late_money = replace(PAID, attempt=2, amount_minor=93_998)
    late_goods = e.OrderEditReserved(edit_id="e", reservation_id="r-2")
    undone = after(order, d.withdraw_edit(order, edit_id="e"))
    assert d.cover_edit(undone, edit_id="e", outcome=late_money) == ()
    assert d.reserve_edit(undone, outcome=late_goods) == ()
    assert d.ask_for_edit(undone, edit_id="e", deadline=PAID_AT) == ()
    assert d.complete_payment(undone, outcome=late_money) == ()
    assert d.cover_edit(order, edit_id="e", outcome=replace(late_money, attempt=1)) == ()
    assert next_steps.payment_step(undone) == next_steps.ReleaseHold(undone.payment.spare[0])
    assert isinstance(next_steps.inventory_step(undone), next_steps.ReleaseEdit)


PAID_AT = order_created().placed_at


def test_money_is_asked_for_only_when_the_goods_are_there() -> None:
    """Declined before, it leaves no attempt behind that could hold anything."""
    order = asked(given(*READY))
    declined = after(order, d.decline_edit(order, edit_id="e", reason="out_of_stock"))
    assert (declined.payment.spare, next_steps.inventory_step(declined)) == ((), None)
    withdrawn = after(order, d.withdraw_edit(order, edit_id="e"))
    assert withdrawn.payment.spare == ()


def test_an_order_that_is_undone_gives_back_both_holds_before_it_is_cancelled() -> None:
    """And everything that is set aside, with one word."""  # 5.5.10
    order = set_aside(asked(given(*READY)))
    events = d.request_cancellation(order, reason="customer")
    assert names(events) == ["OrderEditDeclined", "OrderCancellationRequested"]
    order = after(order, events)
    assert isinstance(order, Cancelling)
    assert next_steps.payment_step(order) == next_steps.ReleaseHold(order.payment.spare[0])
    order = after(order, d.void_payment(order, outcome=e.PaymentVoided(provider_reference="ch_1")))
    order = after(order, d.release_inventory(order, outcome=e.InventoryReleased(reservation_id="r")))
    assert isinstance(order, Cancelling)
    assert next_steps.inventory_step(order) is None
    order = after(order, d.release_hold_of_attempt(order, outcome=e.PaymentHoldReleased(attempt=2)))
    assert isinstance(order, Cancelled)


def test_an_edit_is_an_attempt_and_there_are_only_so_many() -> None:
    """Applied or not, its number is never used again."""
    order = given(*READY)
    for at in range(2, ATTEMPTS_MAX + 1):
        order = asked(order, edit_id=f"e{at}")
        assert order.edits[-1].attempt == at
        order = after(order, d.withdraw_edit(order, edit_id=f"e{at}"))
    with pytest.raises(TooManyAttempts):
        d.request_edit(order, edit_id="more", added=LAMP)
    expired = e.PaymentAuthorizationExpired(provider_reference="ch_1")
    assert names(d.expire_authorization(order, outcome=expired)) == ["OrderCancellationRequested"]


def test_a_booking_that_raced_an_edit_is_not_taken() -> None:
    """The worker cancels it at the carrier; its id never comes back."""
    order = given(*READY)
    step = next_steps.shipping_step(order)
    assert isinstance(step, next_steps.Book)
    wanted = asked(order)
    assert d.create_shipment(wanted, outcome=replace(BOOKED, shipment_id=step.shipment_id)) == ()
    declined = after(wanted, d.withdraw_edit(wanted, edit_id="e"))
    again = next_steps.shipping_step(declined)
    assert isinstance(again, next_steps.Book)
    assert again.shipment_id != step.shipment_id


@pytest.mark.parametrize(
    "event",
    [
        e.OrderEditReserved(edit_id="e", reservation_id="r"),
        e.OrderEditApplied(edit_id="e", lines=(), amount_minor=0),
        e.OrderEditDeclined(edit_id="e", reason="withdrawn"),
        e.OrderEditReleased(edit_id="e"),
    ],
)
def test_an_edit_that_nobody_asked_for_is_impossible(event: e.Event) -> None:
    """A bug, or tampering; as is one that is decided twice."""
    with pytest.raises(ImpossibleTransition):
        evolve(given(*READY), event)
    order = asked(given(*READY))
    assert isinstance(order, Confirmed)
    with pytest.raises(ImpossibleTransition):
        evolve(order, e.OrderEditRequested(edit_id="f", lines=(), amount_minor=0, due_minor=0, attempt=3))
    declined = after(order, d.withdraw_edit(order, edit_id="e"))
    with pytest.raises(ImpossibleTransition):
        evolve(declined, e.OrderEditApplied(edit_id="e", lines=(), amount_minor=0))


def test_cancelled_bookings_are_no_obstacle() -> None:
    """Only what a carrier still expects is."""
    assert BOOKING_CANCELLED.shipment_id == BOOKED.shipment_id
    order = given(*READY, BOOKED, e.ShipmentFailed(shipment_id=BOOKED.shipment_id, code="address"))
    assert names(d.request_edit(order, edit_id="e", added=LAMP)) == ["OrderEditRequested"]
