"""What was done with dead letters, by whom and why: one object for each act, written before the act, never changed.

They lie in the locked bucket beside the signed roots and certificates, so nobody can touch them for as long as those are kept:

    dead-letters/<tenant>/<order, or "none">/<queue>/<event, or the body's hash>/redrive-<n>.json
                                                                               /duplicate-<letter>.json
                                                                               /correct-<letter>-<new body's hash>.json
                                                                               /purge-<letter>.json

Why not an event in the order's log: most letters that are purged or corrected name no order at all, an operator's act is not the order's
history, and ten thousand redrives would move ten thousand orders' versions under their clients' `If-Match` (docs/dead-letters.md).
An object is put only if there is none, so of two people who send the same letter on at the same time, one does.
"""

import hashlib
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import msgspec

from orderstore.codec import timestamp_of
from orderstore.objects import ObjectStore
from orderstore.recorded import Actor
from workers.dead_letters.errors import NotAllowed, RecordUnreadable
from workers.dead_letters.letter import Letter

ROOT: Final = "dead-letters"
NO_ORDER: Final = "none"
REDRIVES_MAX: Final = 200
# Two clocks: ours, and the queue's that stamped the letter.
CLOCKS_APART_MS: Final = 60_000

Act = Literal["redrive", "duplicate", "correct", "purge"]
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True, slots=True)
class Mandate:
    """Who does it, and why; `even_if_moved_on` when they were told that the order no longer wants it."""

    actor: Actor
    reason: str
    even_if_moved_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One act. No body is in it, only hashes."""

    act: Act
    at_ms: int
    actor_type: str
    actor_id: str
    reason: str
    queue: str
    letter: str
    cause: str
    body_sha256: str
    event: str | None = None
    event_type: str | None = None
    order: str | None = None
    """What the body claims to be about; what does not look like an id of ours is a hash here, for it may be anything."""
    new_body_sha256: str | None = None
    order_state: str | None = None
    even_if_moved_on: bool = False
    number: int = 0
    """Of a redrive: 1 for the event's first from this queue."""

    @property
    def at(self) -> str:
        """When, as people read it."""
        return timestamp_of(self.at_ms)

    def to_json(self) -> dict[str, Any]:
        """As it is stored and shown: camel case, nothing that is not known."""
        known = {name: value for name, value in asdict(self).items() if value not in (None, False) and name != "at_ms"}
        return {"at": self.at, **{_camel(name): value for name, value in known.items()}, "atMs": self.at_ms}


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The letter is a copy of one that was sent on before: `of` is that redrive."""

    of: Record


class Records:
    """Reads and writes them for one tenant. Methods raise Throttled, Unavailable, Refused of `orderstore.store.errors`."""

    def __init__(self, objects: ObjectStore, *, tenant: str, now_ms: Callable[[], int]) -> None:
        self._objects = objects
        self._tenant = tenant
        self._now_ms = now_ms

    async def redrive(self, letter: Letter, mandate: Mandate, *, state: str | None) -> Record | Duplicate:
        """Put on record that the letter is about to be sent on. Returns the record, new or, after a crash before the letter was
        deleted, as it was made then; or says that the letter is a copy of one that was sent on before.

        Another letter of the same event is a copy if it was there already when the first was sent on. One that came later is not: the
        event's message has failed again.
        """
        first = letter.redrive_count + 1
        for number in range(first, first + REDRIVES_MAX):
            record = self._record("redrive", letter, mandate, state=state, number=number)
            key = self._key(letter, f"redrive-{number:04d}")
            if await self._objects.put_new(key, _stored(record)):
                return record
            earlier = await self._read(key)
            if earlier is None or earlier.letter in letter.ids:
                return earlier or record
            if letter.message.sent_at_ms <= earlier.at_ms + CLOCKS_APART_MS:
                return Duplicate(earlier)
        raise NotAllowed(f"event {letter.identity} was sent on {REDRIVES_MAX} times: something else is wrong")

    async def earlier(self, letter: Letter) -> Record | None:
        """Whether `redrive` would find the letter to be a copy: the redrive that it is a copy of. Writes nothing."""
        first = letter.redrive_count + 1
        for number in range(first, first + REDRIVES_MAX):
            earlier = await self._read(self._key(letter, f"redrive-{number:04d}"))
            if earlier is None or earlier.letter in letter.ids:
                return None
            if letter.message.sent_at_ms <= earlier.at_ms + CLOCKS_APART_MS:
                return earlier
        return None

    async def duplicate(self, letter: Letter, mandate: Mandate) -> None:
        """Put on record that a copy is about to be deleted."""
        record = self._record("duplicate", letter, mandate)
        await self._objects.put_new(self._key(letter, f"duplicate-{_segment(letter.id)}"), _stored(record))

    async def correct(self, letter: Letter, mandate: Mandate, *, new_body_sha256: str) -> Record:
        """Put on record that the letter's body is about to be replaced."""
        record = self._record("correct", letter, mandate, new_body_sha256=new_body_sha256)
        key = self._key(letter, f"correct-{_segment(letter.id)}-{new_body_sha256[:16]}")
        await self._objects.put_new(key, _stored(record))
        return record

    async def purge(self, letter: Letter, mandate: Mandate) -> None:
        """Put on record that the letter is about to be deleted for good."""
        record = self._record("purge", letter, mandate)
        await self._objects.put_new(self._key(letter, f"purge-{_segment(letter.id)}"), _stored(record))

    async def of_order(self, order_id: str | None) -> list[Record]:
        """Everything that was done with letters of an order (None: with those that name none), oldest first."""
        prefix = f"{ROOT}/{_segment(self._tenant)}/{NO_ORDER if order_id is None else _segment(order_id)}/"
        return sorted([record async for record in self._under(prefix)], key=lambda record: record.at_ms)

    async def of_letter(self, letter: Letter) -> list[Record]:
        """What was done in its queue with letters of its event, or with those of its order that named no event, oldest first. A letter
        that names no order either has only what was done with its own body: such letters may be many."""
        if letter.order_id is not None:
            acts = await self.of_order(letter.order_id)
            return [act for act in acts if act.queue == letter.queue and act.event in (None, _claimed(letter.event_id))]
        prefix = self._key(letter, "").removesuffix(".json")
        return sorted([record async for record in self._under(prefix)], key=lambda record: record.at_ms)

    async def all(self) -> AsyncGenerator[Record, None]:
        """Everything that was ever done with letters, in no order of time."""
        async with aclosing(self._under(f"{ROOT}/{_segment(self._tenant)}/")) as records:
            async for record in records:
                yield record

    async def _under(self, prefix: str) -> AsyncGenerator[Record, None]:
        async with aclosing(self._objects.keys(prefix)) as keys:
            async for key in keys:
                record = await self._read(key)
                if record is not None:
                    yield record

    async def _read(self, key: str) -> Record | None:
        content = await self._objects.get(key)
        return None if content is None else _loaded(content)

    def _record(
        self,
        act: Act,
        letter: Letter,
        mandate: Mandate,
        *,
        state: str | None = None,
        number: int = 0,
        new_body_sha256: str | None = None,
    ) -> Record:
        return Record(
            act=act,
            at_ms=self._now_ms(),
            actor_type=mandate.actor.type,
            actor_id=mandate.actor.id,
            reason=mandate.reason,
            queue=letter.queue,
            letter=letter.id,
            event=_claimed(letter.event_id),
            event_type=_claimed(letter.event_type),
            order=_claimed(letter.order_id),
            cause=letter.cause.key,
            body_sha256=letter.body_sha256,
            new_body_sha256=new_body_sha256,
            order_state=state,
            even_if_moved_on=mandate.even_if_moved_on,
            number=number,
        )

    def _key(self, letter: Letter, name: str) -> str:
        about = NO_ORDER if letter.order_id is None else _segment(letter.order_id)
        return f"{ROOT}/{_segment(self._tenant)}/{about}/{letter.queue}/{_segment(letter.identity)}/{name}.json"


def _stored(record: Record) -> bytes:
    return json.dumps(record.to_json(), ensure_ascii=False, sort_keys=True).encode()


def _loaded(content: bytes) -> Record:
    """What a record says. Raises RecordUnreadable."""
    names = {_camel(name): name for name in Record.__dataclass_fields__}
    try:
        document = json.loads(content)
        return msgspec.convert({names[key]: value for key, value in document.items() if key in names}, Record)
    except (ValueError, AttributeError, RecursionError) as error:  # msgspec's own are ValueErrors
        raise RecordUnreadable(f"no record of what was done with a letter: {type(error).__name__}") from error


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _claimed(text: str | None) -> str | None:
    return None if text is None else _segment(text)


def _segment(text: str) -> str:
    """A part of a key: ids as they are, anything else (a body may claim any id) as its hash."""
    return (
        text
        if _SEGMENT.fullmatch(text)
        else f"sha256-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
    )
