"""What is known of a document, and the one step forward from there. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import orjson

from orderstore.recorded import Recorded
from projections.view_store import Stored, Write
from projections.views.view import Generation, View

V = TypeVar("V")
Log = Mapping[int, tuple[Recorded, ...]]
"""Commits of one order that are at hand, by number."""


@dataclass(frozen=True, slots=True)
class Target:
    """A view and the generation of it that is written."""

    view: View[Any]
    generation: Generation


@dataclass(frozen=True, slots=True)
class Known(Generic[V]):
    """A document's state folded up to commit `folded`, and the commit that the store is believed to hold (None: nothing)."""

    state: V | None
    folded: int
    stored: int | None


NOTHING: Final[Known[Any]] = Known(None, 0, None)


def known_from(view: View[V], stored: Stored | None) -> Known[V]:
    """What a stored document tells; one of another schema tells only which commit it stands at."""
    if stored is None:
        return NOTHING
    if stored.schema != view.schema:
        return Known(None, 0, stored.commit)
    return Known(view.from_document(orjson.loads(stored.document)), stored.commit, stored.commit)


def follows(after: int, numbers: Sequence[int]) -> bool:
    """Whether these ascending numbers, without those up to `after`, are `after + 1, after + 2, …` with no hole."""
    fresh = [number for number in numbers if number > after]
    return not fresh or (fresh[0] == after + 1 and fresh[-1] - fresh[0] + 1 == len(fresh))


def step(view: View[V], known: Known[V], log: Log) -> Known[V]:
    """The state after every commit that is at hand, up to the last one that changes the document; the same when none does.

    The commits must follow `known.folded` without a hole. Raises OutOfPlace.
    """
    fresh = sorted(number for number in log if number > known.folded)
    last = max((number for number in fresh if view.changed_by(log[number])), default=known.folded)
    if last == known.folded:
        return known
    state = known.state
    for number in fresh:
        if number > last:
            break
        for recorded in log[number]:
            state = view.evolve(state, recorded)
    return Known(state, last, known.stored)


def write_of(target: Target, tenant: str, order_id: str, known: Known[Any]) -> Write:
    """The write that stores a state on top of what the store is believed to hold."""
    view, generation = target.view, target.generation
    listing = view.listing(known.state)
    return Write(
        key=generation.key(tenant, order_id),
        expected_commit=known.stored,
        commit=known.folded,
        schema=view.schema,
        document=orjson.dumps(view.to_document(known.state)),
        list_key=None if listing is None else generation.list_key(tenant, listing.name),
        list_sort=None if listing is None else listing.sort,
    )
