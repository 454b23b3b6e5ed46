"""What stopped, why, and who acts: a document for the few orders to which something happened that wants a person, and none for the others.

    held                    somebody stopped the order; over when the hold is released, or the order has ended
    review                  somebody is to look at it before its goods leave; over when somebody has, or the order has ended
    stalled                 a stage takes longer than it may (outcomes, dispatch, delivery); over when it goes on, or somebody did something
    compensation_failed     the same of what is to undo the order, or to give money back (undo, refund)
    payment_unknown         nobody knows what became of the payment; over with its outcome
    unpaid                  the provider holds the money no longer, and it was not taken; over when it is held again, or the order is undone
    refund_failed           the provider could not give money back; over when that is tried again, or given
    dispute                 the bank takes money back; over when the bank has decided
    shipment_failed         the carrier will not bring a parcel; over when its hold is released, or all that was lost is refunded, which
                            completes the order
    return                  a return waits to be approved, or to be inspected
    discrepancy             two places that should agree do not; over when somebody wrote a note about the order
    cancellation_declined   it was to be undone, and the goods had left; over when a refund is asked for, or when a hold that was placed
                            after it is released: either says that somebody looked

All of it begins and ends with events of the order. What has ended stays in the document as its history. Whatever people wrote about it is
not here: it is sealed in the log. What waits for the customer is no exception.

All orders with something open stand in one list, the longest waiting first: a document can stand in one list only, and orders have any
mixture of kinds. Whoever wants one kind reads past the others; exceptions are few, and whoever lists them wants the oldest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from orderstore.codec import timestamp
from orderstore.recorded import Recorded
from projections.views.exception_causes import REACTS_TO, begins, ends, is_ordinary
from projections.views.exception_entries import Entry, Kind
from projections.views.view import Listing, View

__all__ = ("Entry", "Kind")  # beside everything that is defined here

NAME: Final = "exceptions"
SCHEMA: Final = 2
OPEN_LIST: Final = "open"
HISTORY_MAX: Final = 50
"""Entries that are over and kept; older ones are counted."""
OPEN_MAX: Final = 200
"""Entries that are open and kept; further ones of the same order are counted."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceptions:
    """The entries in the order in which they began; `forgotten` more were there before, and `unlisted` more began while there were
    OPEN_MAX open."""

    order_id: str
    entries: tuple[Entry, ...]
    forgotten: int = 0
    unlisted: int = 0

    @property
    def open(self) -> tuple[Entry, ...]:
        """What somebody is still to act on."""
        return tuple(entry for entry in self.entries if entry.open)


def evolve(view: Exceptions | None, recorded: Recorded) -> Exceptions | None:
    """The view after one more event of the order, in the order of the log; None while nothing exceptional happened. Raises OutOfPlace."""
    event = recorded.event
    if view is not None:
        view = _ended(view, recorded, ends(view.entries, event))
    entry = begins(event, timestamp(recorded.occurred_at))
    return view if entry is None else _begun(view, recorded.order_id, entry)


def _begun(view: Exceptions | None, order_id: str, entry: Entry) -> Exceptions:
    if view is None:
        return Exceptions(order_id=order_id, entries=(entry,))
    if (
        len(view.open) >= OPEN_MAX and entry.kind != "held"
    ):  # holds are bounded by the domain, and each of them has an end
        return replace(view, unlisted=view.unlisted + 1)
    return replace(view, entries=(*view.entries, entry))


def _ended(view: Exceptions, recorded: Recorded, over: set[int]) -> Exceptions:
    """The view with these entries ended, if they were open, and no more history than is kept."""
    if not over:
        return view
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
    """The view as JSON values. These names are written down here and nowhere derived."""
    return {
        "orderId": view.order_id,
        "entries": [
            {
                "kind": entry.kind,
                "cause": entry.cause,
                "since": entry.since,
                "dueAt": entry.due_at,
                "owner": entry.owner,
                "actions": list(entry.actions),
                "reference": entry.reference,
                "endedAt": entry.ended_at,
                "endedBy": entry.ended_by,
            }
            for entry in view.entries
        ],
        "forgotten": view.forgotten,
        "unlisted": view.unlisted,
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
                due_at=entry["dueAt"],
                owner=entry["owner"],
                actions=tuple(entry["actions"]),
                reference=entry["reference"],
                ended_at=entry["endedAt"],
                ended_by=entry["endedBy"],
            )
            for entry in document["entries"]
        ),
        forgotten=document["forgotten"],
        unlisted=document["unlisted"],
    )


def _listing(view: Exceptions) -> Listing | None:
    waiting = view.open
    if not waiting:
        return None
    return Listing(OPEN_LIST, f"{min(entry.since for entry in waiting)}/{view.order_id}")


VIEW: Final[View[Exceptions]] = View(
    name=NAME,
    schema=SCHEMA,
    evolve=evolve,
    to_document=to_document,
    from_document=from_document,
    listing=_listing,
    reacts_to=REACTS_TO,
    unmoved_by=is_ordinary,
)
