"""The one list of what is personal in an order, held to the events' own fields; and the names of keys."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderstore import codec
from orderstore.contract import public_data
from orderstore.domain import events as e
from orderstore.domain.follow_up import follow_up
from orderstore.history import History
from orderstore.privacy import expiry
from orderstore.privacy.contents import personal_in
from orderstore.privacy.keys import KeyErased
from orderstore.privacy.sealing import SealBroken
from orderstore.privacy.subjects import fiscal_subject, fiscal_year_of, key_class_of, may_expire, operational_subject
from orderstore.registry import EVENT_TYPES
from orderstore.requests import CancelOrder, HoldOrder, ReleaseHold, RequestRefund
from orderstore.store.chain import seal
from projections.views import invoices, order_status
from tests.builders import NOON
from tests.builders import given as given_order
from tests.ordering import cause
from tests.orderstore.golden_events import COMPLETE
from tests.orderstore.privacy.shop import EMAIL, NAME, SHOP, Shop
from tests.virtual_time import run_virtual

STREAM = "main/order-6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"
PERSONAL_FIELDS = {
    ("OrderCreated", "contact"),
    ("OrderCancellationRequested", "note"),
    ("RefundRequested", "reason"),
    ("InvoiceIssued", "buyer"),
    ("CreditNoteIssued", "buyer"),
    ("OrderHeld", "note"),
    ("OrderHoldReleased", "note"),
    ("OrderProcessResumed", "note"),
    ("OrderNoteAdded", "note"),
    ("ReturnRequested", "note"),
    ("ReturnDeclined", "note"),
}


def holds(annotation: Any, kinds: tuple[type, ...]) -> bool:
    return annotation in kinds or any(holds(inner, kinds) for inner in get_args(annotation))


def test_every_sealed_field_of_every_event_is_on_the_list() -> None:
    """Whoever adds one is told here to erase it too."""
    found = {
        (entry.name, field.name)
        for entry in EVENT_TYPES
        for field in fields(entry.event)
        if holds(get_type_hints(entry.event)[field.name], (e.SealedText, e.FreeText))
    }

    assert found == PERSONAL_FIELDS


@pytest.mark.parametrize(("name", "field"), sorted(PERSONAL_FIELDS))
def test_each_of_them_is_found_where_it_stands(name: str, field: str) -> None:
    """Whatever is sealed in an event is found in the log: what nobody finds nobody erases or shows to whom it is about."""
    events = [COMPLETE["OrderCreated"], *([] if name == "OrderCreated" else [COMPLETE[name]])]
    body = codec.encode(events, cause=cause("test"), first_version=1, occurred_at=NOON)
    recorded = codec.decode(seal(stream=STREAM, number=1, recorded_at_ms=1, body=body, previous=None))
    history = History(stream=STREAM, version=len(recorded), events=recorded)

    found = [personal for personal in personal_in(history) if personal.version == len(events)]

    assert [(personal.field, personal.sealed is not None) for personal in found] == [(field, True)]
    assert found[0].purpose.startswith(STREAM)


def test_each_of_them_is_found_in_a_real_order_and_opens_for_its_own_purpose_only() -> None:
    """Contact, note, reason and buyer; a text moved to another place does not open."""

    async def scenario() -> None:
        shop = Shop()
        done, cancelled = await shop.place(), await shop.place()
        await shop.fulfil(done)
        asked = RequestRefund.model_validate({"lines": [{"line": 1, "quantity": 1}], "reason": "it broke"})
        await shop.orders.request_refund(done, asked, actor=SHOP, idempotency_key="r")
        await shop.orders.cancel(cancelled, CancelOrder(reason="changed my mind"), actor=SHOP)

        found = {}
        for order_id in (done, cancelled):
            for personal in personal_in(await shop.orders.load(order_id)):
                assert personal.sealed is not None
                found[personal.field] = await shop.sealer.open(personal.sealed, personal.purpose)
        assert set(found) == {"contact", "buyer", "reason", "note"}
        assert (found["reason"], found["note"]) == (b"it broke", b"changed my mind")
        assert NAME.encode() in found["buyer"]
        assert EMAIL.encode() not in found["buyer"]
        assert EMAIL.encode() in found["contact"]

    run_virtual(scenario)


def test_the_words_of_a_hold_and_of_its_release_are_each_sealed_for_their_own_place() -> None:
    """Neither opens as the other, nor as those of another hold of the same order."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await shop.place()
        for hold_id in ("a", "b"):
            asked = HoldOrder.model_validate(
                {"reason": "address", "holdId": hold_id, "note": f"no such street {hold_id}"}
            )
            await shop.orders.hold(order_id, asked, actor=SHOP, idempotency_key="k")
            released = ReleaseHold(note=f"she called {hold_id}")
            await shop.orders.release_hold(order_id, hold_id, released, actor=SHOP)

        notes = [personal for personal in personal_in(await shop.orders.load(order_id)) if personal.field == "note"]
        assert len({personal.purpose for personal in notes}) == 4
        opened = []
        for personal in notes:
            assert personal.sealed is not None
            opened.append(await shop.sealer.open(personal.sealed, personal.purpose))
            for other in notes:
                if other is not personal:
                    with pytest.raises(SealBroken):
                        await shop.sealer.open(personal.sealed, other.purpose)
        assert opened == [b"no such street a", b"she called a", b"no such street b", b"she called b"]

    run_virtual(scenario)


