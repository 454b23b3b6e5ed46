"""Which shards need a lease, which may be read now, and which leases are over. Pure: listing and rows in, answers out.

A shard is read only after all of its parents were read to their end, because the later records of an item are in the child. A parent that
is listed but still open beside its child is simply not finished. A parent that is neither listed nor leased was trimmed: it
counts as finished, but the shard that names it begins with a gap unless its lease tells otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from projections.stream.gaps import Gap, GapCause, since_ms
from projections.stream.leases import Lease
from projections.stream.low_water import low_water_ms
from projections.stream.source import Listing, Shard


@dataclass(frozen=True, slots=True)
class NewLease:
    """A row to store: created, or in place of the row that an earlier stream left under the same shard id."""

    lease: Lease
    replaces: Lease | None = None


def missing_leases(
    *, subscription: str, listing: Listing, rows: Iterable[Lease], margin_s: float
) -> tuple[NewLease, ...]:
    """Rows for the listed shards that have none, parents first.

    A shard with an unknown past carries a gap from the start: on a subscription's first run, after the stream was replaced, or when
    its parents are neither listed nor leased (they came and went while nobody read).
    """
    rows = tuple(rows)
    own = {row.shard: row for row in rows if row.stream == listing.stream}
    foreign = {row.shard: row for row in rows if row.stream != listing.stream}
    shards = {shard.id: shard for shard in listing.shards}
    over = _ancestors_of_progressed(shards, own)
    low_water = low_water_ms(rows) or 0
    if not rows:
        cause = GapCause.BOOTSTRAP
    elif foreign:
        cause = GapCause.STREAM_REPLACED
    else:
        cause = GapCause.LINEAGE_BROKEN
    marks = {shard: row.caught_up_to_ms for shard, row in own.items()}
    found: list[NewLease] = []
    for shard in _parents_first(shards):
        if shard.id in own or shard.id in over:
            continue
        past_is_known = bool(shard.parents) and all(parent in shards or parent in own for parent in shard.parents)
        mark = min((marks.get(parent, low_water) for parent in shard.parents), default=low_water)
        since = since_ms(caught_up_to_ms=low_water, margin_s=margin_s)
        marks[shard.id] = mark if past_is_known else low_water
        replaced = foreign.get(shard.id)
        lease = Lease(
            subscription=subscription,
            shard=shard.id,
            stream=listing.stream,
            counter=0 if replaced is None else replaced.counter + 1,
            parents=shard.parents,
            starting_sequence=shard.starting_sequence,
            caught_up_to_ms=marks[shard.id],
            gap=None if past_is_known else Gap(cause, since),
        )
        found.append(NewLease(lease, replaced))
    return tuple(found)


def readable(*, listing: Listing, rows: Iterable[Lease]) -> frozenset[str]:
    """The unfinished shards whose parents are all finished."""
    own = {row.shard: row for row in rows if row.stream == listing.stream}
    listed = {shard.id for shard in listing.shards}
    # A leased shard that is not listed any more may be the ancestor of a listed one whose parent nobody knows. (So it may be of
    # another unlisted one; but both have only to be healed from the table, and waiting for each other would last for ever.)
    vanished_unfinished = any(shard not in listed and not row.finished for shard, row in own.items())

    def is_over(parent: str, child: str) -> bool:
        if parent in own:
            return own[parent].finished
        return parent in listed or child not in listed or not vanished_unfinished

    return frozenset(
        shard
        for shard, row in own.items()
        if not row.finished and all(is_over(parent, shard) for parent in row.parents)
    )


def removable(*, listing: Listing, rows: Iterable[Lease]) -> tuple[Lease, ...]:
    """Rows that are over: of an earlier stream, or finished, no longer listed, and with children that have progressed.

    To be asked only after every missing lease was stored: the marks of these rows have then been passed on.
    """
    rows = tuple(rows)
    own = {row.shard: row for row in rows if row.stream == listing.stream}
    listed = {shard.id for shard in listing.shards}
    if any(shard not in own for shard in listed - _ancestors_of_progressed({s.id: s for s in listing.shards}, own)):
        return ()
    children = _children(own.values())
    foreign = [row for row in rows if row.stream != listing.stream] if own else []
    finished = [
        row
        for shard, row in own.items()
        if row.finished
        and shard not in listed
        and all(child.progressed and child.gap is None for child in children.get(shard, ()))
    ]
    # The last row of a subscription stays: without any row the next start would take itself for the first.
    if len(finished) == len(own):
        finished = finished[1:]
    return (*foreign, *finished)


def awaiting_children(*, listing: Listing, rows: Iterable[Lease]) -> frozenset[str]:
    """Finished shards whose children are not known yet: the service lists a child some moments after its parent ended."""
    own = {row.shard: row for row in rows if row.stream == listing.stream}
    named = {parent for shard in listing.shards for parent in shard.parents} | set(_children(own.values()))
    return frozenset(shard for shard, row in own.items() if row.finished and shard not in named)


def _children(rows: Iterable[Lease]) -> dict[str, list[Lease]]:
    children: dict[str, list[Lease]] = {}
    for row in rows:
        for parent in row.parents:
            children.setdefault(parent, []).append(row)
    return children


def _ancestors_of_progressed(shards: Mapping[str, Shard], own: Mapping[str, Lease]) -> set[str]:
    """Shards that must have been finished, as something behind them was read: a lease of theirs would read them again."""
    over: set[str] = set()
    ahead = [parent for row in own.values() if row.progressed for parent in row.parents]
    while ahead:
        shard = ahead.pop()
        if shard in over:
            continue
        over.add(shard)
        if shard in own:
            ahead.extend(own[shard].parents)
        elif shard in shards:
            ahead.extend(shards[shard].parents)
    return over


def _parents_first(shards: Mapping[str, Shard]) -> list[Shard]:
    """By generations: those without a listed parent, then their children whose parents are all placed, and so on."""
    missing = {shard.id: sum(parent in shards for parent in shard.parents) for shard in shards.values()}
    children: dict[str, list[str]] = {}
    for shard in shards.values():
        for parent in shard.parents:
            children.setdefault(parent, []).append(shard.id)
    ordered: list[Shard] = []
    ready = [shard for shard, count in missing.items() if count == 0]
    while ready:
        ordered.extend(shards[shard] for shard in ready)
        freed: list[str] = []
        for parent in ready:
            del missing[parent]
            for child in children.get(parent, ()):
                missing[child] -= 1
                if missing[child] == 0:
                    freed.append(child)
        ready = freed
    # A cycle cannot come from the service; if it did, every shard still gets its lease.
    return [*ordered, *(shards[shard] for shard in missing)]
