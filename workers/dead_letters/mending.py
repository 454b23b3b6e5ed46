"""Replacing a letter's body by a right one, and deleting letters for good. Both are on record before they happen."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from orderstore.codec import CodecError
from orderstore.contract import publish
from orderstore.domain.rejections import UnknownOrder
from orderstore.domain.state import ImpossibleTransition
from orderstore.orders import Orders
from orderstore.recorded import Recorded
from orderstore.store.errors import CorruptCommit, StreamTooLong
from orderstore.store.side_by_side import side_by_side
from orderstore.tracing import TRACEPARENT
from workers.dead_letters.errors import DeskUnavailable, NotAllowed, NotThatBody, UnknownLetter
from workers.dead_letters.filters import Filter
from workers.dead_letters.letter import CORRECTED_FROM, Letter, read, sha256_of
from workers.dead_letters.look import LETTERS_MAX, RUN_S_MAX, Box, Look, looking
from workers.dead_letters.records import Mandate, Record, Records
from workers.runtime.deadletter import sendable_text
from workers.runtime.queue import MESSAGE_ATTRIBUTES_MAX, MESSAGE_BYTES_MAX

PURGE_MAX: Final = 1_000
AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """`letter` is the corrected one's id: it is a new message in the dead-letter queue, still to be sent on."""

    letter: str
    corrected_from: str
    old_body_sha256: str
    new_body_sha256: str
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """What was, or would be, deleted: `letters` are all that were looked at and meant, without their bodies."""

    queue: str
    purged: bool
    letters: tuple[Letter, ...]
    stopped: str | None

    @property
    def shown(self) -> str:
        """What tells these letters from as many others."""
        return sha256_of(" ".join(sorted(letter.id for letter in self.letters)))[:16]


