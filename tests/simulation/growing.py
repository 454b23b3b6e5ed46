"""A customer who wants more of an order: has it kept here for a while, asks for more, thinks again or does not, and lets it go."""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from orderstore.change_requests import EditOrder
from orderstore.domain.state import Confirmed, Order, Received
from orderstore.requests import HoldOrder, ReleaseHold
from orderstore.wishes import editing, holding
from tests.simulation.wishing import SKUS

HOLD: Final = "growing"


@dataclass(slots=True)
class Growing:
    """What this customer will have done, in this order. `random` is his own, so that everybody else does what they did before."""

    random: Random
    wants: bool
    asked: int = 0

    def wishes(self, order: Order) -> list[Any]:
        """What he asks for at one look, sensible or not."""
        order_id = order.order.order_id
        if not self.wants:
            return []
        if HOLD not in order.hold_ids:
            held = HoldOrder.model_validate({"reason": "operator", "holdId": HOLD})
            return (
                [holding.hold(order_id, held, idempotency_key=HOLD)] if isinstance(order, Received | Confirmed) else []
            )
        if isinstance(order, Confirmed) and self.asked < 2 and order.open_edit is None and self.random.random() < 0.7:
            self.asked += 1
            item = {"sku": self.random.choice(SKUS), "quantity": self.random.randint(1, 2), "price": "7.77"}
            return [
                editing.edit(order_id, EditOrder.model_validate({"items": [item]}), idempotency_key=f"m{self.asked}")
            ]
        if order.open_edit is not None and self.random.random() < 0.2:
            return [editing.withdraw_edit(order.open_edit.edit_id)]
        if (order.open_edit is None or self.random.random() < 0.3) and self.random.random() < 0.5:
            self.wants = False
            return [holding.release(HOLD, ReleaseHold())]
        return []
