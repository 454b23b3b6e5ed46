"""`sandbox bank` and `sandbox dispute`: what a customer does at the bank, told to the service as a provider would tell it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar, get_args

import anyio
import typer

from orderstore.domain.rejections import UnknownOrder
from orderstore.history import History
from orderstore.orders import placed
from orderstore.request_fields import check_identifier
from workers.commands.orders.options import OrderId
from workers.commands.running import DEFAULT_STATE_DIR, StateDir, checked, fail, with_core
from workers.core import Core
from workers.departments import sandbox_ledger
from workers.payment import playing
from workers.payment.hints import notice_body, queue_hint, queue_sender
from workers.sandbox.ledger import SandboxLedger

T = TypeVar("T")
WAIT_S: Final = 10.0
LOOK_EVERY_S: Final = 0.25
MINOR_MAX: Final = 10**15


def bank(
    order: OrderId,
    answer: Annotated[str, typer.Argument(metavar="ANSWER", help="yes, no, or never (until the deadline).")],
    *,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Answer what the bank asks its customer (3-D Secure), of an order that was paid with pm_sandbox_action."""
    said = _one_of(answer, get_args(playing.Said), "ANSWER")

    async def play(core: Core, history: History) -> None:
        await playing.answer_bank(ledger_of(core), placed(history), said)
        if said != "never":
            await hint(core, history)

    before, after = _play(state_dir, order, play, waits=said != "never")
    if said != "never":
        _tell(order, f"the bank was told {said}", before, after)
        return
    asked = playing.asked_by_bank(placed(before))
    typer.echo(
        f"{order}: nobody will answer the bank; {asked.fails} when the time for it is over, at {asked.until:%Y-%m-%d %H:%M:%S} UTC"
    )


def dispute(
    order: OrderId,
    step: Annotated[str, typer.Argument(metavar="STEP", help="open, won, or lost.")],
    *,
    amount_minor: Annotated[
        int | None,
        typer.Option(
            "--amount-minor", min=1, max=MINOR_MAX, help="In the currency's smallest unit; else all that was taken."
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="The bank's code for it.")] = "fraudulent",
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Have the cardholder dispute a payment that was taken, and then the bank decide: won (the money is ours again) or lost."""
    wanted = _one_of(step, get_args(playing.DisputeStep), "STEP")
    if wanted != "open" and amount_minor is not None:
        raise typer.BadParameter("--amount-minor: only when it is opened")
    checked(check_identifier, reason, "--reason")

    async def play(core: Core, history: History) -> None:
        reference = await playing.dispute(
            ledger_of(core), placed(history), wanted, amount_minor=amount_minor, reason=reason
        )
        await notice(core, reference)

    _tell(order, f"the dispute is {wanted}", *_play(state_dir, order, play, waits=True))


def ledger_of(core: Core) -> SandboxLedger:
    """What the sandbox's providers have in their books."""
    return sandbox_ledger(core)


async def hint(core: Core, history: History) -> None:
    """The provider's webhook about a payment whose order it names."""
    await queue_hint(core.clients.sqs, core.settings.queue)("payment", history)


async def notice(core: Core, reference: str) -> None:
    """The provider's webhook about a payment whose order it does not name."""
    await queue_sender(core.clients.sqs, core.settings.queue("payment"))(notice_body(reference))


def _play(
    state_dir: Path, order_id: str, play: Callable[[Core, History], Awaitable[None]], *, waits: bool
) -> tuple[History, History]:
    """The order before, and after the service has heard of it, if it does in time. Exits with 1 when it cannot be played."""

    async def work(core: Core) -> tuple[History, History]:
        if core.settings.providers != "sandbox":
            fail(
                f"ORDERSTORE_PROVIDERS is {core.settings.providers}: only the sandbox can be played with. "
                "The provider's own test mode has cards and events for this; nothing was changed"
            )
        before = await core.orders.load(order_id)
        await play(core, before)
        after = before
        with anyio.move_on_after(WAIT_S if waits else 0):
            while after.version == before.version:
                await anyio.sleep(LOOK_EVERY_S)
                after = await core.orders.load(order_id)
        return before, after

    try:
        return with_core(state_dir, work)
    except (UnknownOrder, playing.NotPlayable) as error:
        fail(f"{order_id}: {error}; nothing was changed")


def _tell(order_id: str, what: str, before: History, after: History) -> None:
    """What was done, and what the order says to it."""
    names = [recorded.name for recorded in after.events[len(before.events) :]]
    heard = ", ".join(names) if names else f"nothing within {WAIT_S:g} s (does the payment role run?)"
    typer.echo(f"{order_id}: {what}; the order says: {heard}")


def _one_of(text: str, choices: tuple[T, ...], name: str) -> T:
    for choice in choices:
        if choice == text:
            return choice
    raise typer.BadParameter(f"{name}: one of {', '.join(map(str, choices))}")
