"""The invoices view: written when there is an invoice, exact to the last digit, and never larger than an item may be."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import orjson
import pytest
from hypothesis import given

from orderstore.domain import billing, next_steps
from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.price_facts import TaxMode
from orderstore.domain.pricing import Asked, gross_minor, price
from orderstore.domain.state import State
from projections.projecting.folding import NOTHING, step, write_of
from projections.projecting.targets import Target
from projections.view_store import DOCUMENT_BYTES_MAX
from projections.views import invoices
from projections.views.view import Generation
from tests.builders import NOON, RESERVED, line
from tests.projections.histories import commits_for, groups_of, happy_commits, happy_groups, histories, recorded_of

TARGET = Target(invoices.VIEW, Generation(invoices.NAME, 1))


def folded(recorded, view=None):
    for one in recorded:
        view = invoices.evolve(view, one)
    return view


def log_of(commits):
    return {commit.number: tuple(recorded_of([commit])) for commit in commits}


def test_an_invoice_shows_number_dates_total_and_lines() -> None:
    """One invoice, as it is printed, found by its number."""
    view = folded(recorded_of(happy_commits()))

    [document] = invoices.single_documents(invoices.to_document(view))

    assert document["invoiceNumber"] == "INV-2026-7274497"
    assert (document["series"], document["number"]) == ("INV-2026", 7_274_497)
    assert (document["totalMinor"], document["total"], document["currency"]) == (90_000, "900.00", "USD")
    assert document["issuedAt"] == document["suppliedAt"] == "2026-03-01T12:00:00.000Z"
    assert document["lines"] == [
        {
            "line": at,
            "sku": sku,
            "description": "",
            "quantity": count,
            "unitPrice": price,
            "amount": amount,
            "priced": None,
        }
        for at, (sku, count, price, amount) in enumerate(
            [("LAPTOP-001", 1, "850", "850"), ("MOUSE-002", 2, "25", "50")]
        )
    ]
    assert document["linesOmitted"] == 0
    assert invoices.VIEW.listing(view) == ("number/INV-2026-7274497", view.order_id)


def test_sub_penny_prices_stay_exact() -> None:
    """Unit prices and amounts are decimals as they were written, never binary floats."""
    view = folded(recorded_of(commits_for(happy_groups(lines=(line("A", 3, "0.001"), line("B", 7, "1.10"))))))

    assert [entry.amount for entry in view.lines] == ["0.003", "7.70"]
    assert view.total_exact == "7.703"


def test_nothing_is_written_before_there_is_an_invoice() -> None:
    """Six commits of an order leave no document; the seventh does, with the lines of the first."""
    commits = happy_commits()

    assert step(invoices.VIEW, NOTHING, log_of(commits[:6])) == NOTHING
    known = step(invoices.VIEW, NOTHING, log_of(commits))
    assert known.folded == 7
    assert len(known.state.lines) == 2


def test_five_thousand_long_lines_fit_an_item_and_the_rest_is_counted() -> None:
    """What does not fit is left out and said, not silently cut."""
    lines = tuple(
        e.OrderLine(sku=f"{index:064d}", quantity=100, unit_price=Decimal("9999999.999999"), description="é" * 200)
        for index in range(5_000)
    )
    commits = commits_for(happy_groups(lines=lines))
    known = step(invoices.VIEW, NOTHING, log_of(commits))

    write = write_of(TARGET, "main", "o1", known)

    document = orjson.loads(write.document)
    assert len(write.document) < DOCUMENT_BYTES_MAX
    assert document["lineCount"] == 5_000
    assert 0 < document["linesOmitted"] == 5_000 - len(document["lines"])
    assert [shown["sku"] for shown in document["lines"]] == [asked.sku for asked in lines[: len(document["lines"])]]


def test_the_largest_real_order_keeps_every_line() -> None:
    """1,114 lines, as the largest sale in the data, are all there."""
    lines = tuple(
        e.OrderLine(sku=f"{20_000 + index}", quantity=3, unit_price=Decimal("1.25"), description="WHITE HANGING HEART")
        for index in range(1_114)
    )
    view = folded(recorded_of(commits_for(happy_groups(lines=lines))))

    assert len(view.lines) == 1_114
    assert view.lines_omitted == 0


@given(histories())
def test_a_fold_may_be_cut_anywhere_and_pass_through_a_document(groups) -> None:
    """Every prefix that is stored, which is one with an invoice, ends as the whole when it is continued."""
    recorded = recorded_of(commits_for(groups))
    whole = folded(recorded)
    for cut in range(1, len(recorded) + 1):
        if not folded(recorded[:cut]).invoices:
            continue
        document = orjson.loads(orjson.dumps(invoices.to_document(folded(recorded[:cut]))))
        assert folded(recorded[cut:], invoices.from_document(document)) == whole


def test_a_second_invoice_of_an_order_stands_behind_the_first() -> None:
    """Invoices of an order are listed in the order in which they were issued."""
    groups = happy_groups()
    second = e.InvoiceIssued(
        series="INV-2026",
        number=2,
        invoice_number="INV-2026-000002",
        total_minor=1,
        currency="USD",
        issued_at=NOON + timedelta(days=1),
        supplied_at=NOON,
    )
    view = folded(recorded_of(commits_for((*groups, (second,)))))

    assert [invoice.invoice_number for invoice in view.invoices] == ["INV-2026-7274497", "INV-2026-000002"]


def test_a_credit_note_stands_with_its_own_invoice_and_says_what_it_takes_back() -> None:
    """Number, refund, pieces and taxes; an invoice that nothing was taken back of has none."""
    groups = happy_groups()
    note = e.CreditNoteIssued(
        series="CN-2026",
        number=3,
        credit_note_number="CN-2026-000003",
        invoice_number="INV-2026-7274497",
        refund_id="r1",
        total_minor=2_500,
        currency="USD",
        issued_at=NOON,
        lines=(e.Pieces(line=1, quantity=1),),
        taxes=(e.TaxAmount(rate_percent=Decimal("19.5"), net_minor=2_092, tax_minor=408),),
    )
    view = folded(recorded_of(commits_for((*groups, (note,)))))

    document = orjson.loads(orjson.dumps(invoices.to_document(view)))
    [shown] = invoices.single_documents(document)

    assert shown["creditNotes"] == [
        {
            "creditNoteNumber": "CN-2026-000003",
            "invoiceNumber": "INV-2026-7274497",
            "refundId": "r1",
            "series": "CN-2026",
            "number": 3,
            "currency": "USD",
            "totalMinor": 2_500,
            "total": "25.00",
            "issuedAt": "2026-03-01T12:00:00.000Z",
            "lines": [{"line": 1, "quantity": 1}],
            "linesOmitted": 0,
            "taxes": [{"ratePercent": "19.5", "netMinor": 2_092, "taxMinor": 408}],
        }
    ]
    assert shown["taxes"] is None
    assert invoices.from_document(document) == view
    elsewhere = {**document, "creditNotes": [{**shown["creditNotes"][0], "invoiceNumber": "INV-2026-000001"}]}
    assert invoices.single_documents(elsewhere)[0]["creditNotes"] == []


def credit_note(number: int, *, pieces: int, rates: int = 1) -> e.CreditNoteIssued:
    return e.CreditNoteIssued(
        series="CN-2026",
        number=number,
        credit_note_number=f"CN-2026-{number:06d}",
        invoice_number="INV-2026-7274497",
        refund_id=f"00000000-0000-5000-8000-{number:012d}",
        total_minor=10**15,
        currency="USD",
        issued_at=NOON,
        lines=tuple(e.Pieces(line=line, quantity=1_000_000) for line in range(pieces)),
        taxes=tuple(
            e.TaxAmount(rate_percent=Decimal("33.3333") + rate, net_minor=10**15, tax_minor=10**15)
            for rate in range(rates)
        ),
    )


@pytest.mark.thorough
def test_credit_notes_over_the_longest_order_fit_an_item_and_the_rest_is_counted() -> None:
    """Every line goes back in one refund, then hundreds of refunds follow: the view stays within its bound, and says what it leaves out."""
    lines = tuple(
        e.OrderLine(sku=f"{index:064d}", quantity=100, unit_price=Decimal("9999999.999999"), description="é" * 200)
        for index in range(5_000)
    )
    notes = (credit_note(1, pieces=5_000, rates=20), *(credit_note(n, pieces=1) for n in range(2, 400)))
    commits = commits_for((*happy_groups(lines=lines), *((note,) for note in notes)))

    write = write_of(TARGET, "main", "o1", step(invoices.VIEW, NOTHING, log_of(commits)))

    document = orjson.loads(write.document)
    assert len(write.document) < DOCUMENT_BYTES_MAX
    first = document["creditNotes"][0]
    assert len(first["lines"]) + first["linesOmitted"] == 5_000
    assert 50 < len(document["creditNotes"]) == 399 - document["creditNotesOmitted"]
    assert [note["number"] for note in document["creditNotes"]] == list(range(1, len(document["creditNotes"]) + 1))


def test_the_lines_and_the_shipping_of_an_invoice_add_up_to_it() -> None:
    """Discounts and shipping are shown where they are: net and tax of each add up to the total, and to the taxes by rate."""
    pricing = e.Pricing(
        tax_mode="exclusive",
        tax_rounding="line",
        lines=(
            e.PricedLine(net_minor=79_200, tax_minor=15_048, tax_rate_percent=Decimal(19), discount_minor=5_800),
            e.PricedLine(net_minor=4_950, tax_minor=346, tax_rate_percent=Decimal(7), discount_minor=50),
        ),
        shipping=e.PricedLine(net_minor=490, tax_minor=93, tax_rate_percent=Decimal(19)),
    )
    (placed, *rest), *groups = happy_groups()
    commits = commits_for(((replace(placed, pricing=pricing, total_minor=100_127), *rest), *groups))
    view = folded(recorded_of(commits))

    document = orjson.loads(orjson.dumps(invoices.to_document(view)))
    [shown] = invoices.single_documents(document)

    payable = [line["priced"] for line in shown["lines"]] + [shown["shipping"]]
    assert sum(part["netMinor"] + part["taxMinor"] for part in payable) == 100_127
    assert [part["discountMinor"] for part in payable] == [5_800, 50, 0]
    assert [part["taxRatePercent"] for part in payable] == ["19", "7", "19"]
    assert shown["taxMode"] == "exclusive"
    assert invoices.from_document(document) == view


def cancelling(name: str, *pieces: tuple[int, int]):
    lines = tuple(e.Pieces(line=at, quantity=count) for at, count in pieces)
    return partial(d.cancel_lines, cancellation_id=name, lines=lines, reason="customer")


def test_pieces_that_were_cancelled_are_on_no_invoice() -> None:
    """Their money was taken and given back, twice over the same line, and a piece was refunded between: what is left is what is shown."""
    lines = (line("A", 5, "1.10"), line("B", 2, "25"), line("C", 1, "3"))
    total_minor = 5 * 110 + 50_00 + 3_00
    paid = e.PaymentCompleted(attempt=1, mode="captured", amount_minor=total_minor, provider_reference="ch_1")
    refund = partial(d.request_refund, refund_id="r1", lines=(e.Pieces(line=0, quantity=1),), reason=None)
    groups = groups_of(
        [
            partial(d.complete_payment, outcome=paid),
            partial(d.reserve_inventory, outcome=RESERVED),
            cancelling("c1", (0, 2), (2, 1)),
            refund,
            cancelling("c2", (0, 1)),
            *[book_next, dispatch_last] * 2,
            partial(billing.issue_invoice, series="INV", number=1, issued_at=NOON, supplied_at=NOON),
        ],
        lines=lines,
    )
    view = folded(recorded_of(commits_for(groups)))
    [document] = invoices.single_documents(orjson.loads(orjson.dumps(invoices.to_document(view))))

    assert [(one["line"], one["sku"], one["quantity"], one["amount"]) for one in document["lines"]] == [
        (0, "A", 2, "2.20"),
        (1, "B", 2, "50"),
    ]
    assert (document["lineCount"], document["linesOmitted"]) == (2, 0)
    assert (document["totalMinor"], document["totalExact"]) == (5_220, "52.20")
    assert invoices.from_document(orjson.loads(orjson.dumps(invoices.to_document(view)))) == view


def test_a_line_that_stands_elsewhere_on_the_invoice_says_which_it_is() -> None:
    """Credit notes name lines by their place in the order."""
    lines = (line("A", 1, "1"), line("B", 1, "2"))
    paid = e.PaymentCompleted(attempt=1, mode="authorized", amount_minor=300, provider_reference="ch_1")
    groups = groups_of(
        [
            partial(d.complete_payment, outcome=paid),
            partial(d.reserve_inventory, outcome=RESERVED),
            cancelling("c1", (0, 1)),
            book_next,
            dispatch_last,
            partial(billing.issue_invoice, series="INV", number=1, issued_at=NOON, supplied_at=NOON),
        ],
        lines=lines,
    )
    stored = orjson.loads(orjson.dumps(invoices.to_document(folded(recorded_of(commits_for(groups))))))

    assert [(one["line"], one["sku"]) for one in stored["lines"]] == [(1, "B")]
    assert [one.index for one in invoices.from_document(stored).lines] == [1]
    assert [one["line"] for one in invoices.single_documents(stored)[0]["lines"]] == [1]


@pytest.mark.parametrize("tax_mode", ["inclusive", "exclusive"])
def test_what_is_left_of_lines_with_taxes_adds_up_to_the_invoice(tax_mode: TaxMode) -> None:
    """Net and tax of each line and of shipping are the invoice's own, by every rate; of the discount each piece has its share."""
    lines = (line("A", 3, "9.99"), line("B", 2, "0.35"))
    rates = (Decimal(19), Decimal(7))
    pricing = price(
        [
            Asked(quantity=one.quantity, unit_price=one.unit_price, tax_rate_percent=rate, discount_minor=60)
            for one, rate in zip(lines, rates, strict=True)
        ],
        currency="USD",
        tax_mode=tax_mode,
        tax_rounding="line",
        shipping=Asked(quantity=1, unit_price=Decimal("4.90"), tax_rate_percent=rates[0]),
    )
    total_minor = gross_minor(pricing)
    paid = e.PaymentCompleted(attempt=1, mode="captured", amount_minor=total_minor, provider_reference="ch_1")
    groups = groups_of(
        [
            partial(d.complete_payment, outcome=paid),
            partial(d.reserve_inventory, outcome=RESERVED),
            cancelling("c1", (0, 1)),
            cancelling("c2", (0, 1), (1, 1)),
            book_next,
            dispatch_last,
            partial(billing.issue_invoice, series="INV", number=1, issued_at=NOON, supplied_at=NOON),
        ],
        lines=lines,
        pricing=pricing,
        total_minor=total_minor,
    )
    view = folded(recorded_of(commits_for(groups)))
    [document] = invoices.single_documents(orjson.loads(orjson.dumps(invoices.to_document(view))))

    charged = [*(one["priced"] for one in document["lines"]), document["shipping"]]
    by_rate = {rate: [one for one in charged if one["taxRatePercent"] == f"{rate}"] for rate in rates}
    assert [one["quantity"] for one in document["lines"]] == [1, 1]
    assert [one["discountMinor"] for one in charged] == [20, 30, 0]
    assert sum(one["netMinor"] + one["taxMinor"] for one in charged) == document["totalMinor"]
    assert [
        (Decimal(tax["ratePercent"]), tax["netMinor"], tax["taxMinor"])
        for tax in sorted(document["taxes"], key=lambda tax: -Decimal(tax["ratePercent"]))
    ] == [
        (rate, sum(one["netMinor"] for one in own), sum(one["taxMinor"] for one in own))
        for rate, own in by_rate.items()
    ]
    assert document["totalExact"] == document["total"]


def book_next(state: State) -> tuple[e.Event, ...]:
    step = next_steps.shipping_step(state)
    if not isinstance(step, next_steps.Book):
        return ()
    booked = e.ShipmentCreated(
        shipment_id=step.shipment_id,
        carrier="c",
        label_reference="l",
        location=step.parcel.location,
        lines=step.parcel.lines,
    )
    return d.create_shipment(state, outcome=booked)


def dispatch_last(state: State) -> tuple[e.Event, ...]:
    sent = e.ShipmentDispatched(shipment_id=state.shipments[-1].shipment_id, tracking_number="t")
    return d.dispatch_shipment(state, outcome=sent)
