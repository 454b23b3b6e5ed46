"""A view store in memory: the reference for the others, and what the simulation runs on."""

import math
from collections.abc import AsyncIterator, Mapping, Sequence

import anyio.lowlevel

from orderstore.store.scanning import READ_UNIT_BYTES
from projections.view_store import LIST_PAGE_MAX, Conflict, Consumed, Page, Place, Stored, Write, WriteResult, Written
from projections.views.view import Generations


class MemoryViewStore:
    """Documents in a dict; every call is one step, as it is in the database."""

    def __init__(self) -> None:
        self._documents: dict[str, Write] = {}
        self._totals: dict[str, dict[str, int]] = {}
        self._generations: dict[str, Generations] = {}

    async def get(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        """See `ViewStore`."""
        await anyio.lowlevel.checkpoint()
        return {key: _stored(self._documents[key]) for key in keys if key in self._documents}

    async def write(self, writes: Sequence[Write]) -> tuple[WriteResult, ...]:
        """See `ViewStore`."""
        if len({write.key for write in writes}) != len(writes):
            raise ValueError("a key stands twice in one call")
        await anyio.lowlevel.checkpoint()
        return tuple(self._write(write) for write in writes)

    async def listed(self, list_key: str, *, after: Place | None, limit: int, newest_first: bool) -> Page:
        """See `ViewStore`."""
        if not 1 <= limit <= LIST_PAGE_MAX:
            raise ValueError(f"a page has 1 to {LIST_PAGE_MAX} documents, not {limit}")
        await anyio.lowlevel.checkpoint()
        listed = sorted(
            (
                (Place(write.list_sort, write.key), write)
                for write in self._documents.values()
                if write.list_key == list_key and write.list_sort is not None
            ),
            key=lambda entry: entry[0],
            reverse=newest_first,
        )
        if after is not None:
            listed = [entry for entry in listed if (entry[0] < after if newest_first else entry[0] > after)]
        page = listed[:limit]
        return Page(tuple(_stored(write) for _, write in page), page[-1][0] if len(listed) > limit else None)

    async def keys(self, prefix: str, *, consumed: Consumed | None = None) -> AsyncIterator[str]:
        """See `ViewStore`."""
        await self._scanned(consumed)
        for key in tuple(self._documents):
            await anyio.lowlevel.checkpoint()
            if key.startswith(prefix):
                yield key

    async def totals(self, sum_keys: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """See `ViewStore`."""
        await anyio.lowlevel.checkpoint()
        return {name: dict(self._totals[name]) for name in sum_keys if name in self._totals}

    async def sum_keys(self, prefix: str, *, consumed: Consumed | None = None) -> AsyncIterator[str]:
        """See `ViewStore`."""
        await self._scanned(consumed)
        for name in tuple(self._totals):
            await anyio.lowlevel.checkpoint()
            if name.startswith(prefix):
                yield name

    async def delete(self, keys: Sequence[str]) -> None:
        """See `ViewStore`."""
        await anyio.lowlevel.checkpoint()
        for key in keys:
            self._documents.pop(key, None)

    async def delete_totals(self, sum_keys: Sequence[str]) -> None:
        """See `ViewStore`."""
        await anyio.lowlevel.checkpoint()
        for name in sum_keys:
            self._totals.pop(name, None)

    async def generations(self, views: Sequence[str]) -> Mapping[str, Generations]:
        """See `ViewStore`."""
        await anyio.lowlevel.checkpoint()
        return {view: self._generations.get(view, Generations()) for view in views}

    async def change_generations(self, view: str, *, before: Generations, after: Generations) -> bool:
        """See `ViewStore`."""
        await anyio.lowlevel.checkpoint()
        current = self._generations.get(view, Generations())
        if current == before:
            self._generations[view] = after
        return current in (before, after)

    async def _scanned(self, consumed: Consumed | None) -> None:
        """Everything there is, as one page."""
        if consumed is not None:
            size_bytes = sum(len(write.document) for write in self._documents.values()) + 100 * len(self._totals)
            await consumed(float(max(1, math.ceil(size_bytes / READ_UNIT_BYTES))))

    def _write(self, write: Write) -> WriteResult:
        current = self._documents.get(write.key)
        current_commit = None if current is None else current.commit
        if current_commit != write.expected_commit:
            return Conflict(current_commit)
        if current is not None and current.contribution != write.expected_contribution:
            return Conflict(current_commit)
        self._documents[write.key] = write
        for addition in write.additions:
            totals = self._totals.setdefault(addition.sum_key, {})
            for measure, amount in addition.amounts.items():
                totals[measure] = totals.get(measure, 0) + amount
        return Written()


def _stored(write: Write) -> Stored:
    return Stored(
        key=write.key,
        commit=write.commit,
        schema=write.schema,
        document=write.document,
        list_key=write.list_key,
        list_sort=write.list_sort,
        contribution=write.contribution,
    )
