"""What is known of a document, and the one step forward from there. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import orjson

from orderstore.recorded import Recorded
from projections.projecting import contributions
from projections.projecting.targets import Target
from projections.view_store import ADDITIONS_MAX, Addition, Stored, Write
from projections.views.view import OutOfPlace, View

V = TypeVar("V")
Log = Mapping[int, tuple[Recorded, ...]]
"""Commits of one order that are at hand, by number."""


@dataclass(frozen=True, slots=True)
class Known(Generic[V]):
    """A document's state folded up to commit `folded`; and what the store is believed to hold: a commit (None: nothing), and what the
    document contributes to the totals."""

    state: V | None
    folded: int
    stored: int | None
    contribution: str = ""


NOTHING: Final[Known[Any]] = Known(None, 0, None)


def known_from(view: View[V], stored: Stored | None) -> Known[V]:
    """What a stored document tells; one of another schema tells only which commit it stands at, and what it contributes.

    Raises NotADocument.
    """
    if stored is None:
        return NOTHING
    if stored.schema != view.schema:
        return Known(None, 0, stored.commit, stored.contribution)
    state = view.read(stored.document)
    return Known(state, stored.commit, stored.commit, stored.contribution)


def follows(after: int, numbers: Sequence[int]) -> bool:
    """Whether these ascending numbers, without those up to `after`, are `after + 1, after + 2, …` with no hole."""
    fresh = [number for number in numbers if number > after]
    return not fresh or (fresh[0] == after + 1 and fresh[-1] - fresh[0] + 1 == len(fresh))


def step(view: View[V], known: Known[V], log: Log) -> Known[V]:
    """The state after every commit that is at hand, up to the last one that changes the document; the same when none does, or when the view
    has nothing to say of the order yet.

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
    if state is None:  # nothing to say of this order yet: nothing to write
        if known.stored is not None:
            raise OutOfPlace(f"{view.name} of schema {view.schema} is silent on an order that has a document")
        return known
    return Known(state, last, known.stored, known.contribution)


def part_that_fits(view: View[V], known: Known[V], whole: Known[V], log: Log) -> Known[V]:
    """What `step` made of these, or as much of it as one write can carry: what a very long history adds to the totals goes in several
    writes, each up to a commit of its own. `folded` lies before that of `whole` then, and the rest follows from there.

    Where even the first commit is too much (a document of another schema, with more buckets than that, cannot stop before the commit that
    it stands at) it is that one, which `write_of` refuses: fill another generation then.
    """
    if view.sums is None or len(_moved(view, whole)) <= ADDITIONS_MAX:
        return whole
    fitting: Known[V] | None = None
    following = known
    first = max(known.folded + 1, known.stored or 0)
    for last in sorted(number for number in log if first <= number <= whole.folded):
        before, following = following, step(view, following, {number: log[number] for number in log if number <= last})
        if following.folded == before.folded:
            continue
        if fitting is not None and len(_moved(view, following)) > ADDITIONS_MAX:
            break
        fitting = following
    return whole if fitting is None else fitting


def stored_of(target: Target, tenant: str, order_id: str, known: Known[Any]) -> Stored:
    """A state as it lies in the store."""
    view, generation = target.view, target.generation
    listing = view.listing(known.state)
    return Stored(
        key=generation.key(tenant, order_id),
        commit=known.folded,
        schema=view.schema,
        document=orjson.dumps(view.to_document(known.state)),
        list_key=None if listing is None else generation.list_key(tenant, listing.name),
        list_sort=None if listing is None else listing.sort,
        contribution=contribution_of(view, known.state),
    )


def write_of(target: Target, tenant: str, order_id: str, known: Known[Any]) -> Write:
    """The write that stores a state on top of what the store is believed to hold, and moves the totals by what changes.

    Raises ValueError when that is more than ADDITIONS_MAX; see `part_that_fits`.
    """
    stored = stored_of(target, tenant, order_id, known)
    moved = _moved(target.view, known)
    return Write(
        key=stored.key,
        expected_commit=known.stored,
        commit=stored.commit,
        schema=stored.schema,
        document=stored.document,
        list_key=stored.list_key,
        list_sort=stored.list_sort,
        contribution=stored.contribution,
        expected_contribution=known.contribution,
        additions=tuple(
            Addition(target.generation.sum_key(tenant, bucket), amounts) for bucket, amounts in moved.items()
        ),
    )


def contribution_of(view: View[V], state: V | None) -> str:
    """What a document with this state adds to the totals, as it is stored; "" for a view without any."""
    return "" if view.sums is None or state is None else contributions.written(view.sums(state))


def _moved(view: View[V], known: Known[V]) -> contributions.Amounts:
    after = contributions.read(contribution_of(view, known.state))
    return contributions.moved(contributions.read(known.contribution), after)
