"""The parking lot: keys (orders) with which a subscription cannot go on, each with its cause, until somebody decides.

A row holds names and causes, never what a record carries: an erasure has nothing to look for in here.

Every write is conditional. A worker that holds a record back, or a back-fill that passes over a key, moves the row's `version` on, if the
row is still there; whoever releases a key does it on the version that was read before the work: so a key goes on only when nothing was
held back after that, and a worker that finds the row gone applies the record itself. `episode` tells one parking of a key from the next.

    ParkingError
    ├── ParkedChanged     the row is not as the writer last saw it; carries it (None: the key was released)
    └── LotUnavailable    the lot did not answer, refused or failed; whether a write happened is not known
        └── RowUnreadable     a row is none of ours: nobody can tell what is parked, so nothing goes on until it is put right
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

ERROR_CHARACTERS_MAX: Final = 80
MESSAGE_CHARACTERS_MAX: Final = 300
REASON_CHARACTERS_MAX: Final = 300
DECISIONS_MAX: Final = 20
ROWS_MAX: Final = 5_000  # of one subscription; the brake (`QuarantineSettings`) keeps it far below
PAGE_ROWS_MAX: Final = 200

State = Literal["parked", "skipped", "released", "passed"]
"""parked, skipped (set aside by somebody): the key waits. released, passed: it goes on; see `ParkingLot.release`."""
Keys = Mapping[str, Any]
"""The key attributes of one item, as the low-level DynamoDB client gives them (`{"S": …}`). The one number among them says where the record
stands in the history of its key: see `position_of`."""


class ParkingError(Exception):
    """The parking lot could not do what it was asked to."""


class ParkedChanged(ParkingError):
    """Somebody changed the row first; `winner` is how it stands now, None when the key is not parked any more."""

    def __init__(self, key: str, winner: "Parked | None") -> None:
        super().__init__(f"what is parked of {key} is not as it was last seen")
        self.winner = winner


class LotUnavailable(ParkingError):
    """The lot did not answer, refused, or failed."""


class RowUnreadable(LotUnavailable):
    """A row is not one that this service wrote."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a key is parked, in words that quote nothing of a record: the error's class, and what is safe to say of it."""

    error: str
    message: str

    def __post_init__(self) -> None:
        """Cut what is too long: a row has a bound."""
        object.__setattr__(self, "error", self.error[:ERROR_CHARACTERS_MAX])
        object.__setattr__(self, "message", self.message[:MESSAGE_CHARACTERS_MAX])


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided of a parked key."""

    what: str  # "retry", "skip", and what came of it
    actor: str
    reason: str
    at_ms: int

    def __post_init__(self) -> None:
        """Raises ValueError: nobody decides without a name and a reason."""
        if not self.actor.strip() or not self.reason.strip():
            raise ValueError("a decision has an actor and a reason")
        if len(self.reason) > REASON_CHARACTERS_MAX or len(self.actor) > REASON_CHARACTERS_MAX:
            raise ValueError(f"actor and reason have at most {REASON_CHARACTERS_MAX} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """One key of one subscription. A back-fill that parks it knows of no record: then `failed` is None until a retry has found it."""

    subscription: str
    key: str
    episode: str  # new for each parking
    first: Keys | None  # the earliest record that is owed, whichever came first; None while none is known
    last: Keys | None  # the last that was held back
    cause: Cause
    attempts: int  # how often it was tried, a person's retries included
    parked_at_ms: int
    held: int  # records that wait behind the failure, about: one that came twice is counted twice
    failed: Keys | None = None  # the record at which the cause lies
    state: State = "parked"
    owed_since_ms: int | None = None  # a back-fill passed over the key: everything recorded since then is owed as well
    version: int = 1
    decisions: tuple[Decision, ...] = ()  # the last DECISIONS_MAX of them
    passed: tuple[
        int, ...
    ] = ()  # positions, ascending, of records that somebody decided are never to be applied: for good


@dataclass(frozen=True, slots=True)
class Standing:
    """What a worker has to know of a parked key."""

    state: State
    parked_at_ms: int


@dataclass(frozen=True, slots=True)
class ParkedPage:
    """Some rows in the order of their keys; `next` is where the next page goes on, None at the end."""

    rows: tuple[Parked, ...]
    next: str | None


class ParkingLot(Protocol):
    """Rows by (subscription, key). Reads are consistent with finished writes. Everything raises `LotUnavailable`."""

    async def park(self, row: Parked) -> bool:
        """Store a new row; False when the key is parked already, by another episode: that row stays as it is."""
        ...

    async def standings(self, subscription: str) -> Mapping[str, Standing]:
        """Every key that is parked or skipped, and no other."""
        ...

    async def hold(self, subscription: str, key: str, *, first: Keys, last: Keys, records: int) -> bool:
        """Note that so many more records wait, from `first` to `last`. False when the key is not parked: nothing was noted.

        The row's `first` becomes this one where this one is earlier: records can come in another order than they were written in.
        """
        ...

    async def owe(self, subscription: str, key: str, since_ms: int) -> bool:
        """Note that a back-fill since then left the key out. False when the key is not parked: nothing was noted."""
        ...

    async def get(self, subscription: str, key: str) -> Parked | None:
        """The row; None when the key is not parked."""
        ...

    async def page(self, subscription: str, *, after: str | None = None, limit: int = PAGE_ROWS_MAX) -> ParkedPage:
        """The next at most `limit` rows behind `after`, which is what the page before said; those in the state "passed" among them."""
        ...

    async def replace(self, current: Parked, updated: Parked) -> None:
        """Store `updated` if the row is still as `current` (episode and version), else raise ParkedChanged.

        Returns as well when the row already equals `updated`: the write happened and its answer was lost.
        """
        ...

    async def release(self, current: Parked) -> None:
        """Let the key go, and keep the row among the released ones, both or neither; else raise ParkedChanged. Repeating it is harmless.

        What it `passed` is kept as well, in the same write, for as long as there is a lot: in a row of its own with the state "passed",
        one for each key, with the positions of all its parkings (`passing`). Only `page` shows those rows: the key goes on.
        """
        ...

    async def released(self, subscription: str, key: str) -> tuple[Parked, ...]:
        """What became of the key's former parkings, oldest first; at most the last PAGE_ROWS_MAX of them."""
        ...


