"""A cancellation names no sale; what it takes back is inferred, earlier, exact and never twice. # C16"""

from dataclasses import replace

import pytest

from tests.workers.intake.csv_files import row, write_csv
from workers.intake.online_retail.model import CancelOrder, RefundLines, RejectReason
from workers.intake.online_retail.staging import stage

R = RejectReason


def day(number: int) -> str:
    return f"2010-12-{number:02d} 09:00:00"


def sale(invoice, sku="A", quantity=6, price="2.55", *, on=1, **more):
    return row(invoice, sku, quantity, price, at=day(on), **more)


def back(invoice, sku="A", quantity=6, price="2.55", *, on=20, **more):
    return row(f"C{invoice}", sku, -quantity, price, at=day(on), **more)


def matched(tmp_path, *rows):
    """(kind, sale, cancellation, lines) of every instruction, and the reasons of every reject."""
    with stage(write_csv(tmp_path, *rows)) as staged:
        instructions = [
            ("cancel", one.sale, one.cancellation, ())
            if isinstance(one, CancelOrder)
            else (
                "refund",
                one.sale,
                one.cancellation,
                tuple((line.line_index, line.sku, line.quantity) for line in one.lines),
            )
            for one in staged.instructions()
        ]
        return instructions, [reject.reason for reject in staged.rejects()]


def test_a_whole_sale_taken_back_at_once_is_a_cancellation(tmp_path):
    """All lines, all pieces, nothing before: the order itself is cancelled."""
    rows = [sale("1", "A"), sale("1", "B", 2), back("2", "B", 2), back("2", "A")]
    assert matched(tmp_path, *rows) == ([("cancel", "1", "C2", ())], [])


def test_a_part_of_a_sale_is_a_refund_of_its_lines(tmp_path):
    """Two of six pieces of the second line."""
    assert matched(tmp_path, sale("1", "X"), sale("1", "A"), back("2", "A", 2)) == (
        [("refund", "1", "C2", ((1, "A", 2),))],
        [],
    )


def test_what_is_left_after_a_refund_is_refunded_and_not_cancelled(tmp_path):
    """The order was already touched: the second cancellation takes the rest, as lines."""
    rows = [sale("1"), back("2", quantity=2, on=10), back("3", quantity=4, on=11)]
    assert matched(tmp_path, *rows)[0] == [("refund", "1", "C2", ((0, "A", 2),)), ("refund", "1", "C3", ((0, "A", 4),))]


def test_the_newest_sale_that_covers_the_line_comes_first(tmp_path):
    """Of three sales the newest is too small and the middle one suffices by itself."""
    rows = [
        sale("1", quantity=9, on=1),
        sale("2", quantity=9, on=2),
        sale("3", quantity=3, on=3),
        back("4", quantity=5),
    ]
    assert matched(tmp_path, *rows)[0] == [("refund", "2", "C4", ((0, "A", 5),))]


def test_a_quantity_that_no_sale_covers_is_spread_newest_first(tmp_path):
    """Five pieces: all three of the newest sale, two of the older."""
    rows = [sale("1", quantity=3, on=1), sale("2", quantity=3, on=2), back("3", quantity=5)]
    assert matched(tmp_path, *rows)[0] == [("refund", "1", "C3", ((0, "A", 2),)), ("cancel", "2", "C3", ())]


def test_a_repeated_sku_in_one_sale_covers_a_line_together(tmp_path):
    """Two lines of three pieces cover five."""
    rows = [sale("1", quantity=3), sale("1", quantity=3), back("2", quantity=5)]
    assert matched(tmp_path, *rows)[0] == [("refund", "1", "C2", ((0, "A", 3), (1, "A", 2)))]


def test_two_lines_of_one_cancellation_on_the_same_line_add_up(tmp_path):
    """Duplicate rows of a cancellation take twice, and together they take all."""
    rows = [sale("1", quantity=4), back("2", quantity=2), back("2", quantity=2)]
    assert matched(tmp_path, *rows)[0] == [("cancel", "1", "C2", ())]
    rows = [sale("1", quantity=6), back("2", quantity=2), back("2", quantity=2)]
    assert matched(tmp_path, *rows)[0] == [("refund", "1", "C2", ((0, "A", 4),))]


