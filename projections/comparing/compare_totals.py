"""Proves that the totals of a view equal the log: every order's contribution, added up, against the stored rows. Nothing is written.

Two steps. That a document's contribution is what a fold of its order gives is `compare`'s part: it compares it like any field. Here the
contributions of all documents are added up and compared with the rows; for the documents that `compare` found to be wrong, what the log
says takes the place of what they say. So what is expected is the log's, at one read of each order, however many there are.

Beside live writers a bucket may move while the documents are walked. The rows are read before and after the walk: a bucket that stood
still between the two and equals the sum is proved; any other is looked at again, a bounded number of times, and is at last either a
difference (it stood still) or `moving`: not proved, and not called equal.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import anyio

from orderstore.codec import CodecError, decode
from orderstore.domain.ids import order_of, stream_of
from orderstore.store.errors import CorruptCommit, StreamTooLong
from projections.batches import for_each_batch, run_all
from projections.projecting import contributions
from projections.projecting.catching_up import LogOfOrders
from projections.projecting.contributions import Amounts
from projections.projecting.folding import NOTHING, contribution_of, step
from projections.projecting.targets import Target
from projections.view_store import Stored
from projections.views.view import OutOfPlace

DOCUMENTS_AT_ONCE: Final = 100
LOG_READS_AT_ONCE: Final = 8
NAMES_PER_READ: Final = 100
LOOKS_MAX: Final = 5
LOOK_AGAIN_AFTER_S: Final = 1.0


class Summed(Protocol):
    """What is needed of a `ViewStore`."""

    async def get(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """See `ViewStore.get`."""
        ...

    def keys(self, prefix: str) -> AsyncIterator[str]:
        """See `ViewStore.keys`."""
        ...

    async def totals(self, sum_keys: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """See `ViewStore.totals`."""
        ...

    def sum_keys(self, prefix: str) -> AsyncIterator[str]:
        """See `ViewStore.sum_keys`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SumDifference:
    """A measure whose rows are not what the log adds up to. `bucket` begins with the tenant.

    `explained_by` names the orders (and the commits that their documents stand at) whose documents disagree with the log in this very
    measure; empty: no document explains it, so that the rows themselves were changed, or a document was taken away and made anew.
    """

    view: str
    bucket: str
    measure: str
    expected: int
    found: int
    explained_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SumsReport:
    """What came of one view's totals."""

    proved: int
    """Buckets that equal the log."""
    moving: tuple[str, ...]
    """Buckets that moved during every look."""
    differences: tuple[SumDifference, ...]


