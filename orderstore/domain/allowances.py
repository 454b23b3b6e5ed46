"""How long each stage of an order may take before somebody is told. An order keeps the allowances that it was placed with, so each of its
deadlines follows from the log alone: `occurred_at` of the event that began the stage, and the order's own allowance.

outcomes   from `OrderCreated`, or the end of its grace, to both outcomes: 15 min. Ours: providers answer in seconds, and try again.
capture    from `PaymentCompleted` that holds money until four fifths of its `capture_before`: no allowance, but the provider's own time.
dispatch   from `OrderConfirmed`, or the release of the last hold, to `ShipmentDispatched`: 48 h. Starshipit: "Aged Unshipped 2+ days".
           Once the first parcel has left, from the booking of each further one.
delivery   from `ShipmentDispatched` to `ShipmentDelivered`: 5 days. Starshipit: "Transit Delay 5+ days".
undo       from `OrderCancellationRequested` to `OrderCancelled`, or until it is declined: 1 h. Ours: every worker's longest retries.
refund     from `RefundRequested` to `RefundIssued`: 14 days. Stripe: 5 to 10 business days, which are at most 14 days.

While an order is held, nothing that a hold stops can be late: `dispatch` begins anew with the release of the last hold.
"""

from typing import Final, Literal, get_args

from orderstore.domain.events import Allowances, OrderCreated

Allowed = Literal["outcomes", "dispatch", "delivery", "undo", "refund"]
"""The stages with an allowance."""
Stage = Literal["outcomes", "capture", "dispatch", "delivery", "undo", "refund"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)

DEFAULTS: Final = Allowances()
"""Those of an order from before they were kept. They are history: another default is a setting, never a change here."""
SHORTEST_S: Final = 1
LONGEST_S: Final = 366 * 86_400
"""The bounds of every allowance, in seconds."""
OUTCOMES_LONGEST_S: Final = 86_400
"""That of `outcomes`: by then everybody who reads the order knows what is held of its money, and until when."""
CAPTURE_WARNED_AT: Final = 0.8
"""Of the time for which a provider holds money: when somebody is told. Source: domain reference 5.4."""


def allowances_of(order: OrderCreated) -> Allowances:
    """The allowances of an order."""
    return DEFAULTS if order.allowances is None else order.allowances


def allowed_s(allowances: Allowances, stage: Allowed) -> int:
    """How many seconds a stage may take."""
    match stage:
        case "outcomes":
            return allowances.outcomes_s
        case "dispatch":
            return allowances.dispatch_s
        case "delivery":
            return allowances.delivery_s
        case "undo":
            return allowances.undo_s
        case "refund":
            return allowances.refund_s
