"""Stored bytes: what was written is what is read, and nothing is guessed. What history looks like is held in `test_golden_history.py`."""

from datetime import UTC, datetime
from typing import Any, get_args

import orjson
import pytest

from orderstore import codec
from orderstore.contract import publish
from orderstore.domain import events as e
from orderstore.domain.ids import event_id
from orderstore.registry import BY_NAME, CONSUMERS, EVENT_TYPES, consumed_by
from orderstore.store.chain import seal
from orderstore.store.port import Commit
from tests.builders import (
    NOON,
    PAID,
    order_created,
)
from tests.ordering import cause
from tests.orderstore.golden_events import COMPLETE

ORDER = "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"


def commit(*events: e.Event) -> Commit:
    body = codec.encode(events, cause=cause("payment-outcome"), first_version=4, occurred_at=NOON)
    first = seal(stream=f"main/order-{ORDER}", number=1, recorded_at_ms=1, body=b"{}", previous=None)
    return seal(stream=first.stream, number=2, recorded_at_ms=1_772_366_400_000, body=body, previous=first)


def test_every_event_of_the_domain_has_one_name() -> None:
    """The registry and the domain's union name the same types, once each, as past facts."""  # E120
    assert {entry.event for entry in EVENT_TYPES} == set(get_args(e.Event))
    assert len(BY_NAME) == len(EVENT_TYPES)
    assert all(queue in CONSUMERS for entry in EVENT_TYPES for queue in entry.consumers)
    assert all(entry.published for entry in EVENT_TYPES if entry.consumers)
    assert {"OrderCreated"} <= set(consumed_by("payment")) & set(consumed_by("inventory"))  # E047
    outcomes = {"PaymentCompleted", "PaymentFailed", "InventoryReserved", "InventoryFailed"}
    assert outcomes <= set(consumed_by("notification"))  # E048


def test_a_commit_decodes_to_what_was_encoded() -> None:
    """Ids derived from the cause, versions contiguous, the shared metadata on each event."""
    recorded = codec.decode(commit(PAID, e.OrderConfirmed()))

    assert [item.event for item in recorded] == [PAID, e.OrderConfirmed()]
    assert [item.version for item in recorded] == [4, 5]
    assert [item.event_id for item in recorded] == [
        event_id("cause-1", "payment-outcome"),
        event_id("cause-1", "payment-outcome", 1),
    ]  # E072
    assert {item.occurred_at for item in recorded} == {NOON}
    assert {(item.tenant, item.order_id, item.commit) for item in recorded} == {("main", ORDER, 2)}


def test_an_ordinary_outcome_fits_one_write_unit() -> None:
    """Payment outcome and join together, with their ids, stay well below the 1 KB that one write unit pays for."""
    assert len(commit(PAID, e.OrderConfirmed()).body) < 850


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda body: body["events"][0].update(eventType="PaymentExploded"), codec.UnknownEvent),
        (lambda body: body["events"][0].update(eventVersion="2.0"), codec.UnknownEvent),
        (lambda body: body["events"][0]["data"].pop("attempt"), codec.MalformedCommit),
        (lambda body: body["events"][0]["data"].update(attempt="many"), codec.MalformedCommit),
        (lambda body: body.pop("events"), codec.MalformedCommit),
        (lambda body: body.update(actor=7), codec.MalformedCommit),
        (lambda body: body["events"][0].update(occurredAt="yesterday"), codec.MalformedCommit),
    ],
)
def test_bytes_that_this_build_does_not_know_are_named_not_guessed(change, error) -> None:
    """An unknown type or version, a missing or wrong field: an error that says which."""
    body = orjson.loads(commit(PAID).body)
    change(body)
    broken = seal(stream=f"main/order-{ORDER}", number=1, recorded_at_ms=1, body=orjson.dumps(body), previous=None)

    with pytest.raises(error):
        codec.decode(broken)


def test_a_minor_version_with_an_additional_field_is_read() -> None:
    """Additive changes are minor: an older build reads a newer minor and ignores what it does not know."""  # E045
    body = orjson.loads(commit(PAID).body)
    body["events"][0]["eventVersion"] = "1.7"
    body["events"][0]["data"]["novelty"] = True
    newer = seal(stream=f"main/order-{ORDER}", number=1, recorded_at_ms=1, body=orjson.dumps(body), previous=None)

    assert codec.decode(newer)[0].event == PAID


@pytest.mark.parametrize("name", COMPLETE)
def test_the_published_envelope_has_the_article_s_names_and_no_secret(name: str) -> None:
    """E042's fields, E125's too; no personal data, no test hook, no provider's reference travels."""  # E042, D31, K1
    public = publish(codec.decode(commit(COMPLETE[name]))[0])
    if not BY_NAME[name].published:
        assert public is None
        return
    assert public is not None
    envelope: dict[str, Any] = orjson.loads(public.body)

    assert {"eventId", "eventType", "eventVersion", "source", "occurredAt", "data", "correlationId", "orderId"} <= set(
        envelope
    )
    assert envelope["occurredAt"] == "2026-03-01T12:00:00.000Z"
    assert public.attributes["eventType"] == name
    for secret in (b"c2VhbGVk", b'declined"', b"ch_1", b"ciphertext", b"hooks", b"customerEmail"):
        assert secret not in public.body or name == "PaymentFailed"


def test_an_event_too_large_to_travel_carries_a_reference() -> None:
    """Over 60 KB the data stay in the log and the message says where."""  # D47
    lines = tuple(e.OrderLine(sku=f"SKU-{i}", quantity=1, unit_price=NOON_PRICE) for i in range(2_000))
    public = publish(codec.decode(commit(order_created(lines)))[0])
    assert public is not None
    envelope = orjson.loads(public.body)

    assert "data" not in envelope
    assert envelope["dataRef"] == f"main/order-{ORDER}#4"
    assert len(public.body) < 1_000


NOON_PRICE = order_created().lines[1].unit_price


def test_timestamps_are_written_in_milliseconds_and_utc() -> None:
    """ISO 8601, three digits, Z."""
    moment = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)

    assert codec.timestamp(moment) == "2026-03-01T12:00:00.123Z"
