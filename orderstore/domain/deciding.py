"""What every decision begins and ends with. A decision is `(state, *, inputs) -> tuple[Event, ...]`, `()` meaning "already so"."""

from typing import Final

from orderstore.domain import events as e
from orderstore.domain.follow_up import follow_up
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import NotPlaced, Order, State, fold

ATTEMPTS_MAX: Final = 10
"""Of an order to be paid, those of its edits among them. Visa: no more than 15 tries of one payment in 30 days."""

Decision = tuple[e.Event, ...]


def existing(state: State) -> Order:
    """Raises UnknownOrder."""
    if isinstance(state, NotPlaced):
        raise UnknownOrder("there is no such order")
    return state


def with_follow_up(order: Order, *facts: e.Event) -> Decision:
    """The facts, and what the order itself concludes from them, in one commit."""
    return (*facts, *follow_up(fold(order, facts)))
