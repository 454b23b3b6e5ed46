"""Goods by SKU and pieces by line say the same, whatever lies where; and what stock's answers mean for an order, by its terms."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore.domain import events as e
from orderstore.domain.parcels import counted
from workers.inventory.backorders import fill_id
from workers.inventory.lines import Room, goods_of, quantities_of
from workers.inventory.outcomes import came, outcome_of
from workers.inventory.stock import MAIN, PartlyReserved, Reserved, Short

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINES = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 5)), min_size=1, max_size=8)


def goods_in(order: e.OrderCreated, allocations: tuple[e.Allocation, ...]) -> dict[str, dict[str, int]]:
    return {allocation.location: goods_of(order, allocation.lines) for allocation in allocations}


def order_of(lines: list[tuple[str, int]], terms: e.Terms | None = None) -> e.OrderCreated:
    return e.OrderCreated(
        order_id="order-1",
        channel="web",
        currency="USD",
        lines=tuple(e.OrderLine(sku=sku, quantity=quantity, unit_price=Decimal(1)) for sku, quantity in lines),
        total_exact=Decimal(1),
        total_minor=100,
        placed_at=NOW,
        request_hash="h",
        terms=terms,
    )


@st.composite
def orders_with_some_of_it_there(draw: st.DrawFn) -> tuple[e.OrderCreated, dict[str, dict[str, int]]]:
    """An order, and goods for it at three places: never more than it wants."""
    order = order_of(draw(LINES))
    left = quantities_of(order)
    held: dict[str, dict[str, int]] = {}
    for location in ("main", "north", "south"):
        for sku in draw(st.sets(st.sampled_from(sorted(left)))):
            count = draw(st.integers(0, left[sku]))
            left[sku] -= count
            if count:
                held.setdefault(location, {})[sku] = count
    return order, held


@given(orders_with_some_of_it_there())
def test_goods_become_lines_and_lines_the_same_goods(drawn: tuple[e.OrderCreated, dict[str, dict[str, int]]]) -> None:
    """To the piece, at each location; what no line was given is what is missing; and an earlier line never lacks what a later one has."""
    order, held = drawn
    room = Room.whole(order)
    allocations = room.give_at(held, {})
    assert goods_in(order, allocations) == held
    given_pieces = counted(tuple(pieces for allocation in allocations for pieces in allocation.lines))
    ordered = Counter({at: line.quantity for at, line in enumerate(order.lines)})
    assert given_pieces + counted(room.left) == ordered
    for at, line in enumerate(order.lines):
        if given_pieces[at] < line.quantity:
            later = [other for other in range(at + 1, len(order.lines)) if order.lines[other].sku == line.sku]
            assert not any(given_pieces[other] for other in later)


@given(orders_with_some_of_it_there())
def test_lines_become_goods_and_goods_as_many_pieces_of_the_same(drawn: tuple[e.OrderCreated, object]) -> None:
    """The other way round: whole lines come back as they were."""
    order, _ = drawn
    everything = tuple(e.Pieces(line=at, quantity=line.quantity) for at, line in enumerate(order.lines))
    assert goods_of(order, everything) == quantities_of(order)
    assert Room.whole(order).give_at({MAIN: quantities_of(order)}, {}) == (
        e.Allocation(location=MAIN, lines=everything),
    )


@given(orders_with_some_of_it_there())
def test_a_backorder_is_filled_to_the_piece(drawn: tuple[e.OrderCreated, dict[str, dict[str, int]]]) -> None:
    """What is there now, and what comes later, are together what was ordered; and each fill has another name."""
    order, held = drawn
    missing = {sku: count - sum(at.get(sku, 0) for at in held.values()) for sku, count in quantities_of(order).items()}
    missing = {sku: count for sku, count in missing.items() if count}
    if not missing:
        return
    terms = e.Terms(missing_stock="backorder")
    answer = PartlyReserved(held=held, missing=missing)
    outcome = outcome_of(order_of([(line.sku, line.quantity) for line in order.lines], terms), answer, now=NOW)
    assert isinstance(outcome, e.InventoryPartiallyReserved)
    assert goods_of(order, outcome.missing) == missing
    filled = came(order, outcome.missing, {"north": missing}, untracked=())
    assert goods_in(order, filled) == {"north": missing}
    assert fill_id(outcome.missing) != fill_id(())


def test_nobody_is_given_more_than_he_waits_for() -> None:
    """Stock and the log are at odds then: no event is made up of it."""
    order = order_of([("A", 2), ("A", 1)])
    with pytest.raises(ValueError, match="more than any line waits for"):
        Room.whole(order).give({"A": 4})
    with pytest.raises(ValueError, match="more than any line waits for"):
        came(order, (e.Pieces(line=1, quantity=1),), {MAIN: {"A": 2}}, untracked=())


def test_an_order_that_lies_at_the_main_location_says_nothing_of_places() -> None:
    """Not a byte more than before there were places; anywhere else it says where, and fees lie with the goods."""
    order = order_of([("A", 2), ("FEE", 1)])
    there = outcome_of(order, Reserved(("FEE",), {MAIN: {"A": 2}}), now=NOW)
    assert there == e.InventoryReserved(reservation_id="order-1", untracked_skus=("FEE",))
    elsewhere = outcome_of(order, Reserved(("FEE",), {"north": {"A": 1}, "south": {"A": 1}}), now=NOW)
    assert isinstance(elsewhere, e.InventoryReserved)
    assert elsewhere.allocations == (
        e.Allocation(location="north", lines=(e.Pieces(line=0, quantity=1), e.Pieces(line=1, quantity=1))),
        e.Allocation(location="south", lines=(e.Pieces(line=0, quantity=1),)),
    )


def test_terms_say_for_how_long_and_until_when_to_answer() -> None:
    """From the moment of the reservation; an order without terms waits as long as it takes."""
    terms = e.Terms(missing_stock="ask", reservation_s=60, answer_s=600)
    order = order_of([("A", 2)], terms)
    all_of_it = outcome_of(order, Reserved(held={MAIN: {"A": 2}}), now=NOW)
    some = outcome_of(order, PartlyReserved(held={MAIN: {"A": 1}}, missing={"A": 1}), now=NOW)
    assert isinstance(all_of_it, e.InventoryReserved)
    assert isinstance(some, e.InventoryPartiallyReserved)
    assert all_of_it.expires_at == some.expires_at == NOW + timedelta(seconds=60)
    assert some.answer_by == NOW + timedelta(seconds=600)
    assert outcome_of(order, Short(()), now=NOW) == e.InventoryFailed(missing=())


@pytest.mark.parametrize("choice", ["ask", "cancel_lines"])
def test_an_order_of_which_nothing_is_there_has_failed_unless_it_waits(choice: str) -> None:
    """A fee alone is nothing to go on with."""
    nothing = PartlyReserved(held={}, missing={"A": 2}, untracked_skus=("FEE",))
    order = order_of([("A", 2), ("FEE", 1)], e.Terms(missing_stock=choice))  # type: ignore[arg-type]  # both are choices
    short = e.MissingStock(sku="A", wanted=2, available=0)
    assert outcome_of(order, nothing, now=NOW) == e.InventoryFailed(missing=(short,))


def test_a_fee_leaves_with_the_first_goods() -> None:
    """Nobody is charged for a parcel with nothing but a fee in it; only where all the goods are cancelled it goes alone."""
    order = order_of([("A", 2), ("FEE", 1)], e.Terms(missing_stock="backorder"))
    waits = outcome_of(order, PartlyReserved(held={}, missing={"A": 2}, untracked_skus=("FEE",)), now=NOW)
    assert isinstance(waits, e.InventoryPartiallyReserved)
    assert waits.allocations == ()
    assert counted(waits.missing) == {0: 2, 1: 1}
    assert came(order, waits.missing, {}, untracked=("FEE",)) == ()
    (first,) = came(order, waits.missing, {"north": {"A": 1}}, untracked=("FEE",))
    assert (first.location, counted(first.lines)) == ("north", {0: 1, 1: 1})
    (alone,) = came(order, (e.Pieces(line=1, quantity=1),), {}, untracked=("FEE",))
    assert (alone.location, counted(alone.lines)) == (MAIN, {1: 1})

    some = outcome_of(order, PartlyReserved(held={MAIN: {"A": 1}}, missing={"A": 1}, untracked_skus=("FEE",)), now=NOW)
    assert isinstance(some, e.InventoryPartiallyReserved)
    assert counted(some.allocations[0].lines) == {0: 1, 1: 1}
    assert counted(some.missing) == {0: 1}
