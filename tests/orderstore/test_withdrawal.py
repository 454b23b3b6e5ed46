"""Until when goods come back without a person deciding: counted from the last delivery, to the end of the last day."""

from datetime import UTC, datetime, timedelta

import pytest

from orderstore import codec
from orderstore.domain import events as e
from orderstore.history import History
from orderstore.store.chain import seal
from orderstore.withdrawal import DAYS, may_withdraw
from tests.builders import BOOKED, CAPTURED, DELIVERED, DISPATCHED, NOON, PAID, RESERVED, order_created
from tests.ordering import TENANT, cause

MINUTE = timedelta(minutes=1)
MIDNIGHT_AFTER = datetime(2026, 3, 16, tzinfo=UTC)
"""Of the fourteenth day after NOON, which is on 2026-03-01."""


def told(*commits: tuple[datetime, tuple[e.Event, ...]]) -> History:
    """The order as it was told at these times."""
    history = History(stream=f"{TENANT}/order-1")
    for at, events in commits:
        body = codec.encode(
            events, cause=cause(f"c-{history.version}"), first_version=history.version + 1, occurred_at=at
        )
        previous = history.head
        number = 1 if previous is None else previous.number + 1
        commit = seal(stream=history.stream, number=number, recorded_at_ms=1, body=body, previous=previous)
        history = history.then(commit)
    return history


def parcel(number: int, line: int) -> tuple[e.ShipmentCreated, e.ShipmentDispatched, e.ShipmentDelivered]:
    shipment_id = f"shipment-{number}"
    lines = (e.Pieces(line=line, quantity=line + 1),)
    return (
        e.ShipmentCreated(
            shipment_id=shipment_id, carrier="c", label_reference="l", location=f"l-{number}", lines=lines
        ),
        e.ShipmentDispatched(shipment_id=shipment_id, tracking_number="t"),
        e.ShipmentDelivered(shipment_id=shipment_id, proof_reference="p"),
    )


WAY = (order_created(), PAID, RESERVED, e.OrderConfirmed(), BOOKED, DISPATCHED, CAPTURED)


@pytest.mark.parametrize(
    ("now", "may"),
    [
        (NOON, True),
        (MIDNIGHT_AFTER - MINUTE, True),
        (MIDNIGHT_AFTER, False),
        ((MIDNIGHT_AFTER - MINUTE).astimezone(tz=None), True),
        (NOON + timedelta(days=400), False),
    ],
)
def test_the_day_of_the_delivery_does_not_count_and_the_last_one_counts_to_its_end(now: datetime, may: bool) -> None:
    """Regulation 1182/71, Art. 3."""
    assert may_withdraw(told((NOON, (*WAY, DELIVERED))), days=DAYS, now=now) is may


def test_of_several_parcels_the_last_one_counts() -> None:
    """Directive 2011/83/EU, Art. 9(2)(b)(i): and while one is still to come, the time has not begun to end."""
    booked, left, arrived = parcel(1, 0)
    second = parcel(2, 1)
    begun = (order_created(), PAID, RESERVED, e.OrderConfirmed(), booked, left, arrived)
    first_only = told((NOON, begun))
    late = NOON + timedelta(days=30)

    assert may_withdraw(first_only, days=14, now=late)
    assert may_withdraw(told((NOON, begun), (late, second[:2])), days=14, now=late + timedelta(days=60))
    both = told((NOON, begun), (late, second))
    assert may_withdraw(both, days=14, now=late + timedelta(days=14))
    assert not may_withdraw(both, days=14, now=late + timedelta(days=15))


def test_without_a_time_a_person_always_decides() -> None:
    """0 days are none, also on the day itself; and what never arrived has no time at all."""
    history = told((NOON, (*WAY, DELIVERED)))

    assert not may_withdraw(history, days=0, now=NOON)
    assert not may_withdraw(told((NOON, WAY[:5])), days=14, now=NOON)
    assert may_withdraw(history, days=100, now=NOON + timedelta(days=100))
