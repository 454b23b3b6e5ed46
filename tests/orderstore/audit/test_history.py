"""The readable history of an order."""

from dataclasses import is_dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import orjson
import pytest

from orderstore import codec
from orderstore.audit.history import shown
from orderstore.audit.trail import Wanted, trail_of
from orderstore.domain import events as e
from orderstore.recorded import Actor, Cause
from orderstore.registry import EVENT_TYPES
from orderstore.store.chain import seal
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.builders import NOON, PAID, RESERVED, order_created
from tests.orderstore.audit.clocked import rows_of
from tests.virtual_time import run_virtual

STREAM = "demo/order-6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"
RECORDED_MS = 1_772_366_400_250


def commit_of(*events: e.Event, previous: Commit | None, first_version: int, actor: Actor) -> Commit:
    cause = Cause(
        causation_id="request-1",
        purpose=f"test-{first_version}",
        correlation_id="correlation-1",
        actor=actor,
        source=f"{actor.id}-service",
    )
    body = codec.encode(events, cause=cause, first_version=first_version, occurred_at=NOON)
    number = 1 if previous is None else previous.number + 1
    return seal(stream=STREAM, number=number, recorded_at_ms=RECORDED_MS, body=body, previous=previous)


def an_order() -> tuple[Commit, Commit]:
    first = commit_of(order_created(), previous=None, first_version=1, actor=Actor("customer", "customer-1"))
    outcome = (PAID, RESERVED)
    return first, commit_of(*outcome, previous=first, first_version=2, actor=Actor("service", "payment"))


def test_every_event_has_a_row_that_says_what_when_who_why_and_where_it_is_proved() -> None:
    """Oldest first; the events of one commit share its proof."""
    first, second = an_order()

    async def scenario() -> None:
        store = MemoryEventStore()
        await store.append(first)
        await store.append(second)

        created, paid, reserved = (await trail_of(store, STREAM, Wanted())).rows

        assert [row.type for row in (created, paid, reserved)] == [
            "OrderCreated",
            "PaymentCompleted",
            "InventoryReserved",
        ]
        assert [(row.version, row.commit) for row in (created, paid, reserved)] == [(1, 1), (2, 2), (3, 2)]
        assert created.actor == Actor("customer", "customer-1")
        assert paid.actor == Actor("service", "payment")
        assert paid.causation_id == "request-1"
        assert paid.correlation_id == "correlation-1"
        assert paid.source == "payment-service"
        assert paid.occurred_at == NOON
        assert paid.recorded_at == datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
        assert paid.hash_prefix == reserved.hash_prefix == second.hash.hex()[:12]
        assert created.hash_prefix == first.hash.hex()[:12]
        assert len({row.event_id for row in (created, paid, reserved)}) == 3

    run_virtual(scenario)


def test_an_order_that_never_was_has_no_history() -> None:
    """An empty answer, not an error: the caller knows what it asked for."""
    assert run_virtual(trail_of, MemoryEventStore(), STREAM, Wanted()).rows == ()


def test_a_body_that_this_build_cannot_read_is_told_with_its_place() -> None:
    """No row is made up."""
    first, second = an_order()

    with pytest.raises(codec.CodecError, match="commit 2"):
        rows_of([first, replace(second, body=b"not JSON")])


def filled(kind: Any) -> Any:
    """A value of a type with everything there that may be there, and every text sealed that can be."""
    if kind is e.SealedText:
        return e.SealedText(subject="SUBJECT", ciphertext="CIPHERTEXT")
    if kind is e.FreeText:
        return e.FreeText(sealed=filled(e.SealedText))
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return kind(**{name: filled(hint) for name, hint in get_type_hints(kind).items()})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return arguments[0]
    if origin in {Union, UnionType}:
        return filled(next(choice for choice in arguments if choice is not type(None)))
    if origin is tuple:
        return (filled(arguments[0]), filled(arguments[0]))
    return {str: "text", int: 1, bool: True, Decimal: Decimal(1), datetime: NOON}[kind]


@pytest.mark.parametrize("entry", EVENT_TYPES, ids=lambda entry: entry.name)
def test_no_event_shows_what_is_sealed_in_it(entry: Any) -> None:
    """Wherever it stands, also in events that are still to come: neither the text nor whose key it is; all else is as it was said."""
    event = filled(entry.event)
    said = codec.data_of(event)

    data = shown(event)

    text = orjson.dumps(data).decode()
    assert "CIPHERTEXT" not in text
    assert "SUBJECT" not in text
    assert set(data) == set(said)
    assert ("(sealed)" in text) == ("CIPHERTEXT" in orjson.dumps(said).decode())


def test_words_are_shown_as_words() -> None:
    """The service's own, and those from before people's were sealed; sealed ones say so, and nothing else."""
    refund = e.RefundRequested(refund_id="r", amount_minor=1, reason=e.FreeText(plain="damaged"))
    sealed = replace(refund, reason=e.FreeText(sealed=e.SealedText(subject="s", ciphertext="c")))

    assert shown(refund)["reason"] == "damaged"
    assert shown(sealed)["reason"] == "(sealed)"
    assert shown(order_created(contact=e.SealedText(subject="s", ciphertext="c")))["contact"] == "(sealed)"


def test_lists_inside_an_event_are_kept() -> None:
    """Every line, every field of it, as JSON."""
    lines = shown(order_created())["lines"]

    assert [(line["sku"], line["quantity"]) for line in lines] == [("LAPTOP-001", 1), ("MOUSE-002", 2)]
    assert isinstance(lines, list)
