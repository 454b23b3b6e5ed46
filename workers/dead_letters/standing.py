"""Where a letter's order stands now, and whether it still wants what the letter asks for: sending on what nobody wants any more is noise,
and what somebody has settled by hand meanwhile must not be settled again.

Handlers judge the same again when the message arrives, so this is a help for people and not what protects money and goods.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from orderstore.codec import CodecError
from orderstore.domain import next_steps
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import ImpossibleTransition, State
from orderstore.orders import Orders, placed
from orderstore.registry import HEARS_ALL_PUBLIC, HEARS_EVERYTHING
from orderstore.store.errors import CorruptCommit, StreamTooLong
from workers.dead_letters.letter import INTAKE, Letter, is_notice

NOTIFIES: Final = "notification"
_STEPS: Final[Mapping[str, Callable[[State], object | None]]] = {
    "payment": next_steps.payment_step,
    "inventory": next_steps.inventory_step,
    "shipping": next_steps.shipping_step,
    "billing": next_steps.billing_step,
}

Told = Callable[[str, str], Awaitable[bool]]
"""(order id, event id) -> whether everybody who is to be told of the event has been, or never will be."""
Archived = Callable[[str], Awaitable[int]]
"""order id -> the last commit that is archived; 0 for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`state` is None when the order is unknown or cannot be read."""

    state: str | None
    version: int | None
    wanted: bool
    words: str


class Judge:
    """Says of a letter whether its order still wants it. Raises StoreError and what `told` and `archived` raise."""

    def __init__(self, orders: Orders, *, tenant: str, told: Told, archived: Archived) -> None:
        self._orders = orders
        self._tenant = tenant
        self._told = told
        self._archived = archived

    async def judge(self, letter: Letter) -> Standing:
        """Reads the order anew, consistently."""
        if letter.queue == INTAKE:
            return Standing(
                state=None, version=None, wanted=True, words="placed if it was not yet: a repeat meets its order"
            )
        if is_notice(letter.queue, letter.message):
            return Standing(
                state=None, version=None, wanted=True, words="the provider is asked what became of the payment"
            )
        if letter.order_id is None:
            return _nowhere("the letter names no order")
        if letter.tenant not in (None, self._tenant):
            return _nowhere("the order is another tenant's")
        try:
            history = await self._orders.load(letter.order_id)
            placed(history)
        except (UnknownOrder, ValueError):
            return _nowhere("the log has no such order")
        except (CodecError, CorruptCommit, StreamTooLong, ImpossibleTransition):
            return _nowhere("the order cannot be read as it is stored: see `orderstore audit verify`")
        head, state = history.head, history.state
        commits = 0 if head is None else head.number
        known = letter.event_id is None or any(past.event_id == letter.event_id for past in history.events)
        wants = await self._wants(letter, state, commits=commits, known=known)
        name = type(state).__name__
        return Standing(
            state=name,
            version=history.version,
            wanted=wants is not None,
            words=(
                f"{name}, and it still wants {wants} of {letter.queue}"
                if wants is not None
                else f"{name}: it has moved on, nothing is left for {letter.queue} to do"
            ),
        )

    async def _wants(self, letter: Letter, state: State, *, commits: int, known: bool) -> str | None:
        """What is wanted, in a word; None when nothing is."""
        order_id = letter.order_id or ""
        if letter.queue == HEARS_EVERYTHING:
            return "its commits" if await self._archived(order_id) < commits else None
        if letter.queue == HEARS_ALL_PUBLIC:
            return "the endpoints told" if known else None  # once each: their records outlive every letter
        if letter.queue == NOTIFIES:
            told = not known or await self._told(order_id, letter.event_id or "")
            return None if told else "a notification"
        step = _STEPS[letter.queue](state)
        return None if step is None else type(step).__name__


def _nowhere(words: str) -> Standing:
    return Standing(state=None, version=None, wanted=False, words=words)