@dataclass(frozen=True, slots=True)
class _Suspect:
    """An order whose document is not to be believed, and by how much what the log says differs from what the document says."""

    name: str
    owed: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One walk over the documents, and the rows before and after it."""

    expected: Amounts
    before: Amounts
    after: Amounts
    suspects: tuple[_Suspect, ...]

    def moving(self) -> set[str]:
        """Buckets that moved during the walk."""
        return {name for name in {*self.before, *self.after} if self.before.get(name) != self.after.get(name)}

    def wrong(self) -> Amounts:
        """By how much the rows are too high."""
        return contributions.moved(self.expected, self.after)

    def proved(self) -> set[str]:
        """Buckets that stood still and are right."""
        return {*self.expected, *self.after} - self.moving() - set(self.wrong())


async def compare_sums(
    store: LogOfOrders,
    view_store: Summed,
    target: Target,
    *,
    suspects: Sequence[str] = (),
    looks_max: int = LOOKS_MAX,
    look_again_after_s: float = LOOK_AGAIN_AFTER_S,
) -> SumsReport:
    """Compare the totals of a view in a generation. `suspects` are the streams whose documents differ from the log.

    Memory grows with the number of buckets, not with that of orders. Raises StoreError, ViewStoreError.
    """
    look = await _look(store, view_store, target, suspects)
    proved = look.proved()
    for _ in range(looks_max - 1):
        if not ({*look.expected, *look.after} - proved):
            break
        await anyio.sleep(look_again_after_s)
        look = await _look(store, view_store, target, suspects)
        proved |= look.proved()
    moving = look.moving() - proved
    differences = tuple(
        SumDifference(
            view=target.view.name,
            bucket=name,
            measure=measure,
            expected=look.expected.get(name, {}).get(measure, 0),
            found=look.after.get(name, {}).get(measure, 0),
            explained_by=tuple(one.name for one in look.suspects if one.owed.get(name, {}).get(measure, 0)),
        )
        for name, amounts in sorted(look.wrong().items())
        for measure in sorted(amounts)
        if name not in moving and name not in proved
    )
    return SumsReport(proved=len(proved), moving=tuple(sorted(moving)), differences=differences)


async def _look(store: LogOfOrders, view_store: Summed, target: Target, suspects: Sequence[str]) -> _Look:
    before = await _rows(view_store, target)
    expected, unreadable = await _contributed(view_store, target)
    found: list[_Suspect] = []
    streams = dict.fromkeys([*suspects, *unreadable])
    jobs = [partial(_examine, store, view_store, target, stream, found) for stream in streams]
    await run_all(jobs, at_once=LOG_READS_AT_ONCE)
    for suspect in found:
        contributions.add(expected, suspect.owed)
    return _Look(
        expected=contributions.moved({}, expected),
        before=before,
        after=await _rows(view_store, target),
        suspects=tuple(found),
    )


async def _rows(view_store: Summed, target: Target) -> Amounts:
    """Every bucket's totals as they are stored."""
    found: Amounts = {}

    async def add(sum_keys: Sequence[str]) -> None:
        for sum_key, amounts in (await view_store.totals(sum_keys)).items():
            contributions.add(found, {_named(target, sum_key): amounts})

    await for_each_batch(view_store.sum_keys(target.generation.sums_prefix), add, batch_size=NAMES_PER_READ)
    return contributions.moved({}, found)


def _named(target: Target, sum_key: str) -> str:
    """A bucket with its tenant, as reports name it."""
    return "/".join(target.generation.bucket(sum_key))


async def _contributed(view_store: Summed, target: Target) -> tuple[Amounts, list[str]]:
    """What the documents say that they contribute; and the streams of those that say nothing that can be read."""
    total: Amounts = {}
    unreadable: list[str] = []

    async def add(keys: Sequence[str]) -> None:
        for key, stored in (await view_store.get(keys)).items():
            tenant, order_id = target.generation.order(key)
            try:
                contributions.add(total, _of_tenant(tenant, contributions.read(stored.contribution)))
            except ValueError:
                unreadable.append(stream_of(tenant, order_id))

    await for_each_batch(view_store.keys(target.generation.prefix), add, batch_size=DOCUMENTS_AT_ONCE)
    return total, unreadable


def _of_tenant(tenant: str, amounts: Amounts) -> Amounts:
    return {f"{tenant}/{bucket}": measures for bucket, measures in amounts.items()}


async def _examine(store: LogOfOrders, view_store: Summed, target: Target, stream: str, found: list[_Suspect]) -> None:
    """What the log says of an order, instead of its document. One that cannot be read or folded is left as its document says:
    `compare` reports it."""
    tenant, order_id = order_of(stream)
    key = target.generation.key(tenant, order_id)
    stored = (await view_store.get([key])).get(key)
    try:
        commits = await store.read(stream)
        known = step(target.view, NOTHING, {commit.number: decode(commit) for commit in commits})
    except (CorruptCommit, StreamTooLong, CodecError, OutOfPlace):
        return
    log = contributions.read(contribution_of(target.view, known.state)) if known.folded else {}
    try:
        document = contributions.read("" if stored is None else stored.contribution)
    except ValueError:
        document = {}
    owed = contributions.moved(document, log)
    if owed:
        at = 0 if stored is None else stored.commit
        found.append(_Suspect(f"{stream} (commit {at}, the log has {known.folded})", _of_tenant(tenant, owed)))
