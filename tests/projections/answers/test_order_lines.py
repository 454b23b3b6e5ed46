"""What became of an order's pieces, line by line: along whole lives at random, and after every event of them."""

from collections import Counter

from orderstore.domain import events as e
from orderstore.domain.parcels import wanted
from orderstore.domain.state import INITIAL, Completed, Order, evolve, fold
from projections.answers.order_lines import lines_of
from tests.builders import PAID, order_created
from tests.orderstore.domain.walking import walk


def test_pieces_are_never_more_than_were_ordered_whatever_happens() -> None:
    """Cancelled, missing and shipped ones are different pieces; what arrives or is lost was shipped, what comes back had arrived."""
    gone = Counter[str]()
    for seed in range(150):
        state = INITIAL
        for event in walk(seed).events:
            state = evolve(state, event)
            assert isinstance(state, Order)
            for line in lines_of(state, start=0, limit=100):
                counts = {name: value for name, value in line.items() if isinstance(value, int)}
                assert min(counts.values()) >= 0, (seed, line)
                assert line["cancelled"] + line["shipped"] + line["missing"] <= line["ordered"], (seed, line)
                assert line["delivered"] + line["lost"] <= line["shipped"], (seed, line)
                assert line["returned"] <= line["delivered"], (seed, line)
                assert line["refunded"] <= line["ordered"], (seed, line)
                gone.update(name for name, count in counts.items() if count)
        found = lines_of(state, start=0, limit=100)
        if isinstance(state, Completed):
            assert {line["line"]: line["shipped"] for line in found if line["shipped"]} == dict(wanted(state))
    assert set(gone) == {
        *("line", "ordered", "cancelled", "missing", "shipped", "delivered", "lost", "returned", "refunded")
    }


def test_a_page_begins_and_ends_where_it_was_asked_to() -> None:
    """By the order's own numbering."""
    lines = order_created().lines * 3
    state = fold(INITIAL, (order_created(lines=lines), PAID))
    assert [line["line"] for line in lines_of(state, start=2, limit=3)] == [2, 3, 4]
    assert [line["sku"] for line in lines_of(state, start=5, limit=9)] == [lines[5].sku]
    assert lines_of(state, start=6, limit=9) == []


def test_what_is_missing_of_an_order_that_is_undone_is_missing_no_more() -> None:
    """Nobody waits for it."""
    partly = e.InventoryPartiallyReserved(
        reservation_id="r",
        allocations=(e.Allocation(location="main", lines=(e.Pieces(line=0, quantity=1),)),),
        missing=(e.Pieces(line=1, quantity=2),),
    )
    waits = fold(INITIAL, (order_created(terms=e.Terms(missing_stock="backorder")), partly))
    assert [line["missing"] for line in lines_of(waits, start=0, limit=9)] == [0, 2]
    released = fold(waits, (e.OrderCancellationRequested(reason="customer"), e.InventoryReleased(reservation_id="r")))
    assert [line["missing"] for line in lines_of(released, start=0, limit=9)] == [0, 0]
