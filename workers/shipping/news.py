"""What the carrier tells of a parcel, as events, and which message waits for more of it. Pure.

A scan is recorded once: it is compared with the history, which the order's state does not hold. A notice of delay is recorded once for each
later day.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from orderstore.domain import ids
from orderstore.domain.events import (
    OrderEditApplied,
    OrderEditDeclined,
    OrderHoldReleased,
    ShipmentCreated,
    ShipmentDelayed,
    ShipmentDispatched,
    Terms,
    TrackingUpdated,
)
from orderstore.history import History
from orderstore.orders import placed
from orderstore.recorded import Recorded
from workers.reaction import OutOfStep
from workers.shipping.carrier import Delayed, Scan

SCANS_MAX: Final = 100
"""Of one parcel. A carrier that sees it more often than this tells us nothing new; how it ends is always recorded."""
DELAYS_MAX: Final = 10
"""Of one parcel: who moves the day more often than this has no day."""
DELAY_CONSENT_S: Final = 30 * 86_400
"""Silence is consent to a delay of up to 30 days, and to no longer one (16 CFR 435.2(b))."""
RETENTION_S: Final = 4 * 86_400
"""How long the queue keeps a message (E082): a parcel that was told of before then has no message of its own any more."""

_LETS_GO: Final = (OrderHoldReleased, OrderEditApplied, OrderEditDeclined)
_CODE_CHARACTERS: Final = 64
_PLACE_CHARACTERS: Final = 128
_REASON_CHARACTERS: Final = 200


def began(history: History, shipment_id: str, event_type: type[ShipmentCreated] | type[ShipmentDispatched]) -> Recorded:
    """The event that a parcel's booking, or its journey, began with. Raises OutOfStep: the log has no such event."""
    for recorded in reversed(history.events):
        if isinstance(recorded.event, event_type) and recorded.event.shipment_id == shipment_id:
            return recorded
    raise OutOfStep(f"nothing in the log says {event_type.__name__} of that parcel")


def follows(beginning: Recorded, message_event_id: str, *, now_ms: int) -> bool:
    """Whether a message is the one that waits for what becomes of a parcel: its own does, and any other one when its own is gone by now."""
    return beginning.event_id == message_event_id or now_ms - beginning.recorded_at_ms > RETENTION_S * 1000


def lets_go(history: History, beginning: Recorded, message_event_id: str) -> bool:
    """Whether a message is of the end of something that kept a parcel here: while that lasted its own message had nothing to wait for."""
    return any(
        recorded.event_id == message_event_id and isinstance(recorded.event, _LETS_GO)
        for recorded in history.events
        if recorded.commit > beginning.commit
    )


def scanned(history: History, shipment_id: str) -> int:
    """How many scans of a parcel are recorded."""
    return len(_known(history, shipment_id))


def new_scans(history: History, shipment_id: str, scans: Sequence[Scan]) -> tuple[TrackingUpdated, ...]:
    """Those that the log has not, each once, in the order in which the parcel was seen, and never more of one parcel than `SCANS_MAX`."""
    known = _known(history, shipment_id)
    found: dict[tuple[str, datetime], TrackingUpdated] = {}
    for scan in scans:
        code = scan.code[:_CODE_CHARACTERS]
        if (code, scan.seen_at) not in known:
            place = None if scan.place is None else scan.place[:_PLACE_CHARACTERS]
            seen_at = scan.seen_at.astimezone(UTC)
            seen = TrackingUpdated(shipment_id=shipment_id, code=code, seen_at=seen_at, place=place)
            found.setdefault((code, seen_at), seen)
    in_order = sorted(found.values(), key=lambda event: event.seen_at)
    return tuple(in_order[: SCANS_MAX - len(known)])


def notice_of(
    history: History, beginning: Recorded, told: Delayed, *, now: datetime, consent_after_s: float
) -> ShipmentDelayed | None:
    """What customers are to be told of a delay; None for what they were told already, or were promised better.

    A parcel was to leave when it was booked. The customer is asked where the day has moved by more than `consent_after_s` since then.
    """
    before = [
        recorded.event.promised_at
        for recorded in history.events
        if isinstance(recorded.event, ShipmentDelayed) and recorded.causation_id == beginning.event_id
    ]
    promised_at = told.promised_at.astimezone(UTC)
    if promised_at <= max(before, default=beginning.occurred_at) or len(before) >= DELAYS_MAX:
        return None
    asks = promised_at - beginning.occurred_at > timedelta(seconds=consent_after_s)
    terms = placed(history).order.terms or Terms()
    return ShipmentDelayed(
        delay_id=ids.event_id(beginning.event_id, f"delay:{promised_at.isoformat()}"),
        promised_at=promised_at,
        reason=told.reason[:_REASON_CHARACTERS],
        consent_by=now + timedelta(seconds=terms.answer_s) if asks else None,
    )


def _known(history: History, shipment_id: str) -> set[tuple[str, datetime]]:
    return {
        (recorded.event.code, recorded.event.seen_at)
        for recorded in history.events
        if isinstance(recorded.event, TrackingUpdated) and recorded.event.shipment_id == shipment_id
    }
