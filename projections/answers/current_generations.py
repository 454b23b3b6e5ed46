"""Which generation of each view readers are to use: asked again and again, so that a switch is seen by every process that runs."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import anyio

from projections.answers.observe import ReadObserver, SilentReadObserver
from projections.shared_reads import SharedRead
from projections.view_store import ViewStore, ViewStoreError
from projections.views.view import Generation

GENERATIONS_KEPT_S: Final = 1.0
# A generation that is no longer current is still written until it is discarded, and nobody discards it at once.
GENERATIONS_TRUSTED_S: Final = 60.0


class CurrentGenerations:
    """The generations that readers use: a switch is seen by whoever asks later after it than `kept_s` and the time that a read takes.

    However many ask at once, one read serves them all, and none follows for `kept_s` after it, however it ended. When it fails, the last
    that was known stands, and the failure is reported; but not beyond `trusted_s`: by then the generation may be gone, and an order that
    cannot be found would be taken for one that is not there.
    """

    def __init__(
        self,
        view_store: ViewStore,
        views: Sequence[str],
        *,
        kept_s: float = GENERATIONS_KEPT_S,
        trusted_s: float = GENERATIONS_TRUSTED_S,
        observer: ReadObserver | None = None,
    ) -> None:
        self._view_store = view_store
        self._views = tuple(views)
        self._trusted_s = trusted_s
        self._observer = observer or SilentReadObserver()
        self._known: Mapping[str, Generation] = {}
        self._known_at_s = -math.inf
        self._shared = SharedRead(self._read, kept_s=kept_s, aged_from="end")

    async def now(self) -> Mapping[str, Generation]:
        """The current generation of each view. Raises ViewStoreError: none is known, or none that can still be trusted."""
        return await self._shared.get()

    async def _read(self) -> Mapping[str, Generation]:
        began_at_s = anyio.current_time()
        try:
            generations = await self._view_store.generations(self._views)
        except ViewStoreError as error:
            if anyio.current_time() - self._known_at_s > self._trusted_s:
                raise
            self._observer.read_failed(what="generations", error=error)
        else:
            self._known = {view: Generation(view, generations[view].current) for view in self._views}
            self._known_at_s = began_at_s
        return self._known
