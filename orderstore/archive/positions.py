"""How far each order is archived: a cache of the manifests, which alone are the truth. Losing it costs a walk over them.

Its one rule: `applied` says n only when every manifest up to n has been applied. A writer that knows that, and then gets number n + 1,
has read what no other archiver could have changed meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from anyio.lowlevel import checkpoint


@dataclass(frozen=True, slots=True)
class Position:
    """An order is archived through commit `through`, whose hash is `last_hash`; manifest `manifest` has it."""

    through: int
    last_hash: bytes
    manifest: int


@dataclass(frozen=True, slots=True)
class Applied:
    """Every manifest up to this one has been applied; `sha256` (hex) is the manifest's own."""

    manifest: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """How far a restore into this environment has come: through `manifest` of the archive whose first manifest is `archive`."""

    archive: str
    manifest: int
    state: Literal["running", "done"]


class Positions(Protocol):
    """Reads are consistent. Every method may raise `Throttled`, `Unavailable` or `Refused` of `orderstore.store.errors`."""

    async def applied(self) -> Applied | None:
        """How far the manifests have been applied; None when none has."""
        ...

    async def get(self, streams: Sequence[str]) -> Mapping[str, Position]:
        """The positions of these orders; those that were never archived are absent."""
        ...

    async def advance(self, positions: Mapping[str, Position]) -> None:
        """Move orders forward, each on its own; one that is there already, or beyond, stays as it is."""
        ...

    async def mark_applied(self, applied: Applied) -> None:
        """Say that all manifests so far have been applied; what was said of a later one stays."""
        ...

    async def restoration(self) -> Restoration | None:
        """What a restore has noted; None when none ever began here."""
        ...

    async def note_restoration(self, restoration: Restoration) -> None:
        """Note how far a restore has come."""
        ...


class MemoryPositions:
    """The reference implementation."""

    def __init__(self) -> None:
        """Begin empty."""
        self._positions: dict[str, Position] = {}
        self._applied: Applied | None = None
        self._restoration: Restoration | None = None

    async def applied(self) -> Applied | None:
        """See `Positions.applied`."""
        await checkpoint()
        return self._applied

    async def get(self, streams: Sequence[str]) -> Mapping[str, Position]:
        """See `Positions.get`."""
        await checkpoint()
        return {stream: self._positions[stream] for stream in streams if stream in self._positions}

    async def advance(self, positions: Mapping[str, Position]) -> None:
        """See `Positions.advance`."""
        for stream, position in positions.items():
            await checkpoint()
            known = self._positions.get(stream)
            if known is None or known.through < position.through:
                self._positions[stream] = position

    async def mark_applied(self, applied: Applied) -> None:
        """See `Positions.mark_applied`."""
        await checkpoint()
        if self._applied is None or self._applied.manifest < applied.manifest:
            self._applied = applied

    async def restoration(self) -> Restoration | None:
        """See `Positions.restoration`."""
        await checkpoint()
        return self._restoration

    async def note_restoration(self, restoration: Restoration) -> None:
        """See `Positions.note_restoration`."""
        await checkpoint()
        self._restoration = restoration
