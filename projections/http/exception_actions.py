"""What people do about an order that stands in the list of exceptions because a stage of it takes too long."""

from typing import Any, Final, Literal

from fastapi import APIRouter
from starlette.responses import Response

from orderstore.change_requests import ActOnStage
from orderstore.domain.events import Resumption, StalledStage
from orderstore.wishes import resuming
from projections.http.asking import Keyed, add_verb
from projections.http.auth import Operator
from projections.http.schemas import Answer

_EXAMPLES: Final[dict[str, Any]] = {
    "retry": {
        "summary": "Have it tried again",
        "value": {"stage": "undo", "action": "retry", "reason": "the provider is back"},
    },
    "arrived": {
        "summary": "The parcel has arrived, whatever the carrier says",
        "value": {
            "stage": "delivery",
            "subject": "9d3a0c52-40d8-5d2b-8f5c-7b2f6a3f2b10",
            "action": "skip",
            "reason": "she has it",
        },
    },
}


class StageActedOn(Answer):
    """`woken` are the departments that were told to look; those that were not look when they are told next."""

    order_id: str
    event_id: str
    commit: int
    stage: StalledStage
    subject: str | None
    action: Resumption
    woken: list[str]
    status: Literal["RESUMED"]


def add_routes(router: APIRouter) -> None:
    """The one operation."""
    add_verb(
        router,
        "/exceptions/actions",
        act_on_stage,
        summary="Do something about a stage that takes too long",
        takes=ActOnStage,
        examples=_EXAMPLES,
        gives=StageActedOn,
        means="It is on record who did what, and why; and nobody is told of the stage again before its clock has run out once more.",
        refused=("not_stalled", "too_late_to_cancel", "order_closed", "too_many_attempts"),
        keyed=True,
    )


async def act_on_stage(operator: Operator, asking: Keyed) -> Response:
    """`retry`: the departments look again, and the stage's clock begins anew; of a refund that failed, another attempt begins. `resume`:
    the clock alone. `skip`: a delivery has arrived; of any other stage nobody is told again. `cancel`: the order is undone, if its goods
    are still here."""
    request = await asking.read(ActOnStage)
    granted = await asking.ask(resuming.act(request, idempotency_key=asking.key), operator.actor)
    woken: list[str] = []
    if request.action == "retry" and asking.services.wake is not None:
        woken = list(await asking.services.wake(granted.history))
    return asking.told(
        granted,
        "RESUMED",
        stage=request.stage,
        subject=request.subject,
        action=request.action,
        woken=woken,
    )
