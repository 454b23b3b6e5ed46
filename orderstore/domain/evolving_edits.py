"""How an order changes with what happens to its edits; no rules here. `state.evolve` puts it in its place."""

from typing import Any, TypeVar, assert_never

from orderstore.domain import events as e
from orderstore.domain.copying import replace
from orderstore.domain.edits import HOLD_RAN_OUT, edited, with_goods
from orderstore.domain.parcels import shipped, wanted
from orderstore.domain.parts import Edit, EditStatus, Payment, Spare
from orderstore.domain.statuses import ImpossibleTransition, Placed

EditEvent = e.OrderEditRequested | e.OrderEditReserved | e.OrderEditApplied | e.OrderEditDeclined | e.OrderEditReleased
_S = TypeVar("_S", bound=Placed)


def after_edit(state: _S, event: EditEvent) -> _S:
    """The order after one of them. Raises ImpossibleTransition for an edit that is not there, or is decided."""
    _check(state, event)
    match event:
        case e.OrderEditRequested():
            edit = Edit(
                edit_id=event.edit_id,
                first_line=len(state.order.lines),
                lines=event.lines,
                amount_minor=event.amount_minor,
                due_minor=event.due_minor,
                attempt=event.attempt,
                pricing=event.pricing,
            )
            return replace(
                state, edits=(*state.edits, edit), payment=replace(state.payment, last_attempt=event.attempt)
            )
        case e.OrderEditReserved():
            return _with(
                state,
                event.edit_id,
                reserved=True,
                reservation_id=event.reservation_id,
                allocations=event.allocations,
                untracked_skus=event.untracked_skus,
            )
        case e.OrderEditApplied():
            inventory = with_goods(state.inventory, _edit(state, event.edit_id), wanted=wanted(state))
            after = _with(state, event.edit_id, status=EditStatus.APPLIED)
            # parcels that came to nothing were of everything that there was then
            shipments = tuple(replace(one, lines=shipped(state, one)) for one in state.shipments)
            return replace(after, order=edited(state.order, event), inventory=inventory, shipments=shipments)
        case e.OrderEditDeclined():
            edit = _edit(state, event.edit_id)
            nothing_held = event.reason == "out_of_stock"
            after = _with(state, event.edit_id, status=EditStatus.DECLINED, released=nothing_held)
            if not edit.reserved or (event.reason == "payment_failed" and event.code != HOLD_RAN_OUT):
                return after  # its payment never began, or is over
            return replace(after, payment=with_spare(state.payment, Spare(attempt=edit.attempt)))
        case e.OrderEditReleased():
            return _with(state, event.edit_id, released=True)
        case _:
            assert_never(event)


def _check(state: Placed, event: EditEvent) -> None:
    edit = next((one for one in state.edits if one.edit_id == event.edit_id), None)
    match event:
        case e.OrderEditRequested() if edit is not None or state.open_edit is not None:
            raise ImpossibleTransition(f"edit {event.edit_id} is asked for beside another, or a second time")
        case e.OrderEditReserved() | e.OrderEditApplied() | e.OrderEditDeclined() if (
            edit is None or edit is not state.open_edit
        ):
            raise ImpossibleTransition(f"edit {event.edit_id} is not open")
        case e.OrderEditReleased() if edit is None:
            raise ImpossibleTransition(f"the order never had edit {event.edit_id}")
        case _:
            pass


def all_released(state: _S) -> _S:
    """Nothing of any edit is set aside any more."""
    return replace(state, edits=tuple(replace(edit, released=True) for edit in state.edits)) if state.edits else state


def with_spare(payment: Payment, spare: Spare) -> Payment:
    """With a hold more that is to be given back."""
    return replace(payment, spare=(*payment.spare, spare))


def _with(state: _S, edit_id: str, **changes: Any) -> _S:  # noqa: ANN401 - fields of Edit
    edits = tuple(replace(edit, **changes) if edit.edit_id == edit_id else edit for edit in state.edits)
    return replace(state, edits=edits)


def _edit(state: Placed, edit_id: str) -> Edit:
    return next(edit for edit in state.edits if edit.edit_id == edit_id)
