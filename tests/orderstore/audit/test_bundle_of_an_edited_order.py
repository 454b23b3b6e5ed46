"""The invoice of an order that grew is held to all of its lines: those of its first event, and those of its edits."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from orderstore.audit.bundle import INVOICE_FIELDS, LINE_FIELDS
from orderstore.audit.standalone.verify_bundle import as_edited, check_invoices, differing_fields
from orderstore.codec import data_of
from orderstore.domain import events as e
from projections.views import invoices
from tests.builders import order_created
from tests.orderstore.golden_money import INVOICE
from tests.projections.histories import commits_for, recorded_of

ADDED = e.OrderLine(sku="LAMP", quantity=3, unit_price=Decimal("0.335"), description="a lamp")


def told(taxed: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The invoice as people are shown it, and the commits as a bundle has them."""
    created = order_created()
    pricing = None
    minor = 100  # 1.005 added to 900.00, rounded half to even, once
    if taxed:
        lines = tuple(e.PricedLine(net_minor=net, tax_minor=0, tax_rate_percent=Decimal(0)) for net in (85_000, 5_000))
        first = e.Pricing(tax_mode="exclusive", tax_rounding="line", lines=lines)
        created = replace(created, pricing=first, total_exact=Decimal("900.00"))
        more = e.PricedLine(net_minor=100, tax_minor=19, tax_rate_percent=Decimal(19))
        pricing, minor = replace(first, lines=(more,)), 119
    wish: dict[str, Any] = {"edit_id": "e", "lines": (ADDED,), "amount_minor": minor, "pricing": pricing}
    groups: list[tuple[e.Event, ...]] = [
        (created,),
        (e.OrderEditRequested(due_minor=90_000 + minor, attempt=2, **wish),),
        (e.OrderEditApplied(**wish),),
        (replace(INVOICE, total_minor=90_000 + minor, lines=(), buyer=None, taxes=None),),
    ]
    log = recorded_of(commits_for(groups))
    view = None
    for recorded in log:
        view = invoices.evolve(view, recorded)
    assert view is not None
    (document,) = invoices.single_documents(invoices.to_document(view))
    shown = {name: document[name] for name in INVOICE_FIELDS}
    shown |= {"lines": [{name: line[name] for name in LINE_FIELDS} for line in document["lines"]]}
    contents = [
        {"events": [{"eventType": recorded.name, "data": orjson.loads(orjson.dumps(data_of(recorded.event)))}]}
        for recorded in log
    ]
    return orjson.loads(orjson.dumps(shown)), contents


@pytest.mark.parametrize("taxed", [False, True], ids=["plain", "taxed"])
def test_an_invoice_shows_what_was_added(taxed: bool) -> None:
    """Every line, and the sum of them, in both of its forms."""
    shown, contents = told(taxed)
    assert [line["sku"] for line in shown["lines"]] == ["LAPTOP-001", "MOUSE-002", "LAMP"]
    assert list(check_invoices("order", contents, [shown])) == []


@pytest.mark.parametrize("taxed", [False, True], ids=["plain", "taxed"])
def test_a_line_that_nobody_added_is_noticed(taxed: bool) -> None:
    """As is one that is not shown, and a sum that is another."""
    shown, contents = told(taxed)
    event = contents[-1]["events"][0]["data"]
    never = as_edited(contents[:2])
    assert {"lines", "lineCount"} <= set(differing_fields(shown, event, never))
    whole = as_edited(contents[:3])
    more = {**shown, "lines": [*shown["lines"][:2], {**shown["lines"][2], "quantity": 4}]}
    assert differing_fields(more, event, whole) == ["lines"]
    assert differing_fields({**shown, "totalExact": "900"}, event, whole) == ["totalExact"]
