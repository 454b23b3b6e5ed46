"""The desk at which people work with dead letters: what the command line and the API both call. Answers are JSON documents.

Every method raises UnknownQueue for a queue that does not exist, NotAllowed for a request that is wrong, DeskUnavailable.
"""

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, Final

from orderstore.orders import Orders
from orderstore.recorded import Actor
from orderstore.request_fields import check_clear_text, check_identifier
from orderstore.store.errors import StoreError
from orderstore.store.side_by_side import side_by_side
from workers.dead_letters import documents
from workers.dead_letters.errors import DeadLetterError, DeskUnavailable, NotAllowed, UnknownQueue
from workers.dead_letters.filters import Filter
from workers.dead_letters.groups import Groups
from workers.dead_letters.look import LETTERS_DEFAULT, LETTERS_MAX, RUN_S_MAX, Box, looking
from workers.dead_letters.mending import Mender, found_in
from workers.dead_letters.records import Mandate, Records
from workers.dead_letters.redrive import Plan, Redriver, Report
from workers.dead_letters.standing import Judge
from workers.runtime.queue import QueueError
from workers.tables.errors import TableError

REASON_CHARACTERS_MAX: Final = 500
LISTED_MAX: Final = 1_000

OpenBox = Callable[[str], Awaitable[Box]]
Wanted = Mapping[str, Any]
"""The fields of `Filter`; empty is every letter."""


