"""What the golden files say, as the events that this build makes of them: every type and stored version, complete and minimal."""

from orderstore.domain import events as e
from orderstore.registry import BY_NAME
from tests.orderstore import golden_goods, golden_money, golden_orders

COMPLETE: dict[str, e.Event] = {**golden_orders.COMPLETE, **golden_money.COMPLETE, **golden_goods.COMPLETE}
MINIMAL: dict[str, e.Event] = {**golden_orders.MINIMAL, **golden_money.MINIMAL, **golden_goods.MINIMAL}
EARLIER: dict[str, e.Event] = {**golden_orders.EARLIER, **golden_money.EARLIER, **golden_goods.EARLIER}
"""What older builds wrote, and the event that it is today."""

PRESENT: dict[str, e.Event] = {
    f"{name}-{BY_NAME[name].version}-complete": event for name, event in COMPLETE.items()
} | {f"{name}-{BY_NAME[name].version}-minimal": MINIMAL.get(name, event) for name, event in COMPLETE.items()}
"""By the golden file's name. An event without optional fields is complete when it is minimal."""
