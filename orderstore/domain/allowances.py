"""How long each stage of an order may take before somebody is told. An order keeps the allowances that it was placed with, so each of its
deadlines follows from the log alone: `occurred_at` of the event that began the stage, and the order's own allowance.

outcomes   from `OrderCreated` to both outcomes: 15 min. Ours: providers answer in seconds; these are their retries.
dispatch   from `OrderConfirmed`, or the release of the last hold, to `ShipmentDispatched`: 48 h. Starshipit: "Aged Unshipped 2+ days".
delivery   from `ShipmentDispatched` to `ShipmentDelivered`: 5 days. Starshipit: "Transit Delay 5+ days".
undo       from `OrderCancellationRequested` to `OrderCancelled`, or until it is declined: 1 h. Ours: every worker's longest retries.
refund     from `RefundRequested` to `RefundIssued`: 14 days. Stripe: 5 to 10 business days, which are at most 14 days.

While an order is held, nothing that a hold stops can be late: `dispatch` begins anew with the release of the last hold.
"""

from typing import Final, Literal, get_args

from orderstore.domain.events import Allowances, OrderCreated

Stage = Literal["outcomes", "dispatch", "delivery", "undo", "refund"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)

DEFAULTS: Final = Allowances()
"""Those of an order from before they were kept. They are history: another default is a setting, never a change here."""
SHORTEST_S: Final = 1
LONGEST_S: Final = 366 * 86_400
"""The bounds of every allowance, in seconds."""


def allowances_of(order: OrderCreated) -> Allowances:
    """The allowances of an order."""
    return DEFAULTS if order.allowances is None else order.allowances


def allowed_s(allowances: Allowances, stage: Stage) -> int:
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
