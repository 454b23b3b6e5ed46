"""Until when a customer may send goods back without a person deciding on it. Pure.

Directive 2011/83/EU, Art. 9: fourteen days, which of several goods of one order that are delivered separately are counted from the last
one. Regulation 1182/71, Art. 3: the day of the delivery does not count, and the last day counts to its end (here in UTC). That a period
which would end on a Sunday or a public holiday ends on the next working day is left to the person who approves what comes later.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from orderstore.domain.events import ShipmentDelivered
from orderstore.domain.parcels import shipments_in, unbooked
from orderstore.domain.state import InFulfilment, ShipmentStatus
from orderstore.history import History

DAYS: Final = 14
"""Unless the deployment gives its customers longer."""
_COMING: Final = frozenset({ShipmentStatus.BOOKED, ShipmentStatus.DISPATCHED})


def may_withdraw(history: History, *, days: int, now: datetime) -> bool:
    """Whether the customer is within `days` of the order's last delivery, or one is still to come; never where it is 0 days."""
    if days == 0:
        return False
    order = history.state
    if isinstance(order, InFulfilment) and (unbooked(order) or shipments_in(order, _COMING)):
        return True
    delivered = [past.occurred_at for past in history.events if isinstance(past.event, ShipmentDelivered)]
    if not delivered:
        return False
    return now.astimezone(UTC).date() <= max(delivered).astimezone(UTC).date() + timedelta(days=days)
