"""What the commands share: how a parked order is named, and how it is said in words."""

from typing import Annotated, Any, Final, NoReturn

import typer

from orderstore.domain.ids import order_of, stream_of
from projections.observe import SUBSCRIPTIONS, Subscription
from projections.parked_orders.dynamo_log_items import DynamoLogItems
from projections.parked_orders.unparking import number_of
from projections.stream.parking import Decision, Parked
from workers.commands.audit.options import order_id_of
from workers.commands.running import fail
from workers.core import Core, now_ms

SubscriptionArgument = Annotated[
    Subscription,
    typer.Argument(metavar="SUBSCRIPTION", help="views (the order's documents) or relay (what is published of it)."),
]
DOES: Final = {"views": "its documents are not brought up to date", "relay": "nothing of it is published"}


def named(text: str) -> str:
    """The order id in the form that the log knows; or a whole stream's name, for what is not this tenant's order. Raises BadParameter."""
    return text if "/" in text else order_id_of(text)


def stream_named(core: Core, order: str) -> str:
    """The stream of an order that was named so."""
    return order if "/" in order else stream_of(core.settings.tenant, order)


async def parked_row(core: Core, subscription: str, order_id: str) -> Parked:
    """The order's row. One that is not parked, or not known, is told in words. Exit 1."""
    stream = stream_named(core, order_id)
    row = await core.parked.get(subscription, stream)
    if row is None:
        await not_parked(core, subscription, order_id)
    return row


async def not_parked(core: Core, subscription: str, order_id: str) -> NoReturn:
    """Say so, and what to do. Exit 1."""
    stream = stream_named(core, order_id)
    if await items_of(core).head(stream) == 0:
        fail(f"The log of {core.settings.tenant} has no order {order_id}.")
    others = [name for name in SUBSCRIPTIONS if name != subscription and await core.parked.get(name, stream)]
    hint = f"It is parked for {others[0]}." if others else "`orderstore parked ls` shows what is."
    fail(f"Order {order_id} is not parked for {subscription}. {hint}")


def items_of(core: Core) -> DynamoLogItems:
    """The log's items as they lie in the table."""
    return DynamoLogItems(core.clients.dynamodb, table=core.settings.table("events"), random=core.random)


def order_in(row: Parked) -> str:
    """The order's id; the stream's name where that is no order's: somebody else's item in the log's table."""
    try:
        return order_of(row.key)[1]
    except ValueError:
        return row.key


def failing(row: Parked) -> int | None:
    """The commit that fails; None when it is not known, because a back-fill parked the order."""
    return None if row.failed is None else number_of(row.failed)


def age(since_ms: int) -> str:
    """How long ago, in one unit."""
    seconds = max(0, now_ms() - since_ms) // 1_000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def document_of(row: Parked) -> dict[str, Any]:
    """A row as JSON values."""
    last = None if row.last is None else number_of(row.last)
    return {
        "subscription": row.subscription,
        "orderId": order_in(row),
        "stream": row.key,
        "state": row.state,
        "commit": failing(row),
        "lastHeldCommit": last,
        "held": row.held,
        "cause": row.cause.error,
        "message": row.cause.message,
        "attempts": row.attempts,
        "parkedAtMs": row.parked_at_ms,
        "owedSinceMs": row.owed_since_ms,
        "passed": list(row.passed),
        "decisions": [decision_document(decision) for decision in row.decisions],
    }


def decision_document(decision: Decision) -> dict[str, Any]:
    """A decision as JSON values."""
    return {"what": decision.what, "actor": decision.actor, "reason": decision.reason, "atMs": decision.at_ms}
