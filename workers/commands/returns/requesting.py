"""`returns request`."""

from typing import Annotated

import typer

from orderstore.change_requests import RequestReturn
from orderstore.expected import Expected
from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.wishes.wish import Granted
from workers.commands.acting import By
from workers.commands.orders.options import Key, Lines, Note, OrderId, Seen, body, carry_out, goods, key_of, pieces
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir


def request(
    order: OrderId,
    *,
    lines: Lines,
    reason: Annotated[
        str, typer.Option("--reason", help="withdrawal, damaged, wrong_item, not_as_described or other.")
    ],
    exchange: Annotated[
        list[str] | None,
        typer.Option(
            "--exchange",
            metavar="SKU:PIECES:PRICE",
            help="What is sent in exchange, as an order of its own; may be repeated.",
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", metavar="TOKEN", help="How the order in exchange is paid.")
    ] = None,
    note: Note = "",
    key: Key = None,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Announce that goods come back. Within the time for it they may; later a person decides (`returns approve`)."""
    if method is not None and not exchange:
        raise typer.BadParameter("--method is how an order in exchange is paid: say what is sent (--exchange)")
    wanted = None
    if exchange:
        wanted = {"items": goods(exchange), **({} if method is None else {"paymentMethod": method})}
    document = {"lines": pieces(lines), "reason": reason, "note": note, "exchange": wanted}
    asked, idempotency_key = body(RequestReturn, document), key_of(key)

    async def work(orders: Orders, actor: Actor, expected: Expected) -> Granted:
        return await orders.request_return(
            order, asked, actor=actor, idempotency_key=idempotency_key, expected=expected
        )

    carry_out(state_dir, work, by=by, seen=seen, as_json=as_json)
