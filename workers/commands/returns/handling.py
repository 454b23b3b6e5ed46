"""`returns approve`, `decline`, `cancel`, `receive`, `inspect`."""

from typing import Annotated

import typer

from orderstore.change_requests import DeclineReturn, InspectReturn
from orderstore.wishes import returning
from workers.commands.acting import By
from workers.commands.orders.options import Note, OrderId, Seen, asking, body, carry_out, conditions
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir

ReturnId = Annotated[str, typer.Argument(metavar="RETURN", help="The return's id, as `returns request` told it.")]


def approve(
    order: OrderId,
    return_id: ReturnId,
    *,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Let goods come back."""
    carry_out(state_dir, asking(order, returning.approve(return_id)), by=by, seen=seen, as_json=as_json)


def decline(
    order: OrderId,
    return_id: ReturnId,
    *,
    note: Note = "",
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Do not let them."""
    wish = returning.decline(return_id, body(DeclineReturn, {"note": note}))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)


def cancel(
    order: OrderId,
    return_id: ReturnId,
    *,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """The customer keeps the goods after all."""
    carry_out(state_dir, asking(order, returning.cancel(return_id)), by=by, seen=seen, as_json=as_json)


def receive(
    order: OrderId,
    return_id: ReturnId,
    *,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """The parcel is back; it waits for somebody to look into it."""
    carry_out(state_dir, asking(order, returning.receive(return_id)), by=by, seen=seen, as_json=as_json)


def inspect(
    order: OrderId,
    return_id: ReturnId,
    *,
    pieces: Annotated[
        list[str] | None,
        typer.Option(
            "--piece",
            metavar="LINE:PIECES:CONDITION",
            help="What came back, such as 1:2:sellable (or damaged, or dismissed); may be repeated. What did not come is not named.",
        ),
    ] = None,
    nothing: Annotated[bool, typer.Option("--nothing", help="Nothing of it came back: nothing is refunded.")] = False,
    by: By = None,
    seen: Seen = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Say what came back. What is not dismissed is refunded; what is sellable goes back to stock."""
    if bool(pieces) == nothing:
        raise typer.BadParameter("say what came back (--piece), or that nothing did (--nothing)")
    wish = returning.inspect(return_id, body(InspectReturn, {"pieces": conditions(pieces or [])}))
    carry_out(state_dir, asking(order, wish), by=by, seen=seen, as_json=as_json)