def position_of(keys: Keys) -> int:
    """Where the record with these keys stands in the history of its key."""
    return int(keys[position_name(keys)]["N"])


def position_name(keys: Keys) -> str:
    """The key attribute that is a number. Raises ValueError unless there is exactly one."""
    [name] = [name for name, value in keys.items() if "N" in value]
    return name


async def every_row(lot: ParkingLot, subscription: str, *, passed: bool = False) -> tuple[Parked, ...]:
    """All rows of a subscription, oldest first. Raises LotUnavailable, also for more than ROWS_MAX parked and skipped ones.

    `passed`: also the rows with the state "passed", from the same queries. Such a row has in `passed` the positions (for orders: commit
    numbers) of what was never applied of its `key`, which goes on; its cause and its decisions are those of the last parking in which
    something was passed. A key that is parked again has two rows here: what was passed in this parking stands in the `passed` of the
    parked one until that is released, and what was passed before in the other.
    """
    rows: list[Parked] = []
    after: str | None = None
    while True:
        page = await lot.page(subscription, after=after)
        rows += [row for row in page.rows if passed or row.state != "passed"]
        if page.next is None:
            return oldest_first(rows)
        if sum(1 for row in rows if row.state != "passed") > ROWS_MAX:
            raise LotUnavailable(f"{subscription} has more than {ROWS_MAX} parked keys")
        after = page.next


def oldest_first(rows: Sequence[Parked]) -> tuple[Parked, ...]:
    """As a person wants to see them."""
    return tuple(sorted(rows, key=lambda row: (row.parked_at_ms, row.key)))


def is_unmoved(row: Parked | None, seen: Parked) -> bool:
    """The condition of every change: the row is of the same episode and version that the writer saw last."""
    return row is not None and (row.episode, row.version) == (seen.episode, seen.version)


def decided(row: Parked, decision: Decision, *, state: State | None = None, passed: int | None = None) -> Parked:
    """The row with one more decision, and in another state if one is given; `passed`: the record there is never to be applied."""
    decisions = (*row.decisions, decision)[-DECISIONS_MAX:]
    all_passed = row.passed if passed is None else _ascending(row.passed, (passed,))
    return replace(row, version=row.version + 1, decisions=decisions, state=state or row.state, passed=all_passed)


def passing(released: Parked, before: Parked | None) -> Parked:
    """The row with the state "passed" once this one is released, on top of the one that there was before."""
    earlier = () if before is None else before.passed
    passed = _ascending(earlier, released.passed)
    return replace(
        released, first=None, last=None, held=0, owed_since_ms=None, state="passed", version=1, passed=passed
    )


def _ascending(some: Sequence[int], others: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted({*some, *others}))


def failed_again(row: Parked, cause: Cause, *, first: Keys | None) -> Parked:
    """The row after a retry that failed at the record `first` (None: it is not known at which): all before it is done."""
    return replace(
        row,
        version=row.version + 1,
        cause=cause,
        attempts=row.attempts + 1,
        first=row.first if first is None else first,
        failed=row.failed if first is None else first,
        state="parked",
    )


def holding(row: Parked, *, first: Keys, last: Keys, records: int) -> Parked:
    """The row with so many more records behind it, or in front of what it has."""
    if row.first is not None and position_of(row.first) <= position_of(first):
        first = row.first
    elif row.last is not None:
        last = row.last
    return replace(row, version=row.version + 1, first=first, last=last, held=row.held + records)


def owing(row: Parked, since_ms: int) -> Parked:
    """The row after a back-fill passed over it."""
    owed = since_ms if row.owed_since_ms is None else min(row.owed_since_ms, since_ms)
    return replace(row, version=row.version + 1, owed_since_ms=owed)
