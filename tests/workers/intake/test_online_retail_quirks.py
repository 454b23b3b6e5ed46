"""Each quirk of the data set, alone, in a file made by hand. # C16"""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.workers.intake.csv_files import csv_bytes, row, write_csv, write_gzip
from workers.intake.online_retail.model import (
    Adjustment,
    Cancellation,
    FileDamaged,
    NotOnlineRetail,
    RejectedInvoice,
    RejectReason,
    Sale,
    WriteOff,
    ZeroValue,
)
from workers.intake.online_retail.rows import LINE_BYTES_MAX
from workers.intake.online_retail.staging import stage

R = RejectReason


def only(staged):
    (invoice,) = staged.invoices()
    return invoice


def reasons(staged):
    return [(reject.line_number, reject.reason) for reject in staged.rejects()]


@pytest.mark.parametrize("write", [write_csv, write_gzip])
def test_a_sale_keeps_its_lines_as_written(tmp_path, write):
    """Quotes and commas inside a field, the order of the lines and exact prices survive, plain or gzipped."""
    path = write(tmp_path, row("536365", description='SET OF 3 "HEARTS", PINK'), row("536365", "71053", 2, "3.39"))
    with stage(path) as staged:
        sale = only(staged)
    assert isinstance(sale, Sale)
    assert [(line.sku, line.quantity, line.unit_price, line.line_number) for line in sale.lines] == [
        ("85123A", 6, Decimal("2.55"), 2),
        ("71053", 2, Decimal("3.39"), 3),
    ]
    assert sale.lines[0].description == 'SET OF 3 "HEARTS", PINK'
    assert sale.total == Decimal("22.08")


def test_a_customer_number_loses_its_point_zero_and_a_missing_one_is_a_guest(tmp_path):
    """`17850.0` is customer 17850; an empty field is a guest, never customer 0 or "nan"."""
    with stage(write_csv(tmp_path, row("1"), row("2", customer=""))) as staged:
        assert [invoice.customer_id for invoice in staged.invoices()] == ["17850", None]


def test_local_summer_time_becomes_utc(tmp_path):
    """08:26 in July is 07:26 UTC; in December it is 08:26 UTC."""
    path = write_csv(tmp_path, row("1", at="2011-07-01 08:26:00"), row("2", at="2011-12-01 08:26:00"))
    with stage(path) as staged:
        assert [invoice.placed_at for invoice in staged.invoices()] == [
            datetime(2011, 7, 1, 7, 26, tzinfo=UTC),
            datetime(2011, 12, 1, 8, 26, tzinfo=UTC),
        ]


def test_two_timestamps_give_the_first(tmp_path):
    """43 real invoices change their minute half-way; the order was placed at the first."""
    path = write_csv(tmp_path, row("1", at="2010-12-01 08:26:00"), row("1", "71053", at="2010-12-01 08:27:00"))
    with stage(path) as staged:
        assert only(staged).placed_at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)


def test_an_invoice_whose_lines_stand_apart_is_one_order(tmp_path):
    """Lines of invoice 1 before and after invoice 2 belong together, and invoice 1 still comes first."""
    path = write_csv(tmp_path, row("1", "A"), row("2", "B"), row("1", "C"))
    with stage(path) as staged:
        assert [(sale.invoice, [line.sku for line in sale.lines]) for sale in staged.sales()] == [
            ("1", ["A", "C"]),
            ("2", ["B"]),
        ]


def test_exact_duplicates_are_kept(tmp_path):
    """The same row twice is two lines, not one."""
    with stage(write_csv(tmp_path, row("1"), row("1"))) as staged:
        assert len(only(staged).lines) == 2
        assert staged.totals.sales_total == Decimal("30.60")


def test_zero_price_lines_inside_a_sale_stay_and_sub_penny_prices_are_exact(tmp_path):
    """Nothing is rounded: 3 x 0.001 + 1 x 0 is 0.003."""
    with stage(write_csv(tmp_path, row("1", "A", 3, "0.001"), row("1", "B", 1, "0.0"))) as staged:
        sale = only(staged)
    assert isinstance(sale, Sale)
    assert str(sale.total) == "0.003"


