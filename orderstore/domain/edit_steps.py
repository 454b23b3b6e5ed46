"""What the edits of an order want of the workers, whatever else it wants of them: see `next_steps`."""

from orderstore.domain.parts import EditStatus
from orderstore.domain.state import Completed, Confirmed, InFulfilment, Placed
from orderstore.domain.steps import AuthorizeEdit, ReleaseEdit, ReleaseHold, ReserveEdit


def payment_of_edits(state: Placed) -> AuthorizeEdit | ReleaseHold | None:
    """First the hold that nobody needs: two of them at once are the customer's money twice."""
    if state.payment.spare:
        return ReleaseHold(state.payment.spare[0])
    edit = state.open_edit
    if edit is not None and edit.reserved and isinstance(state, Confirmed):
        return AuthorizeEdit(edit)
    return None


def stock_of_edits(state: Placed) -> ReserveEdit | ReleaseEdit | None:
    """Of an order that is being undone everything is released at once."""
    if not isinstance(state, Confirmed | InFulfilment | Completed):
        return None
    for edit in state.edits:
        if edit.status is EditStatus.DECLINED and not edit.released:
            return ReleaseEdit(edit)
        if edit.status is EditStatus.OPEN and not edit.reserved:
            return ReserveEdit(edit)
    return None