class Desk:
    """`open_box` finds a queue with its dead letters by its name; `queues` are all names."""

    def __init__(
        self,
        *,
        queues: Sequence[str],
        open_box: OpenBox,
        orders: Orders,
        tenant: str,
        judge: Judge,
        records: Records,
        now_ms: Callable[[], int],
        source: random.Random,
    ) -> None:
        self._queues = tuple(queues)
        self._open_box = open_box
        self._orders = orders
        self._tenant = tenant
        self._judge = judge
        self._records = records
        self._now_ms = now_ms
        self._source = source

    async def groups(self, queues: Sequence[str] = (), *, letters_max: int = LETTERS_DEFAULT) -> Mapping[str, Any]:
        """The letters of these queues (of all, if none are named), grouped by queue, cause and event type."""
        names = tuple(queues) or self._queues
        if not 1 <= letters_max <= LETTERS_MAX:
            raise NotAllowed(f"a look is at 1 to {LETTERS_MAX:,} letters")

        async def look_at(name: str) -> Groups:
            groups = Groups(name)
            async with looking(await self._box(name), letters_max=letters_max) as look:
                async with aclosing(look.batches()) as batches:
                    async for batch in batches:
                        groups.see(batch)
                groups.stopped = look.stopped
            return groups

        with _told():
            found = await side_by_side(names, look_at, name="look at the dead letters of")
        return documents.groups(found, now_ms=self._now_ms())

    async def letters(self, queue: str, wanted: Wanted, *, limit: int = 100) -> Mapping[str, Any]:
        """The letters that are meant, one by one, without their bodies; `limit` (1 to 1,000) of them."""
        if not 1 <= limit <= LISTED_MAX:
            raise NotAllowed(f"a limit is 1 to {LISTED_MAX:,}")
        found: list[Mapping[str, Any]] = []
        meant = 0
        with _told():
            admitted = Filter(**wanted)
            box = await self._box(queue)
            async with looking(box) as look, aclosing(look.batches()) as batches:
                async for batch in batches:
                    now_ms = self._now_ms()
                    chosen = [letter for letter in batch if admitted.admits(letter, now_ms=now_ms)]
                    meant += len(chosen)
                    found.extend(documents.letter(letter, now_ms=now_ms) for letter in chosen[: limit - len(found)])
        return {"queue": queue, "items": found, "meant": meant, "lookedAt": look.seen, "notWhole": look.stopped}

    async def letter(self, queue: str, letter_id: str) -> Mapping[str, Any]:
        """All there is to know about one letter: its body, attributes and cause, where its order stands, what was done before.

        Raises UnknownLetter.
        """
        with _told():
            async with looking(await self._box(queue), letters_max=LETTERS_MAX) as look:
                letter = await found_in(look, letter_id)
            standing = await self._judge.judge(letter)
            acts = [act.to_json() for act in await self._records.of_letter(letter)]
        return documents.whole_letter(letter, standing, acts, now_ms=self._now_ms())

    async def redrive(
        self,
        queue: str,
        wanted: Wanted,
        *,
        actor: Actor,
        reason: str | None,
        dry_run: bool,
        progress: Callable[[Report], None] = lambda _report: None,
        even_if_moved_on: bool = False,
        **how: Any,  # noqa: ANN401 - the numbers of `Plan`
    ) -> Mapping[str, Any]:
        """Send letters on. `how`: rate_per_s, sent_max, backlog_max, seconds_max, as in `Plan`."""
        mandate = None if dry_run else _mandate(actor, reason, even_if_moved_on=even_if_moved_on)
        with _told():
            plan = Plan(wanted=Filter(**wanted), mandate=mandate, even_if_moved_on=even_if_moved_on, **how)
            box = await self._box(queue)
            redriver = Redriver(box, judge=self._judge, records=self._records, now_ms=self._now_ms, source=self._source)
            return documents.report(await redriver.run(plan, progress=progress))

    async def correct(
        self,
        queue: str,
        letter_id: str,
        body: str | None,
        *,
        actor: Actor,
        reason: str,
        seconds_max: float = RUN_S_MAX,
    ) -> Mapping[str, Any]:
        """Replace a letter's body (None: by the one that the log has). Raises UnknownLetter, NotThatBody."""
        mandate = _mandate(actor, reason)
        with _told():
            done = await (await self._mender(queue)).correct(letter_id, body, mandate, seconds_max=seconds_max)
        return {
            "queue": queue,
            "messageId": done.letter,
            "correctedFrom": done.corrected_from,
            "oldBodySha256": done.old_body_sha256,
            "newBodySha256": done.new_body_sha256,
        }

    async def purge(
        self,
        queue: str,
        wanted: Wanted,
        *,
        actor: Actor,
        reason: str | None,
        confirm: int | None,
        shown: str | None = None,
        seconds_max: float = RUN_S_MAX,
    ) -> Mapping[str, Any]:
        """Delete letters for good, if exactly `confirm` of them are meant; None only says which these are. `shown` of that answer makes
        sure that they are the same."""
        mandate = None if confirm is None else _mandate(actor, reason)
        with _told():
            mender = await self._mender(queue)
            done = await mender.purge(Filter(**wanted), mandate, confirm=confirm, shown=shown, seconds_max=seconds_max)
        return documents.purge(done, now_ms=self._now_ms())

    async def acts(self, order_id: str | None) -> Sequence[Mapping[str, Any]]:
        """What was done with the letters of an order (None: of those that name none), oldest first."""
        with _told():
            return [record.to_json() for record in await self._records.of_order(order_id)]

    async def _box(self, queue: str) -> Box:
        if queue not in self._queues:
            raise UnknownQueue(f"there is no such queue; there are {', '.join(self._queues)}")
        return await self._open_box(queue)

    async def _mender(self, queue: str) -> Mender:
        box = await self._box(queue)
        return Mender(box, orders=self._orders, tenant=self._tenant, records=self._records, now_ms=self._now_ms)


def _mandate(actor: Actor, reason: str | None, *, even_if_moved_on: bool = False) -> Mandate:
    """Who does it, and why: both stand in the records for years. Raises NotAllowed."""
    if reason is None or not reason.strip():
        raise NotAllowed("say why (reason): it goes on record")
    if len(reason) > REASON_CHARACTERS_MAX:
        raise NotAllowed(f"a reason has at most {REASON_CHARACTERS_MAX} characters")
    try:
        check_identifier(actor.id)
        check_clear_text(reason)
    except ValueError as error:
        raise NotAllowed(f"reason: {error}") from None
    return Mandate(actor, reason, even_if_moved_on)


@contextmanager
def _told() -> Iterator[None]:
    """What is below, in this layer's words."""
    try:
        yield
    except DeadLetterError:
        raise
    except (QueueError, StoreError, TableError) as error:
        who = f"the queues, the log or the records do not answer ({type(error).__name__})"
        raise DeskUnavailable(who, said=str(error)) from error
