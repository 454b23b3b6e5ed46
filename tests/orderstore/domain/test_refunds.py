"""Money given back never exceeds what was paid, in money or in pieces, and parts add up to the whole."""

from decimal import Decimal

import pytest
from hypothesis import given as property_given
from hypothesis import strategies as st

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.rejections import NothingToRefund, OrderClosed, RefundTooLarge
from orderstore.domain.state import INITIAL, Order, State, fold
from tests.builders import DECLINED, PAID, RESERVED, SHORT, given, line, order_created


def pieces(index: int, quantity: int) -> tuple[e.Pieces, ...]:
    return (e.Pieces(line=index, quantity=quantity),)


def refund(state: State, refund_id: str, lines: tuple[e.Pieces, ...]) -> State:
    return fold(state, d.request_refund(state, refund_id=refund_id, lines=lines, reason="damaged"))


def test_a_partial_refund_costs_what_its_pieces_cost() -> None:
    """One mouse of two, at 25.00."""
    (event,) = d.request_refund(given(PAID, RESERVED), refund_id="r1", lines=pieces(1, 1), reason="damaged")

    assert isinstance(event, e.RefundRequested)
    assert event.amount_minor == 2_500


def test_the_same_refund_asked_twice_is_one_refund() -> None:
    """A repeat with the same id adds nothing."""
    state = refund(given(PAID, RESERVED), "r1", pieces(1, 1))

    assert d.request_refund(state, refund_id="r1", lines=pieces(1, 1), reason="damaged") == ()


def test_more_pieces_than_were_ordered_are_refused() -> None:
    """Two mice were ordered: a third cannot come back, not even in two requests."""
    state = refund(given(PAID, RESERVED), "r1", pieces(1, 2))

    with pytest.raises(RefundTooLarge):
        refund(state, "r2", pieces(1, 1))


@pytest.mark.parametrize("lines", [pieces(7, 1), pieces(0, 0), pieces(0, -1), pieces(-1, 1)])
def test_pieces_that_are_not_of_this_order_are_refused(lines) -> None:
    """A line that does not exist, or a quantity below one."""
    with pytest.raises(NothingToRefund):
        refund(given(PAID, RESERVED), "r1", lines)


def test_a_declined_or_rejected_order_has_nothing_to_refund() -> None:
    """No money was ever held."""
    with pytest.raises(OrderClosed):
        refund(given(DECLINED), "r1", pieces(0, 1))
    with pytest.raises(OrderClosed):
        refund(
            given(DECLINED, SHORT, e.OrderRejected(reasons=("payment_failed", "inventory_failed"))), "r1", pieces(0, 1)
        )


prices = st.decimals(min_value=Decimal("0.001"), max_value=Decimal(100), places=3)


@property_given(
    lines=st.lists(st.tuples(st.integers(1, 5), prices), min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_refunding_every_piece_one_by_one_gives_back_the_whole_total(lines, order) -> None:
    """Whatever the rounding of the parts, the last piece takes the rest: the sum is the total, to the last unit."""
    created = order_created(tuple(line(f"SKU-{i}", quantity, str(price)) for i, (quantity, price) in enumerate(lines)))
    if created.total_minor == 0:
        return
    state = fold(INITIAL, (created,))
    assert isinstance(state, Order)
    single = [index for index, (quantity, _) in enumerate(lines) for _ in range(quantity)]
    order.shuffle(single)
    given_back = 0
    for number, index in enumerate(single):
        try:
            events = d.request_refund(state, refund_id=f"r{number}", lines=pieces(index, 1), reason="")
        except (NothingToRefund, RefundTooLarge):
            break  # pieces below half a penny each cannot be refunded one by one: refused, never overpaid
        given_back += sum(event.amount_minor for event in events if isinstance(event, e.RefundRequested))
        state = fold(state, events)
        assert given_back <= created.total_minor
    else:
        assert given_back == created.total_minor