class Mender:
    """Corrects and purges letters of one box. Methods raise QueueError, StoreError."""

    def __init__(self, box: Box, *, orders: Orders, tenant: str, records: Records, now_ms: Callable[[], int]) -> None:
        self._box = box
        self._orders = orders
        self._tenant = tenant
        self._records = records
        self._now_ms = now_ms

    async def correct(
        self, letter_id: str, body: str | None, mandate: Mandate, *, seconds_max: float = RUN_S_MAX
    ) -> Correction:
        """Put a letter with the new body (None: the one that the log has) in the place of this one.

        Raises UnknownLetter; NotThatBody unless it is a body that the worker can read, of an event that is in the order's log, and of
        the same event and order as far as the old letter names them.
        """
        async with looking(self._box, letters_max=LETTERS_MAX, seconds_max=seconds_max) as look:
            letter = await found_in(look, letter_id)
            body = await self._from_log(letter) if body is None else body
            await self._check(letter, body)
            digest = sha256_of(body)
            record = await self._records.correct(letter, mandate, new_body_sha256=digest)
            # The cause stays with it, and which letter it was where there is room; the record has that in any case.
            attributes = dict(letter.message.attributes)
            if len(attributes) >= MESSAGE_ATTRIBUTES_MAX:  # the body bears its event's own trace as well
                attributes.pop(TRACEPARENT, None)
            if len(attributes) < MESSAGE_ATTRIBUTES_MAX:
                attributes[CORRECTED_FROM] = letter.id
            sent = await self._box.letters.send(body, attributes=attributes, group=letter.message.group)
            await self._delete(look, letter)
        return Correction(
            letter=sent,
            corrected_from=letter.id,
            old_body_sha256=letter.body_sha256,
            new_body_sha256=digest,
            record=record,
        )

    async def purge(
        self,
        wanted: Filter,
        mandate: Mandate | None,
        *,
        confirm: int | None,
        shown: str | None = None,
        seconds_max: float = RUN_S_MAX,
    ) -> Purge:
        """Delete what is meant, if `confirm` is exactly how many letters that are; without a mandate or a number, only say which.
        `shown`, of an answer that said which, makes sure that they are those and not as many others.

        Every one of them is looked at and put on record first. Raises NotAllowed: another number, others, more than `PURGE_MAX`, none at
        all.
        """
        meant: list[Letter] = []
        async with looking(self._box, letters_max=LETTERS_MAX, seconds_max=seconds_max) as look:
            async with aclosing(look.batches()) as batches:
                async for batch in batches:
                    now_ms = self._now_ms()
                    meant.extend(_without_body(letter) for letter in batch if wanted.admits(letter, now_ms=now_ms))
                    if len(meant) > PURGE_MAX:
                        raise NotAllowed(f"more than {PURGE_MAX:,} letters are meant: narrow it; nothing was deleted")
                    if wanted.message_id is not None and meant:
                        look.stopped = None
                        break
            found = Purge(queue=self._box.name, purged=False, letters=tuple(meant), stopped=look.stopped)
            if mandate is None or confirm is None:
                return found
            if not meant:
                raise NotAllowed("no letter is meant: nothing was deleted")
            if confirm != len(meant):
                raise NotAllowed(
                    f"{confirm:,} letters were to be deleted, {len(meant):,} are meant: look again; nothing was deleted"
                )
            if shown not in (None, found.shown):
                raise NotAllowed("these are others than those that were shown: look again; nothing was deleted")
            letters = {letter.id: letter for letter in meant}

            async def one(name: str) -> None:
                await self._records.purge(letters[name], mandate)
                await self._delete(look, letters[name])

            await side_by_side(letters, one, name="purge of", at_once=AT_ONCE)
        return replace(found, purged=True)

    async def _delete(self, look: Look, letter: Letter) -> None:
        if any(not entry.gone for entry in await self._box.letters.delete([look.receipt_of(letter)])):
            raise DeskUnavailable(f"letter {letter.id} is on record but was not deleted: do the same once more")
        look.gone(letter)

    async def _check(self, letter: Letter, body: str) -> None:
        if not body or sendable_text(body) != body or len(body.encode()) > MESSAGE_BYTES_MAX // 2:
            raise NotThatBody("a body is text that SQS takes, of at most 512 KiB")
        if sha256_of(body) == letter.body_sha256:
            raise NotThatBody("it is the body that the letter has")
        corrected = read(letter.queue, msgspec.structs.replace(letter.message, body=body), receive_count_max=1)
        if corrected.unreadable is not None:
            raise NotThatBody(f"the worker could not read it: {corrected.unreadable}")
        if corrected.event_id is None or corrected.tenant != self._tenant:
            raise NotThatBody("it names no event of this tenant")
        for what, old, new in (
            ("event", letter.event_id, corrected.event_id),
            ("order", letter.order_id, corrected.order_id),
        ):
            if old is not None and old != new:
                raise NotThatBody(f"it is of another {what} than the letter")
        recorded = await self._recorded(corrected)
        if recorded is None:
            raise NotThatBody("the order's log has no such event")
        if recorded.name != corrected.event_type:
            raise NotThatBody(f"the log has this event as {recorded.name}")

    async def _recorded(self, letter: Letter) -> Recorded | None:
        try:
            history = await self._orders.load(letter.order_id or "")
        except (UnknownOrder, ValueError):
            return None
        except (CodecError, CorruptCommit, StreamTooLong, ImpossibleTransition):
            raise NotThatBody("the order cannot be read as it is stored: see `orderstore audit verify`") from None
        return next((past for past in history.events if past.event_id == letter.event_id), None)

    async def _from_log(self, letter: Letter) -> str:
        """The body as it would be published today."""
        recorded = await self._recorded(letter)
        public = None if recorded is None else publish(recorded)
        if public is None:
            raise NotThatBody("the letter does not name a published event of an order: give the body")
        return public.body.decode()


async def found_in(look: Look, letter_id: str) -> Letter:
    """The letter with this id. Raises UnknownLetter, QueueError."""
    async with aclosing(look.batches()) as batches:
        async for batch in batches:
            for letter in batch:
                if letter.id == letter_id:
                    return letter
    raise UnknownLetter(
        "no such letter was found"
        + (f" ({look.stopped})" if look.stopped else ": it was sent on, purged, or has expired")
    )


def _without_body(letter: Letter) -> Letter:
    return replace(letter, message=msgspec.structs.replace(letter.message, body=""))