def test_nothing_is_taken_back_twice(tmp_path):
    """The same cancellation again finds nothing left."""
    rows = [sale("1"), back("2", on=10), back("3", on=11)]
    assert matched(tmp_path, *rows) == ([("cancel", "1", "C2", ())], [R.QUANTITY_EXCEEDS_SALE])


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([sale("1", customer=""), back("2", customer="")], R.GUEST),
        ([back("2")], R.NO_SUCH_SALE),
        ([sale("1", customer="17851.0"), back("2")], R.NO_SUCH_SALE),
        ([sale("1", "a"), back("2", "A")], R.NO_SUCH_SALE),
        ([back("2", on=1), sale("1", on=2)], R.NO_SUCH_SALE),
        ([sale("1", price="2.56"), back("2")], R.PRICE_DIFFERS),
        ([sale("1", quantity=5), back("2", quantity=6)], R.QUANTITY_EXCEEDS_SALE),
        ([sale("1"), back("2", "POST", 1, "18.0")], R.FEE_OR_DISCOUNT_LINE),
        ([sale("1"), back("2", "D", 1, "9.0")], R.FEE_OR_DISCOUNT_LINE),
    ],
)
def test_a_line_without_its_sale_is_rejected_with_the_nearest_miss(tmp_path, rows, reason):
    """Guests, other customers, other case, later sales, other prices, too many pieces, fees: each says why."""
    assert matched(tmp_path, *rows) == ([], [reason])


def test_a_fee_that_was_sold_is_taken_back_like_goods(tmp_path):
    """Postage of an earlier sale at the same price is found."""
    assert matched(tmp_path, sale("1", "POST", 1, "18.0"), back("2", "POST", 1, "18.00"))[0] == [
        ("cancel", "1", "C2", ())
    ]


def test_a_line_is_matched_wholly_or_not_at_all(tmp_path):
    """Seven back, six sold: no refund of six is invented. The other line of the same cancellation still matches."""
    rows = [sale("1", "A"), sale("1", "B"), back("2", "A", 7), back("2", "B", 1)]
    assert matched(tmp_path, *rows) == ([("refund", "1", "C2", ((1, "B", 1),))], [R.QUANTITY_EXCEEDS_SALE])


def test_in_the_same_minute_the_order_of_the_file_decides(tmp_path):
    """A sale named after the cancellation, with the same time, is not an earlier sale."""
    assert matched(tmp_path, sale("1", on=5), back("2", on=5))[0] == [("cancel", "1", "C2", ())]
    assert matched(tmp_path, back("2", on=5), sale("1", on=5)) == ([], [R.NO_SUCH_SALE])


def test_cancellations_are_taken_in_the_order_of_time_not_of_the_file(tmp_path):
    """An earlier cancellation that the file names later still goes first."""
    rows = [sale("1"), back("3", quantity=5, on=12), back("2", quantity=4, on=11)]
    assert matched(tmp_path, *rows) == ([("refund", "1", "C2", ((0, "A", 4),))], [R.QUANTITY_EXCEEDS_SALE])


def test_a_limit_changes_how_much_is_sent_and_never_what(tmp_path):
    """The instructions of the first sale are the same, imported alone or with all others."""
    rows = [
        sale("1", quantity=3, on=1),
        sale("2", quantity=3, on=2),
        back("3", quantity=5),
        sale("4", "B", on=3),
        back("5", "B"),
    ]
    with stage(write_csv(tmp_path, *rows)) as staged:
        everything = list(staged.instructions())
        for limit in range(4):
            wanted = {one.invoice for one in staged.sales(limit)}
            assert len(wanted) == limit
            assert list(staged.instructions(limit)) == [one for one in everything if one.sale in wanted]
            assert staged.count_instructions(limit) == len(list(staged.instructions(limit)))


def test_a_refund_knows_its_money_exactly(tmp_path):
    """3 x 0.001 is 0.003, whatever a penny is."""
    with stage(
        write_csv(tmp_path, sale("1", quantity=4, price="0.001"), back("2", quantity=3, price="0.0010"))
    ) as staged:
        (refund,) = staged.instructions()
    assert isinstance(refund, RefundLines)
    assert str(refund.total) == "0.003"
    assert replace(refund, lines=()).total == 0
