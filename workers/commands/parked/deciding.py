"""`parked retry` and `parked skip`: the decisions that let a parked order go on, or leave it where it is."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

import typer

from projections.observe import Subscription
from projections.parked_orders.judging import judge
from projections.parked_orders.unparking import GrownTooFast, NotLocated, Outcome, Released, StillParked, Unparking
from projections.stream.parking import REASON_CHARACTERS_MAX, Decision, Parked, every_row
from workers.archive.opening import RESTORING, nothing_is_being_restored
from workers.commands.acting import operator, reason_of
from workers.commands.audit.options import OrderArgument
from workers.commands.parked.words import (
    SubscriptionArgument,
    document_of,
    failing,
    items_of,
    named,
    not_parked,
    order_in,
    parked_row,
)
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, complain, fail, with_core
from workers.core import Core, now_ms
from workers.subscriptions import RELAY_SUBSCRIPTION, keyed_subscriber

# --actor is what it was called first.
By = Annotated[str | None, typer.Option("--by", "--actor", help="Who decides; else the user of this machine.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why, such as a ticket's number. It is written down: no personal data.")
]


def retry(
    subscription: SubscriptionArgument,
    order: Annotated[str | None, typer.Argument(metavar="ORDER", help="The order's id; none with --all.")] = None,
    *,
    reason: ReasonOption,
    by: By = None,
    every: Annotated[bool, typer.Option("--all", help="Every parked order of the subscription, oldest first.")] = False,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Take parked orders up again, here and now, with this build: from the failed commit to the log's end, in order.

    What still fails stays parked, with the new cause. Exit 1 if any does. A skipped order is taken up again by its id.
    """
    if (order is None) is not every:
        raise typer.BadParameter("name an order, or all of them with --all", param_hint="ORDER")
    order_id = None if order is None else named(order)
    decide = _decision(by, reason)

    async def work(core: Core) -> list[tuple[Parked, Outcome]]:
        await _check_may_publish(core, subscription)
        if order_id is not None:
            rows = [await parked_row(core, subscription, order_id)]
        else:
            rows = [row for row in await every_row(core.parked, subscription) if row.state == "parked"]
        unparking = _unparking(core, subscription)
        done = []
        for row in rows:
            outcome = await _tried(row, partial(unparking.retry, row, decide("retry")))
            done.append((row, outcome))
            if not as_json:
                _tell(row, outcome, passed=None)
        return done

    _end(with_core(state_dir, work), as_json=as_json)


def skip(
    subscription: SubscriptionArgument,
    order: OrderArgument,
    *,
    reason: ReasonOption,
    by: By = None,
    commit: Annotated[
        int | None,
        typer.Option("--commit", min=1, help="relay only: the failing commit, which will never be published."),
    ] = None,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Go on without what cannot be applied, for good.

    relay: the failing commit is never published, the later ones are, in order. views: a document cannot be right without the commit, so
    the order stays as it is shown, its later commits wait, and no alarm counts it; `retry` takes it up again.
    """
    order_id = named(order)
    decide = _decision(by, reason)
    if (commit is None) is (subscription == RELAY_SUBSCRIPTION):
        raise typer.BadParameter(
            "for relay name the commit that is never to be published (`orderstore parked show` says which fails); "
            "for views there is none to name",
            param_hint="--commit",
        )

    async def work(core: Core) -> tuple[Parked, Outcome | None]:
        row = await parked_row(core, subscription, order_id)
        unparking = _unparking(core, subscription)
        if commit is None:
            aside = await unparking.set_aside(row, decide("skip"))
            return (await not_parked(core, subscription, order_id) if aside is None else aside), None
        await _check_may_publish(core, subscription)
        fails = failing(row)
        if fails is not None and fails != commit:
            fail(
                f"It is commit {fails} that fails now, not {commit}. Look again: orderstore parked show relay {order_id}"
            )
        return row, await _tried(row, partial(unparking.pass_over, row, decide(f"skip commit {commit}")))

    row, outcome = with_core(state_dir, work)
    if outcome is not None:
        if not as_json:
            _tell(row, outcome, passed=commit)
        _end([(row, outcome)], as_json=as_json)
    elif as_json:
        typer.echo(json.dumps([{**document_of(row), "outcome": "skipped"}], indent=2))
    else:
        typer.echo(f"views: order {order_id} is set aside: it stays as it is shown, and its later commits wait.")


def _decision(by: str | None, reason: str) -> Callable[[str], Decision]:
    actor, why = operator(by).id, reason_of(reason, characters_max=REASON_CHARACTERS_MAX)
    return lambda what: Decision(what=what, actor=actor, reason=why, at_ms=now_ms())


def _unparking(core: Core, subscription: Subscription) -> Unparking:
    return Unparking(core.parked, keyed_subscriber(core, subscription), items_of(core), judge=judge)


async def _check_may_publish(core: Core, subscription: str) -> None:
    if subscription == RELAY_SUBSCRIPTION and not await nothing_is_being_restored(core):
        fail(f"Nothing was tried: {RESTORING}.")


async def _tried(row: Parked, attempt: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """What is not the order's fault says nothing of the order: it is parked as it was. Exit 1."""
    try:
        return await attempt()
    except NotLocated:
        fail(
            f"A back-fill parked order {order_in(row)}: which commit fails is not known yet. A retry finds out: "
            f"orderstore parked retry {row.subscription} {order_in(row)} --reason …"
        )
    except Exception as error:
        if judge(error).cause is not None:
            raise
        fail(
            f"{row.subscription}: order {order_in(row)} could not be tried, and stays parked: {error}\nTry again later."
        )


def _tell(row: Parked, outcome: Outcome, *, passed: int | None) -> None:
    name = f"{row.subscription}: order {order_in(row)}"
    match outcome:
        case Released(through=through):
            left_out = "" if passed is None else f", and commit {passed} was not published"
            typer.echo(f"{name} goes on. It is complete up to commit {through}{left_out}.")
        case StillParked(row=now, located=located):
            at = f"at commit {failing(now)}" if located else "at a commit that could not be told"
            complain(f"{name} is still parked, {at} now: {now.cause.error}: {now.cause.message}")
        case GrownTooFast(rounds=rounds):
            complain(
                f"{name} grew {rounds} times while it was taken up, and is still parked. Nothing is lost: run it again."
            )
        case _:
            complain(f"{name} was released or parked anew by somebody else meanwhile: orderstore parked show says how.")


def _end(done: list[tuple[Parked, Outcome]], *, as_json: bool) -> None:
    if as_json:
        found = [
            {**document_of(outcome.row if isinstance(outcome, StillParked) else row), "outcome": _word(outcome)}
            for row, outcome in done
        ]
        typer.echo(json.dumps(found, indent=2))
    elif not done:
        typer.echo("Nothing is parked there.")
    if any(not isinstance(outcome, Released) for _, outcome in done):
        raise typer.Exit(1)


def _word(outcome: Outcome) -> str:
    match outcome:
        case Released():
            return "released"
        case StillParked():
            return "still parked"
        case GrownTooFast():
            return "still parked: it grew too fast"
        case _:
            return "taken by others"
