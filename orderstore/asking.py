"""Carrying out what people want (`orderstore/wishes`): decided by the log, done once, told from another request under the same name."""

from collections.abc import Awaitable, Callable
from typing import Final

from orderstore.domain.events import Event, FreeText
from orderstore.domain.rejections import CommandRejected, OrderClosed
from orderstore.domain.state import State
from orderstore.expected import Exactly, Expected, WrongVersion, check_expected
from orderstore.history import History, Standing
from orderstore.order_log import OrderLog, command, placed
from orderstore.privacy.words import Vault, seal_words, words_say
from orderstore.recorded import Actor, Cause, Recorded
from orderstore.transact import ANY, ATTEMPTS_MAX, Contended, Decide, Transactor
from orderstore.wishes.wish import Granted, Wish

# In the place of words that are not sealed yet: only to see whether they would be kept.
_UNSEALED: Final = FreeText(plain="")


class Asking(OrderLog):
    """The log of one tenant's orders, for whoever wants something of them."""

    def __init__(
        self,
        transactor: Transactor,
        *,
        tenant: str,
        vault: Vault,
        look: Callable[[str], Awaitable[Standing]] | None = None,
    ) -> None:
        """`vault` seals what people write; `look` as in `OrderLog`."""
        super().__init__(transactor, tenant=tenant, look=look)
        self._vault = vault

    async def ask(
        self, order_id: str, wish: Wish, *, actor: Actor, expected: Expected = ANY, traceparent: str | None = None
    ) -> Granted:
        """Do it, or find that it was done. A repeat is answered as the first time was, also at another version.

        Raises CommandRejected (from the wish), WrongVersion, KeyReused (or what the wish has in its place), CustomerErased, Contended,
        StoreError.
        """
        cause = command(order_id, wish.purpose, actor, traceparent)
        history = await self.load(order_id)
        note = await self._sealed(history, wish, cause)
        if wish.by_key:
            after, new = await self._once(history, lambda state: wish.decide(state, note), cause, expected)
        else:
            after, new = await self._decided(history, lambda state: wish.decide(state, note), cause, expected)
        recorded = _made(after, cause) if wish.by_key else None
        recorded = recorded or wish.found(after.events)
        if recorded is None:
            raise OrderClosed("the order has ended, and this with it")
        if not new:
            await self._check_same(after, recorded, wish)
        return Granted(history=after, recorded=recorded, new=new)

    async def _decided(
        self, history: History, decide: Decide, cause: Cause, expected: Expected
    ) -> tuple[History, bool]:
        """The state tells whether it was done."""
        new = False

        def deciding(state: State) -> tuple[Event, ...]:
            nonlocal new
            events = decide(state)
            new = bool(events)
            return events

        after = await self._transactor.transact(history, deciding, cause=cause, expected=expected)
        return after, new

    async def _once(self, history: History, decide: Decide, cause: Cause, expected: Expected) -> tuple[History, bool]:
        """Only the log tells: so on top of what was looked through, or after another look."""
        for _ in range(ATTEMPTS_MAX):
            if _made(history, cause) is not None:
                return history, False
            try:
                if not decide(history.state):
                    return history, False
                check_expected(expected, version=history.version)
                here = Exactly(history.version)
                return await self._transactor.transact(history, decide, cause=cause, expected=here), True
            except (WrongVersion, CommandRejected):
                newer = await self._transactor.load(history.stream)
                if newer.version == history.version:  # nobody came between: it is what it is
                    raise
                history = newer
        raise Contended(f"{history.stream}: other writers won {ATTEMPTS_MAX} rounds; nothing was stored")

    async def _sealed(self, history: History, wish: Wish, cause: Cause) -> FreeText | None:
        """What was written, if it will be kept: nothing is sealed for a wish that is refused, or fulfilled already."""
        if not wish.words.text or (wish.by_key and _made(history, cause) is not None):
            return None
        if not wish.decide(history.state, _UNSEALED):
            return None
        purpose = wish.words.sealed_for(history.stream)
        return await seal_words(self._vault, placed(history).order, wish.words.text, purpose)

    async def _check_same(self, history: History, recorded: Recorded, wish: Wish) -> None:
        """Raises what the wish says for a name that was given to something else."""
        if not wish.same(recorded.event) or not await self._says_the_same(history, recorded, wish):
            raise wish.reused()

    async def _says_the_same(self, history: History, recorded: Recorded, wish: Wish) -> bool:
        words = wish.words
        if words.kept is None:
            return True
        first, purpose = words.kept(recorded.event), words.sealed_for(history.stream)
        if await words_say(self._vault, first, words.text, purpose):
            return True
        # Or they could not be kept the first time, and cannot be now.
        return first is None and await seal_words(self._vault, placed(history).order, words.text, purpose) is None


def _made(history: History, cause: Cause) -> Recorded | None:
    """The event that this very wish has made."""
    made = cause.event_id(0)
    return next((recorded for recorded in history.events if recorded.event_id == made), None)