def test_nothing_sealed_is_published_or_projected() -> None:
    """Neither ciphertext nor a key's name of the fiscal kind leaves the log: not to SNS, not to a view."""

    async def scenario() -> None:
        shop = Shop()
        order_id = await shop.place()
        await shop.fulfil(order_id)
        asked = RequestRefund.model_validate({"lines": [{"line": 1, "quantity": 1}], "reason": "it broke"})
        await shop.orders.request_refund(order_id, asked, actor=SHOP, idempotency_key="r")
        await shop.eraser.erase(shop.asking(order_id, despite_open_orders=True))

        status, billed = None, None
        for recorded in (await shop.orders.load(order_id)).events:
            assert "v1." not in str(public_data(recorded.event))
            status, billed = order_status.evolve(status, recorded), invoices.evolve(billed, recorded)
        assert status is not None
        assert billed is not None
        seen = str(order_status.to_document(status)) + str(invoices.VIEW.to_document(billed))
        assert "v1." not in seen
        assert "fiscal" not in seen
        assert status.status == "COMPLETED"

    run_virtual(scenario)


def test_the_order_s_own_words_are_plain_and_nobody_s() -> None:
    """A cancellation that gives captured money back says so in its own words."""
    paid = e.PaymentCompleted(attempt=1, mode="captured", amount_minor=90_000, provider_reference="ch_1")
    state = given_order(paid, e.OrderCancellationRequested(reason="customer"))
    (refund,) = follow_up(state)

    assert isinstance(refund, e.RefundRequested)
    assert refund.reason == e.FreeText(plain="cancellation")
    assert codec.data_of(refund)["reason"] == {"plain": "cancellation"}


@pytest.mark.parametrize("texts", [{}, {"plain": "a", "sealed": e.SealedText("s", "c")}])
def test_a_text_is_either_plain_or_sealed(texts: dict[str, Any]) -> None:
    """Neither and both are mistakes."""
    with pytest.raises(ValueError, match="plain or sealed"):
        e.FreeText(**texts)


@given(st.one_of(st.none(), st.text(min_size=1, max_size=50)), st.uuids().map(str), st.integers(1970, 9_999))
def test_no_customer_can_be_named_so_that_their_key_is_of_the_wrong_class(
    customer: str | None, order: str, year: int
) -> None:
    """Whatever an id holds, it comes last: fiscal keys are those that we name so."""
    operational = operational_subject(customer, order)
    fiscal = fiscal_subject(operational, year)

    assert (key_class_of(operational), fiscal_year_of(operational)) == ("operational", None)
    assert (key_class_of(fiscal), fiscal_year_of(fiscal)) == ("fiscal", year)
    assert fiscal.endswith(operational)
    assert operational_subject("fiscal:2020:customer:x", order).startswith("customer:")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2036, 12, 31, 23, 59, tzinfo=UTC), False),
        (datetime(2037, 1, 1, 12, tzinfo=UTC), False),  # somewhere it is still the old year
        (datetime(2037, 1, 2, tzinfo=UTC), True),
        (datetime(2050, 1, 2, tzinfo=UTC), True),
    ],
)
def test_a_fiscal_key_s_time_is_over_ten_years_after_the_end_of_its_year(now: datetime, expected: bool) -> None:
    """Not a day sooner, in no time zone; an operational key has no such time."""
    assert may_expire("fiscal:2026:customer:c-1", now=now, retention_years=10) is expected
    assert not may_expire("customer:fiscal:2026:customer:c-1", now=now, retention_years=10)


def test_expiring_destroys_the_fiscal_keys_of_old_years_and_no_other() -> None:
    """Named once, destroyed once; a dry run destroys nothing; operational keys are not looked at."""

    async def scenario() -> None:
        shop = Shop()
        kept = ["customer:c-1", "fiscal:2026:customer:c-1", "guest:o-1", "customer:fiscal:2000:customer:x"]
        over = ["fiscal:2010:customer:c-1", "fiscal:2015:guest:o-1"]
        for subject in (*kept, *over):
            await shop.keys.key_for(subject)
        now = datetime(2026, 6, 1, tzinfo=UTC)

        planned = [found async for found in expiry.expire(shop.keys, now=now, retention_years=10, dry_run=True)]
        assert sorted(planned) == over
        assert [await shop.ring.existing(subject) for subject in over]
        assert sorted([found async for found in expiry.expire(shop.keys, now=now, retention_years=10)]) == over
        assert [found async for found in expiry.expire(shop.keys, now=now, retention_years=10)] == []

        for subject in kept:
            assert await shop.keys.existing(subject)
        for subject in over:
            with pytest.raises(KeyErased):
                await shop.keys.existing(subject)

    run_virtual(scenario)
