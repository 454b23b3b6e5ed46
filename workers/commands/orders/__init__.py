"""`orderstore orders …`: what the API can be asked of an order, asked as an operator. Every act is on record, and a repeat under the same
`--key` is harmless."""

import typer

from workers.commands.orders.changing import cancel, cancel_lines, delay, hold, note, release
from workers.commands.orders.editing import edit, withdraw_edit
from workers.commands.orders.money import answer, refund, retry_payment, retry_refund, review


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        help="Orders: undo, shorten, add to, stop, pay, refund, answer; all on record.", no_args_is_help=True
    )
    for command in (
        cancel,
        cancel_lines,
        edit,
        withdraw_edit,
        hold,
        release,
        delay,
        note,
        retry_payment,
        answer,
        review,
        refund,
        retry_refund,
    ):
        group.command()(command)
    app.add_typer(group, name="orders")
