"""The readable history of an order."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orderstore import codec
from orderstore.audit.history import history_of, rows
from orderstore.domain import events as e
from orderstore.recorded import Actor, Cause
from orderstore.store.chain import seal
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.builders import NOON, PAID, RESERVED, order_created
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

        created, paid, reserved = await history_of(store, STREAM)

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

    async def scenario() -> None:
        assert await history_of(MemoryEventStore(), STREAM) == ()

    run_virtual(scenario)


def test_a_body_that_this_build_cannot_read_is_told_with_its_place() -> None:
    """No row is made up."""
    first, second = an_order()

    with pytest.raises(codec.CodecError, match="commit 2"):
        rows([first, replace(second, body=b"not JSON")])
