"""`exceptions retry|skip|resume|cancel`: what is done about a stage that takes too long, on record with who and why."""

from typing import Annotated
from uuid import uuid4

import typer
from pydantic import ValidationError

from orderstore.change_requests import ActOnStage
from orderstore.domain.allowances import STAGES
from orderstore.domain.events import Resumption
from orderstore.domain.rejections import CommandRejected
from orderstore.wishes import resuming
from workers.commands.acting import By, operator
from workers.commands.running import DEFAULT_STATE_DIR, StateDir, fail, with_core
from workers.core import Core
from workers.sweepers import order_sweep

OrderId = Annotated[str, typer.Argument(help="The order.")]
Stage = Annotated[str, typer.Option("--stage", help=f"Which stage: {', '.join(STAGES)}.")]
Subject = Annotated[str | None, typer.Option("--subject", help="The parcel (delivery), or the refund.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept sealed, as everything that people write.")]


def retry(
    order_id: OrderId,
    *,
    stage: Stage,
    subject: Subject = None,
    reason: Reason,
    by: By = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Have the departments look again; the stage's clock begins anew. A refund that failed is tried once more."""
    _act("retry", order_id, stage, subject, reason=reason, by=by, state_dir=state_dir)


def skip(
    order_id: OrderId,
    *,
    stage: Stage,
    subject: Subject = None,
    reason: Reason,
    by: By = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Take a delivery for arrived; of any other stage, have nobody told again."""
    _act("skip", order_id, stage, subject, reason=reason, by=by, state_dir=state_dir)


def resume(
    order_id: OrderId,
    *,
    stage: Stage,
    subject: Subject = None,
    reason: Reason,
    by: By = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Let it go on waiting: the stage's clock begins anew."""
    _act("resume", order_id, stage, subject, reason=reason, by=by, state_dir=state_dir)


def cancel(
    order_id: OrderId,
    *,
    stage: Stage,
    subject: Subject = None,
    reason: Reason,
    by: By = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Undo the order, if its goods are still here."""
    _act("cancel", order_id, stage, subject, reason=reason, by=by, state_dir=state_dir)


def _act(
    action: Resumption,
    order_id: str,
    stage: str,
    subject: str | None,
    *,
    reason: str,
    by: str | None,
    state_dir: StateDir,
) -> None:
    try:
        request = ActOnStage.model_validate({"stage": stage, "subject": subject, "action": action, "reason": reason})
    except ValidationError as error:
        wrong = ", ".join(f"--{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise typer.BadParameter(wrong) from None
    actor = operator(by)

    async def work(core: Core) -> tuple[int, tuple[str, ...]]:
        wish = resuming.act(request, idempotency_key=str(uuid4()))
        granted = await core.orders.ask(order_id, wish, actor=actor)
        woken = await order_sweep(core).wake(granted.history) if action == "retry" else ()
        return granted.recorded.commit, woken

    try:
        commit, woken = with_core(state_dir, work)
    except CommandRejected as error:
        fail(f"{order_id}: {error}")
    told = f"; looking again: {', '.join(woken)}" if woken else ""
    typer.echo(f"{order_id}: {action} {stage}{f' {subject}' if subject else ''}, commit {commit}{told}")
