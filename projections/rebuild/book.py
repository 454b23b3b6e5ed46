"""Where the rows of rebuilds are kept: a small port, and the one in memory."""

from typing import Protocol

from anyio.lowlevel import checkpoint

from projections.rebuild.state import Rebuild


class RebuildBook(Protocol):
    """One row per view. Every method raises `ViewStoreError`: the rows lie beside the documents."""

    async def read(self, view: str) -> Rebuild | None:
        """The row, consistently; None when this view was never rebuilt."""
        ...

    async def replace(self, before: Rebuild | None, after: Rebuild) -> bool:
        """Make it `after` if it is `before` still (None: if there is none), or is `after` already: True. False when it is another one.

        `after.version` is one more than that of `before`.
        """
        ...


class MemoryRebuildBook:
    """The reference, and what the simulation runs on."""

    def __init__(self) -> None:
        """Begin empty."""
        self._rows: dict[str, Rebuild] = {}

    async def read(self, view: str) -> Rebuild | None:
        """See `RebuildBook`."""
        await checkpoint()
        return self._rows.get(view)

    async def replace(self, before: Rebuild | None, after: Rebuild) -> bool:
        """See `RebuildBook`."""
        await checkpoint()
        current = self._rows.get(after.view)
        if (current.version if current else 0) == (before.version if before else 0):
            self._rows[after.view] = after
            return True
        return current == after
