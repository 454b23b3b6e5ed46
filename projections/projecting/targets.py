"""Which generations of the views are written: asked again and again, so that one that is begun is soon written by everybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from projections.shared_reads import SharedRead
from projections.view_store import ViewStore
from projections.views import VIEWS
from projections.views.view import Generation, Generations, View

TARGETS_KEPT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Target:
    """A view and a generation of it that is written; `served`: the one that its readers use."""

    view: View[Any]
    generation: Generation
    served: bool = True


class Targets(Protocol):
    """What a projector writes."""

    async def now(self) -> tuple[Target, ...]:
        """The targets, as they are read in this call or were a bounded time ago. Raises ViewStoreError."""
        ...


@dataclass(frozen=True, slots=True)
class FixedTargets:
    """Always the same: for one that writes a generation on purpose, or ends soon."""

    targets: tuple[Target, ...]

    async def now(self) -> tuple[Target, ...]:
        """See `Targets`."""
        return self.targets


class LiveTargets:
    """The targets of a projector that runs: whoever begins to write uses none that were read more than `kept_s` ago.

    That is a promise to a rebuild: commits whose application began `kept_s` after its generation was announced are in it, and those from
    before are in the log, which it reads after that. It holds on the monotonic clock of each process; none is compared with another.
    """

    def __init__(self, view_store: ViewStore, views: Sequence[View[Any]], *, kept_s: float = TARGETS_KEPT_S) -> None:
        self._view_store = view_store
        self._views = {view.name: view for view in views}
        # Aged from before the read: what it found may have changed while its answer was on the way.
        self._shared = SharedRead(self._read, kept_s=kept_s, aged_from="beginning")

    async def now(self) -> tuple[Target, ...]:
        """Every view in each of its generations. However many ask at once, one read serves or fails them. Raises ViewStoreError."""
        return await self._shared.get()

    async def _read(self) -> tuple[Target, ...]:
        generations = await self._view_store.generations(tuple(self._views))
        return targets_of(tuple(self._views.values()), generations)


def targets_of(views: Sequence[View[Any]], generations: Mapping[str, Generations]) -> tuple[Target, ...]:
    """Each view in each of its generations."""
    return tuple(
        Target(view, Generation(view.name, number), served=number == generations[view.name].current)
        for view in views
        for number in generations[view.name].written
    )


async def current_targets(view_store: ViewStore, views: Sequence[View[Any]] = VIEWS) -> tuple[Target, ...]:
    """The views, each in the generation that its readers use. Raises ViewStoreError."""
    generations = await view_store.generations([view.name for view in views])
    return tuple(Target(view, Generation(view.name, generations[view.name].current)) for view in views)