def test_skus_keep_their_case_and_their_spaces(tmp_path):
    """82494L and 82494l are two articles; a fee may be two words."""
    with stage(write_csv(tmp_path, row("1", "82494L"), row("1", "82494l"), row("1", "BANK CHARGES"))) as staged:
        assert [line.sku for line in only(staged).lines] == ["82494L", "82494l", "BANK CHARGES"]


@pytest.mark.parametrize("country", ["EIRE", "RSA", "Unspecified", "European Community", "Channel Islands"])
def test_countries_are_taken_as_written(tmp_path, country):
    """A country need not be an ISO name."""
    with stage(write_csv(tmp_path, row("1", country=country))) as staged:
        assert only(staged).country == country


@pytest.mark.parametrize(
    ("rows", "kind", "reason"),
    [
        ([row("1", quantity=-3, price="0.0", customer="")], WriteOff, R.WRITE_OFF),
        ([row("1", quantity=3, price="0.0")], ZeroValue, R.ZERO_VALUE),
        ([row("A1", "B", 1, "-11062.06", customer="")], Adjustment, R.ADJUSTMENT),
        ([row("1", quantity=-3)], RejectedInvoice, R.MIXED_QUANTITIES),
        ([row("1", quantity=-3), row("1", quantity=3)], RejectedInvoice, R.MIXED_QUANTITIES),
        ([row("C1", quantity=3)], RejectedInvoice, R.MIXED_QUANTITIES),
        ([row("1"), row("1", customer="17851.0")], RejectedInvoice, R.INCONSISTENT_INVOICE),
        ([row("1"), row("1", country="France")], RejectedInvoice, R.INCONSISTENT_INVOICE),
    ],
)
def test_what_is_no_order_is_rejected_line_by_line(tmp_path, rows, kind, reason):
    """Write-offs, free stock, bad debt and contradictions never become orders, and every line is reported."""
    with stage(write_csv(tmp_path, *rows)) as staged:
        assert type(only(staged)) is kind
        assert reasons(staged) == [(number, reason) for number in range(2, 2 + len(rows))]
        assert list(staged.sales()) == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row("2", quantity="6.5"), R.BAD_QUANTITY),
        (row("2", quantity="0"), R.BAD_QUANTITY),
        (row("2", quantity="9" * 30), R.BAD_QUANTITY),
        (row("2", price="1e3"), R.BAD_PRICE),
        (row("2", price="NaN"), R.BAD_PRICE),
        (row("2", price="-1"), R.BAD_PRICE),
        (row("2", price="٣"), R.BAD_PRICE),
        (row("2", sku=""), R.BAD_SKU),
        (row("2", sku="A\tB"), R.BAD_SKU),
        (row("2", sku="A" * 65), R.BAD_SKU),
        (row("2", description="x" * 501), R.BAD_DESCRIPTION),
        (row("2", at="2010-13-01 08:26:00"), R.BAD_TIME),
        (row("2", at="yesterday"), R.BAD_TIME),
        (row("2", customer="17850.5"), R.BAD_CUSTOMER),
        (row("2", customer="nan"), R.BAD_CUSTOMER),
        (row("2", country=""), R.BAD_COUNTRY),
        (row("2", country="x" * 61), R.BAD_COUNTRY),
        (row("2")[:-1], R.BAD_CSV),
        ((*row("2"), "more"), R.BAD_CSV),
    ],
)
def test_a_bad_row_rejects_its_invoice_and_the_import_goes_on(tmp_path, bad, reason):
    """An order with a line missing would be a wrong order; the invoices around it are not touched."""
    with stage(write_csv(tmp_path, row("1"), row("2"), bad, row("3"))) as staged:
        assert [sale.invoice for sale in staged.sales()] == ["1", "3"]
        assert reasons(staged) == [(3, R.INCOMPLETE_INVOICE), (4, reason)]
        assert staged.totals.rejected_rows == 1
        assert staged.totals.rejected_invoices == 1


