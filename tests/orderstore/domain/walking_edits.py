"""What walks do with edits: people who want more, stock that has it or not, and a provider that holds money for it or does not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from random import Random

from orderstore.domain import decisions as d
from orderstore.domain import events as e
from orderstore.domain.decide_edits import question_of
from orderstore.domain.edits import Added, pieces_added
from orderstore.domain.money import major
from orderstore.domain.parts import Edit
from orderstore.domain.pricing import Asked, gross_minor, price
from orderstore.domain.state import Order, State

Decide = Callable[[State], tuple[e.Event, ...]]


def taxed(order: e.OrderCreated, random: Random) -> e.OrderCreated:
    """The same order, at times with taxes, a discount and a price for the way."""
    if random.random() < 0.5:
        return order
    pricing = price(
        [
            Asked(quantity=line.quantity, unit_price=line.unit_price, tax_rate_percent=rate, discount_minor=7)
            for line, rate in zip(order.lines, (Decimal(19), Decimal(7), Decimal(19)), strict=True)
        ],
        currency=order.currency,
        tax_mode=random.choice(("inclusive", "exclusive")),
        tax_rounding=random.choice(("line", "unit")),
        discount_minor=100,
        shipping=Asked(quantity=1, unit_price=Decimal("4.99"), tax_rate_percent=Decimal(19)),
    )
    total_minor = gross_minor(pricing)
    exact = Decimal(major(total_minor, order.currency))
    return replace(order, pricing=pricing, total_minor=total_minor, total_exact=exact)


def asked_for(name: str, order: Order, random: Random) -> list[Decide]:
    """More pieces, and second thoughts about the last edit."""
    priced = order.order.pricing is not None
    added = tuple(
        Added(
            line=e.OrderLine(sku=sku, quantity=random.randint(1, 3), unit_price=Decimal(price)),
            tax_rate_percent=Decimal(rate) if priced else None,
        )
        for sku, price, rate in (("LAMP", "19.99", "19"), ("BULB", "0.335", "7"), ("GIFT", "0", "0"))
        if random.random() < 0.5
    ) or (Added(line=e.OrderLine(sku="BULB", quantity=2, unit_price=Decimal("1.005"))),)
    wanted: list[Decide] = [partial(d.request_edit, edit_id=name, added=added)]
    if order.edits:
        wanted.append(partial(d.withdraw_edit, edit_id=order.edits[-1].edit_id))
    return wanted


def covered(order: Order, edit: Edit, *, answer: int, deadline: datetime, held_until: datetime) -> Decide:
    """What the provider says: no, not without the customer, or yes."""
    if answer == 0:
        return partial(d.decline_edit, edit_id=edit.edit_id, reason="payment_failed", code="no")
    if answer == 1 and question_of(edit.edit_id) not in order.question_ids:
        return partial(d.ask_for_edit, edit_id=edit.edit_id, deadline=deadline)
    mode: e.PaymentMode = "captured" if answer == 2 else "authorized"
    outcome = e.PaymentCompleted(
        attempt=edit.attempt,
        mode=mode,
        amount_minor=edit.due_minor,
        provider_reference=f"pi_{edit.attempt}",
        capture_before=held_until if mode == "authorized" else None,
    )
    return partial(d.cover_edit, edit_id=edit.edit_id, outcome=outcome)


def set_aside(edit: Edit, *, there: bool, at: Callable[[tuple[e.Pieces, ...]], tuple[e.Allocation, ...]]) -> Decide:
    """What stock says: all of it is there, somewhere, or it is not."""
    if not there:
        return partial(d.decline_edit, edit_id=edit.edit_id, reason="out_of_stock")
    outcome = e.OrderEditReserved(
        edit_id=edit.edit_id, reservation_id=f"r:{edit.edit_id}", allocations=at(pieces_added(edit))
    )
    return partial(d.reserve_edit, outcome=outcome)
