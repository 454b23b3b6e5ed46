"""The operations for what comes back: announced by customers, and allowed, received and inspected by whoever runs the shop."""

from fastapi import APIRouter
from starlette.responses import Response

from orderstore.change_requests import DeclineReturn, InspectReturn, Nothing, RequestReturn
from orderstore.domain.events import Event, RefundRequested, ReturnApproved
from orderstore.wishes import returning
from orderstore.wishes.wish import Granted, Wish
from projections.http import change_examples as examples
from projections.http import change_schemas as schemas
from projections.http.asking import Asked, Asking, Keyed, add_verb
from projections.http.auth import Operator, Principal, Writer
from projections.http.change_places import ReturnIdOf

_KNOWN = ("unknown_return", "wrong_return_status")


def add_routes(router: APIRouter) -> None:
    """The six operations."""
    add_verb(
        router,
        "/returns",
        request_return,
        summary="Send goods back, or exchange them",
        takes=RequestReturn,
        examples=examples.RETURN,
        gives=schemas.ReturnAccepted,
        means="The goods may come back, or a person decides whether they may; the order in exchange is placed.",
        refused=(
            "nothing_to_return",
            "too_many_returns",
            "approval_needed",
            "exchange_refused",
            "customer_erased",
        ),
        keyed=True,
    )
    for verb, operation, summary, means in (
        ("approve", approve_return, "Let goods come back", "They may come back."),
        ("cancel", cancel_return, "Keep the goods after all", "Nothing comes back."),
        ("receive", receive_return, "Say that a parcel is back", "It waits for somebody to look into it."),
    ):
        add_verb(
            router,
            f"/returns/{{returnId}}/{verb}",
            operation,
            summary=summary,
            takes=Nothing,
            examples=examples.NOTHING,
            required=False,
            gives=schemas.ReturnChanged,
            means=f"{means} Asking again is answered the same.",
            refused=_KNOWN,
        )
    add_verb(
        router,
        "/returns/{returnId}/decline",
        decline_return,
        summary="Do not let goods come back",
        takes=DeclineReturn,
        examples=examples.DECLINE,
        required=False,
        gives=schemas.ReturnChanged,
        means="Nothing comes back. Asking again is answered the same.",
        refused=_KNOWN,
    )
    add_verb(
        router,
        "/returns/{returnId}/inspection",
        inspect_return,
        summary="Say what came back, and in which condition",
        takes=InspectReturn,
        examples=examples.INSPECTION,
        gives=schemas.ReturnInspected,
        means="What is not dismissed is refunded, and what is sellable goes back to stock. Asking again is answered the same.",
        refused=(*_KNOWN, "nothing_to_return"),
    )


async def request_return(writer: Writer, asking: Keyed) -> Response:
    """Of goods that have arrived. Within the time for it the return is approved at once; later a person decides. With `exchange` the order
    that replaces the goods is placed first, for the same customer; it is paid by itself, and what comes back is refunded once it is
    inspected. After a 5xx, the same request with the same Idempotency-Key finishes what was begun."""
    request = await asking.read(RequestReturn)
    granted = await asking.services.orders.request_return(
        asking.order_id, request, actor=writer.actor, idempotency_key=asking.key, **asking.about
    )
    event = granted.event
    approved = any(isinstance(past, ReturnApproved) and past.return_id == event.return_id for past in _beside(granted))
    return asking.told(
        granted,
        "RETURN_APPROVED" if approved else "RETURN_REQUESTED",
        returnId=event.return_id,
        exchangeOrderId=event.exchange_order_id,
    )


async def approve_return(operator: Operator, asking: Asked, return_id: ReturnIdOf) -> Response:
    """A return that nobody has decided on yet."""
    return await _change(operator, asking, returning.approve(return_id), "RETURN_APPROVED", return_id)


async def decline_return(operator: Operator, asking: Asked, return_id: ReturnIdOf) -> Response:
    """A return that nobody has decided on yet. The body may be absent."""
    request = await asking.read(DeclineReturn, empty_is=DeclineReturn())
    granted = await asking.ask(returning.decline(return_id, request), operator.actor)
    return asking.told(granted, "RETURN_DECLINED", returnId=return_id)


async def cancel_return(writer: Writer, asking: Asked, return_id: ReturnIdOf) -> Response:
    """While nothing has come back."""
    return await _change(writer, asking, returning.cancel(return_id), "RETURN_CANCELLED", return_id)


async def receive_return(operator: Operator, asking: Asked, return_id: ReturnIdOf) -> Response:
    """Of a return that is approved."""
    return await _change(operator, asking, returning.receive(return_id), "RETURN_RECEIVED", return_id)


async def inspect_return(operator: Operator, asking: Asked, return_id: ReturnIdOf) -> Response:
    """Once it is received. Never more pieces than were announced; what did not come is not named."""
    request = await asking.read(InspectReturn)
    granted = await asking.ask(returning.inspect(return_id, request), operator.actor)
    refund = next((event for event in _beside(granted) if isinstance(event, RefundRequested)), None)
    return asking.told(
        granted,
        "RETURN_INSPECTED",
        returnId=return_id,
        refundId=None if refund is None else refund.refund_id,
        amountMinor=None if refund is None else refund.amount_minor,
    )


async def _change(who: Principal, asking: Asking, wish: Wish, status: str, return_id: str) -> Response:
    await asking.read(Nothing, empty_is=Nothing())
    return asking.told(await asking.ask(wish, who.actor), status, returnId=return_id)


def _beside(granted: Granted) -> list[Event]:
    """The events of the same commit."""
    commit = granted.recorded.commit
    return [past.event for past in granted.history.events if past.commit == commit]
