"""The endpoints as they are kept: one row each, changed under its revision, so that of two changes at once neither is lost."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Final

import anyio

from workers.tables.errors import ConditionRefused, TableError, TableUnavailable
from workers.tables.port import Change as RowChange
from workers.tables.port import PutNew, Table
from workers.webhooks.endpoint import Endpoint, from_row, to_row
from workers.webhooks.errors import Contended, NotPossible, UnknownEndpoint

ENDPOINTS_MAX: Final = 500
"""Each is looked after by every process of the role."""
CHANGE_TRIES_MAX: Final = 8
# A new endpoint is told of what happens from then on, give or take so much.
KEPT_S: Final = 10.0
STALE_S_MAX: Final = 120.0


class Endpoints:
    """Over the table `webhook-endpoints`, whose key is `endpoint`. Methods raise `workers.tables.errors.TableError`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add(self, endpoint: Endpoint) -> None:
        """Keep a new one. Raises NotPossible when there are too many, or its id is taken."""
        if len(await self.all()) >= ENDPOINTS_MAX:
            raise NotPossible(f"there are {ENDPOINTS_MAX} endpoints already: remove one first")
        try:
            existing = await self._table.put_new(PutNew({"endpoint": endpoint.id}, to_row(endpoint)))
        except TableUnavailable:
            if not await self._stands(endpoint):
                raise
            return
        if existing is not None:
            raise NotPossible("there is such an endpoint already")

    async def get(self, endpoint_id: str) -> Endpoint:
        """As it stands now, also a removed one. Raises UnknownEndpoint."""
        row = await self._table.get({"endpoint": endpoint_id})
        if row is None:
            raise UnknownEndpoint(f"there is no endpoint {endpoint_id!r}")
        return from_row(row)

    async def all(self) -> tuple[Endpoint, ...]:
        """All but the removed ones, oldest first."""
        async with aclosing(self._table.scan()) as rows:  # type: ignore[type-var]  # every scan is an async generator
            found = [from_row(row) async for row in rows]
        kept = (endpoint for endpoint in found if endpoint.state != "removed")
        return tuple(sorted(kept, key=lambda endpoint: (endpoint.created_at_ms, endpoint.id)))

    async def change(self, endpoint_id: str, decide: Callable[[Endpoint], Endpoint]) -> Endpoint:
        """Change one; `decide` is asked again when somebody else was faster, and may return what it was given.

        Raises UnknownEndpoint, Contended, and what `decide` raises.
        """
        for _ in range(CHANGE_TRIES_MAX):
            before = await self.get(endpoint_id)
            after = decide(before)
            if after == before:
                return before
            after = replace(after, revision=before.revision + 1)
            row = to_row(after)
            if after.failing_since_ms == before.failing_since_ms:
                del row["failing_since_ms"]  # it is changed beside the revision, see below
            try:
                key = {"endpoint": endpoint_id}
                await self._table.change(RowChange(key=key, assign=row, equals={"revision": before.revision}))
            except ConditionRefused:
                continue
            except TableUnavailable:
                if not await self._stands(after):
                    raise
            return after
        raise Contended(f"endpoint {endpoint_id} is being changed by others: try again")

    async def _stands(self, endpoint: Endpoint) -> bool:
        """Whether what was written is there, when only the answer was lost: a secret that is in it is shown once, now or never."""
        try:
            found = await self.get(endpoint.id)
        except UnknownEndpoint:
            return False
        return replace(found, failing_since_ms=endpoint.failing_since_ms) == endpoint

    async def note(self, endpoint: Endpoint, *, failing_since_ms: int) -> None:
        """Write down since when it fails (0: it does not), if nobody else did: whoever was first is right."""
        if endpoint.failing_since_ms == failing_since_ms:
            return
        expected = {"failing_since_ms": endpoint.failing_since_ms, "state": "enabled"}
        change = RowChange(
            key={"endpoint": endpoint.id}, assign={"failing_since_ms": failing_since_ms}, equals=expected
        )
        try:
            await self._table.change(change)
        except ConditionRefused:
            return


class KnownEndpoints:
    """All endpoints as they were up to `kept_s` ago: asked for at every message. In trouble older ones serve for a while."""

    def __init__(self, endpoints: Endpoints, *, kept_s: float = KEPT_S) -> None:
        self._endpoints = endpoints
        self.kept_s = kept_s
        self._read_at = float("-inf")
        self._known: tuple[Endpoint, ...] = ()
        self._lock = anyio.Lock()

    async def all(self) -> tuple[Endpoint, ...]:
        """Raises TableError when they were never read, or too long ago."""
        if anyio.current_time() - self._read_at < self.kept_s:
            return self._known
        async with self._lock:  # one reads, the others wait for it
            begun = anyio.current_time()
            if begun - self._read_at >= self.kept_s:
                try:
                    self._known = await self._endpoints.all()
                except TableError:
                    if begun - self._read_at > STALE_S_MAX:
                        raise
                else:
                    self._read_at = begun
        return self._known

    async def again(self, endpoint: Endpoint) -> Endpoint:
        """One of them as it stands now. Raises TableError, UnknownEndpoint."""
        return await self._endpoints.get(endpoint.id)
