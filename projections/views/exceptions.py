"""What stopped, why, and who acts: a document for the few orders to which something happened that wants a person, and none for the others.

    held                    somebody stopped the order; over when the hold is released, or the order has ended
    cancellation_declined   the customer wanted it undone and the goods had left; over when a refund is asked for, or when a hold that was
                            placed after it is released: either says that somebody looked

What is merely late is in no document here: the view `deadlines` finds it by the clock. What is over stays in the document as its history.
Whatever people wrote about it is not here: it is sealed in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final, Literal, get_args

from orderstore.codec import timestamp
from orderstore.domain import events as e
from orderstore.recorded import Recorded
from projections.views.view import Listing, OutOfPlace, View

NAME: Final = "exceptions"
SCHEMA: Final = 1
HISTORY_MAX: Final = 50
"""Entries that are over and kept; older ones are counted. The open ones are bounded by the domain (`holds.OPEN_MAX`, and one more)."""

Kind = Literal["cancellation_declined", "held"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Owner = Literal["order", "payment", "inventory", "shipping"]
"""The departments of `orderstore/registry.py`."""
Action = Literal["release", "hold", "cancel", "refund"]
"""What the API offers. The order's own rules have the last word: what came too late is refused."""

OWNERS: Final[Mapping[e.HoldReason, Owner]] = {
    "fraud_review": "payment",
    "payment": "payment",
    "stock": "inventory",
    "address": "shipping",
    "operator": "order",
}
"""Who acts on a hold, by its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that wants (`ended_at` is None) or wanted a person. Times are ISO 8601 in UTC, `ended_by` is the name of an event,
    `reference` the id of a hold."""

    kind: Kind
    cause: str
    since: str
    owner: Owner
    actions: tuple[Action, ...]
    reference: str | None = None
    ended_at: str | None = None
    ended_by: str | None = None

    @property
    def open(self) -> bool:
        """Whether somebody is still to act."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceptions:
    """The entries in the order in which they began; `forgotten` more were there before."""

    order_id: str
    entries: tuple[Entry, ...]
    forgotten: int = 0

    @property
    def open(self) -> tuple[Entry, ...]:
        """What somebody is still to act on."""
        return tuple(entry for entry in self.entries if entry.open)


def evolve(view: Exceptions | None, recorded: Recorded) -> Exceptions | None:
    """The view after one more event of the order, in the order of the log; None while nothing exceptional happened. Raises OutOfPlace."""
    event = recorded.event
    match event:
        case e.OrderHeld():
            return _begun(view, recorded, _of_hold(event, timestamp(recorded.occurred_at)))
        case e.OrderCancellationDeclined():
            return _begun(view, recorded, _of_declined(event, timestamp(recorded.occurred_at)))
        case _:
            return None if view is None else _ended(view, recorded, _over(view.entries, event))


def _of_hold(held: e.OrderHeld, since: str) -> Entry:
    return Entry(
        kind="held",
        cause=held.reason,
        since=since,
        owner=OWNERS[held.reason],
        actions=("release", "cancel"),
        reference=held.hold_id,
    )


def _of_declined(declined: e.OrderCancellationDeclined, since: str) -> Entry:
    return Entry(
        kind="cancellation_declined",
        cause=declined.reason,
        since=since,
        owner="order",
        actions=("refund", "hold"),
    )


def _begun(view: Exceptions | None, recorded: Recorded, entry: Entry) -> Exceptions:
    if view is None:
        return Exceptions(order_id=recorded.order_id, entries=(entry,))
    return replace(view, entries=(*view.entries, entry))


def _over(entries: tuple[Entry, ...], event: e.Event) -> set[int]:
    """Which of the entries this event ends, if they are open."""
    match event:
        case e.OrderHoldReleased():
            placed = _placed(entries, event.hold_id)
            return {placed, *_of_kind("cancellation_declined", entries[:placed])}
        case e.RefundRequested():
            return _of_kind("cancellation_declined", entries)
        case e.OrderCompleted() | e.OrderCancelled() | e.OrderRejected():
            return _of_kind("held", entries)
        case _:
            return set()


def _placed(entries: tuple[Entry, ...], hold_id: str) -> int:
    for at, entry in enumerate(entries):
        if entry.reference == hold_id:
            return at
    raise OutOfPlace(f"hold {hold_id} is released and was never placed")


def _of_kind(kind: Kind, entries: tuple[Entry, ...]) -> set[int]:
    return {at for at, entry in enumerate(entries) if entry.kind == kind}


def _ended(view: Exceptions, recorded: Recorded, over: set[int]) -> Exceptions:
    """The view with these entries ended, if they were open, and no more history than is kept."""
    moment = timestamp(recorded.occurred_at)
    entries = tuple(
        replace(entry, ended_at=moment, ended_by=recorded.name) if at in over and entry.open else entry
        for at, entry in enumerate(view.entries)
    )
    too_many = max(0, sum(not entry.open for entry in entries) - HISTORY_MAX)
    oldest = [at for at, entry in enumerate(entries) if not entry.open][:too_many]
    kept = tuple(entry for at, entry in enumerate(entries) if at not in oldest)
    return replace(view, entries=kept, forgotten=view.forgotten + too_many)


def to_document(view: Exceptions) -> dict[str, Any]:
    """The view as JSON values. These names are the API's: they are written down here and nowhere derived."""
    return {
        "orderId": view.order_id,
        "entries": [
            {
                "kind": entry.kind,
                "cause": entry.cause,
                "since": entry.since,
                "owner": entry.owner,
                "actions": list(entry.actions),
                "reference": entry.reference,
                "endedAt": entry.ended_at,
                "endedBy": entry.ended_by,
            }
            for entry in view.entries
        ],
        "forgotten": view.forgotten,
    }


def from_document(document: Mapping[str, Any]) -> Exceptions:
    """The view in a document that `to_document` made. Raises KeyError for any other."""
    return Exceptions(
        order_id=document["orderId"],
        entries=tuple(
            Entry(
                kind=entry["kind"],
                cause=entry["cause"],
                since=entry["since"],
                owner=entry["owner"],
                actions=tuple(entry["actions"]),
                reference=entry["reference"],
                ended_at=entry["endedAt"],
                ended_by=entry["endedBy"],
            )
            for entry in document["entries"]
        ),
        forgotten=document["forgotten"],
    )


def lists_with(kind: Kind) -> tuple[str, ...]:
    """The lists of the orders that have an open entry of this kind: those that have only that, and those that have others too."""
    return tuple(
        _list(kinds) for size in range(1, len(KINDS) + 1) for kinds in combinations(KINDS, size) if kind in kinds
    )


def _list(kinds: tuple[Kind, ...]) -> str:
    return f"open/{'+'.join(kinds)}"


def _listing(view: Exceptions) -> Listing | None:
    """By the kinds that are open, the longest waiting first: a document stands in one list, so each set of kinds has its own."""
    waiting = view.open
    if not waiting:
        return None
    kinds = tuple(kind for kind in KINDS if any(entry.kind == kind for entry in waiting))
    return Listing(_list(kinds), f"{min(entry.since for entry in waiting)}/{view.order_id}")


VIEW: Final[View[Exceptions]] = View(
    name=NAME,
    schema=SCHEMA,
    evolve=evolve,
    to_document=to_document,
    from_document=from_document,
    listing=_listing,
    reacts_to=frozenset(
        {
            e.OrderHeld,
            e.OrderHoldReleased,
            e.OrderCancellationDeclined,
            e.RefundRequested,
            e.OrderCompleted,
            e.OrderCancelled,
            e.OrderRejected,
        }
    ),
)
