"""`orders edit`, `withdraw-edit`."""

from typing import Annotated

import typer

from orderstore.change_requests import EditOrder
from orderstore.wishes import editing
from workers.commands.acting import By
from workers.commands.orders.options import Key, OrderId, Seen, asking, body, carry_out, goods, key_of
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir


def edit(
    order: OrderId,
    *,
    add: Annotated[
        list[str],
        typer.Option("--add", metavar="SKU:PIECES:PRICE", help="A line that is added to it; may be repeated."),
    ],
    key: Key = None,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Add lines to an order that no carrier expects yet, whose money is held and not taken."""
    wish = editing.edit(order, body(EditOrder, {"items": goods(add)}), idempotency_key=key_of(key))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)


def withdraw_edit(
    order: OrderId,
    edit_id: Annotated[str, typer.Argument(metavar="EDIT", help="The edit's id.")],
    *,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Take an edit back that is not applied yet."""
    carry_out(state_dir, asking(order, editing.withdraw_edit(edit_id)), by=by, seen=seen, as_json=as_json)