def test_an_unreadable_invoice_number_costs_its_own_line_only(tmp_path):
    """Nobody can say to which invoice the line belonged."""
    with stage(write_csv(tmp_path, row("1"), row("X77"), row("2"))) as staged:
        assert [sale.invoice for sale in staged.sales()] == ["1", "2"]
        assert reasons(staged) == [(3, R.BAD_INVOICE)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'9,85123A,"never closed,6,2010-12-01 08:26:00,2.55,,France\n', R.BAD_CSV),
        (b"9,85123A,\xff\xfe,6,2010-12-01 08:26:00,2.55,,France\n", R.NOT_UTF8),
        (b"9,85123A," + b"x" * LINE_BYTES_MAX + b",6\n", R.LINE_TOO_LONG),
        (b"\n", R.BAD_CSV),
        (b"9,\x00,\x00\n", R.BAD_CSV),
    ],
)
def test_a_broken_line_does_not_swallow_the_next(tmp_path, line, reason):
    """An unclosed quote, bytes that are no text, or a line without an end: the following rows are read, with their true numbers."""
    path = tmp_path / "broken.csv"
    path.write_bytes(csv_bytes(row("1")) + line + csv_bytes(row("2")).split(b"\n", 1)[1])
    with stage(path) as staged:
        assert reasons(staged) == [(3, reason)]
        assert [sale.lines[0].line_number for sale in staged.sales()] == [2, 4]


def test_a_good_line_of_a_cancellation_survives_a_bad_neighbour(tmp_path):
    """Lines of a cancellation stand alone: the readable one still finds its sale."""
    later = "2010-12-02 09:00:00"
    rows = [row("1"), row("C2", quantity=-6, at=later), row("C2", quantity="?", at=later)]
    with stage(write_csv(tmp_path, *rows)) as staged:
        assert type(list(staged.invoices())[1]) is Cancellation
        assert [one.sale for one in staged.instructions()] == ["1"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02 not a table",
        b"Invoice,Item\n1,2\n",
        csv_bytes(
            row("1"),
            header=(
                "StockCode",
                "InvoiceNo",
                "Description",
                "Quantity",
                "InvoiceDate",
                "UnitPrice",
                "CustomerID",
                "Country",
            ),
        ),
        b"\x1f\x8b\x08 not gzip after all",
    ],
)
def test_another_kind_of_file_is_refused_as_a_whole(tmp_path, content):
    """A wrong header, an empty file or something that is no table: one clear error that names the file."""
    path = tmp_path / "other.bin"
    path.write_bytes(content)
    with pytest.raises(NotOnlineRetail, match=r"other\.bin"), stage(path):
        pass


def test_a_missing_file_is_a_clear_error(tmp_path):
    """Not a traceback from the operating system."""
    with pytest.raises(NotOnlineRetail, match="cannot be opened"), stage(tmp_path / "nowhere.csv"):
        pass


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_gzip_says_how_far_it_was_good_and_yields_nothing(tmp_path, damage):
    """The last invoice of a cut file may be incomplete, so nothing of the file may be sent."""
    path = write_gzip(
        tmp_path, *(row(str(number), description=f"item {number * 7919 % 10007}") for number in range(1, 5_000))
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else whole[:-8] + bytes(4) + whole[-4:])
    with pytest.raises(FileDamaged, match=r"None of them was sent") as caught, stage(path):
        pass
    assert 0 < caught.value.rows_read <= 4_999
    assert caught.value.line_number == caught.value.rows_read + 1


def test_an_invoice_without_end_is_rejected_without_being_loaded_whole(tmp_path, monkeypatch):
    """The longest real invoice has 1,114 lines; a bound far above it keeps memory flat."""
    monkeypatch.setattr("workers.intake.online_retail.classify.LINES_MAX", 3)
    with stage(write_csv(tmp_path, *[row("1")] * 4, row("2"))) as staged:
        assert [sale.invoice for sale in staged.sales()] == ["2"]
        assert {reason for _, reason in reasons(staged)} == {R.TOO_MANY_LINES}
