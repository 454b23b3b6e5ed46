"""The shards of the stream as last listed, and when to list them again."""

import math
from random import Random
from typing import Final

import anyio

from projections.stream.pacing import Backoff
from projections.stream.settings import StreamSettings
from projections.stream.source import Listing, Shard, ShardGone, StreamRefused, StreamSource

CHILDREN_ASKED_MAX: Final = 3  # of so many ended shards; for more, one listing costs less


class Discovery:
    """Lists at the start, on request and on a timer; asks for children of an ended shard alone, in quick succession, until they appear.

    Every second quick search is a whole listing, since some services know no question for children. The timer is what finds the rest.

    The coordinator lists; shard tasks ask for it and wait, so that however many ask at once one listing serves them all
    (DescribeStream allows 10 calls a second for a whole account).
    """

    def __init__(self, source: StreamSource, settings: StreamSettings, random: Random) -> None:
        self.version = 0  # of the listing; 0: none yet
        self._begun = 0
        self._source = source
        self._settings = settings
        self._random = random
        self.listing: Listing | None = None  # the last one
        self._shards: dict[str, Shard] = {}
        self._requested = True
        self._asked = anyio.Event()
        self._answered = anyio.Event()
        self._next_at_s = 0.0
        self._parents_at_s = math.inf
        self._searches: dict[str, tuple[int, float, Backoff]] = {}
        self._children_known = True  # the service has not refused to tell children alone

    def shard(self, shard: str) -> Shard | None:
        """The shard as last listed; None when it was not."""
        return self._shards.get(shard)

    def request(self) -> None:
        """Ask for a listing as soon as the coordinator gets to it."""
        self._requested = True
        self._asked.set()

    def ended(self, shard: str) -> None:
        """Ask for the shard's children as soon as the coordinator gets to it: they may be listed by now."""
        self._searches[shard] = (0, anyio.current_time(), self._child_backoff())
        self._asked.set()

    async def fresh(self) -> None:
        """Wait for a listing that is younger than this call."""
        begun_before = self._begun
        while self.version <= begun_before:
            self.request()
            await self._answered.wait()

    async def asked(self, timeout_s: float) -> None:
        """Return when a listing is asked for, at the latest after `timeout_s`."""
        with anyio.move_on_after(timeout_s):
            await self._asked.wait()

    async def current(self, *, renew: bool = False) -> Listing:
        """The listing, renewed if that is due or `renew` says so. Raises `StreamError`. Only the coordinator calls this."""
        now_s = anyio.current_time()
        due = renew or self._requested or now_s >= self._next_at_s
        searches = [(shard, tries) for shard, (tries, at_s, _) in self._searches.items() if at_s <= now_s]
        self._asked = anyio.Event()
        if self.listing is not None and not due:
            if not searches:
                return self.listing
            alone = self._children_known and len(searches) <= CHILDREN_ASKED_MAX
            if alone and all(tries % 2 == 0 for _, tries in searches):
                found = await self._with_children(self.listing, [shard for shard, _ in searches])
                if found is not None:
                    return found
        self._requested = False
        self._begun += 1
        begun = self._begun
        try:
            listing = await self._source.listing()
        except BaseException:
            self._requested = True  # what was asked for is still owed; the coordinator decides when to try again
            raise
        self.listing = listing
        self._shards = {shard.id: shard for shard in listing.shards}
        self.version = begun
        # Jittered, so that many workers that began together do not list together for ever.
        self._next_at_s = anyio.current_time() + self._settings.discovery_interval_s * self._random.uniform(0.8, 1.0)
        self._answered.set()
        self._answered = anyio.Event()
        return listing

    async def _with_children(self, listing: Listing, parents: list[str]) -> Listing | None:
        """The listing and what children there are now; None: they cannot be asked for, a whole listing has to tell."""
        found: list[Shard] = []
        try:
            for parent in parents:
                found.extend(await self._source.children(parent))
        except StreamRefused:
            self._children_known = False
            return None
        except ShardGone:  # of another stream by now, or trimmed
            return None
        # It is no younger a listing: it says nothing of the shards that were in the one before.
        self._shards |= {shard.id: shard for shard in found}
        self.listing = Listing(listing.stream, tuple(self._shards.values()))
        return self.listing

    def search_children(self, childless: frozenset[str]) -> None:
        """Plan quick listings for ended shards without known children, a bounded number for each, then leave it to the timer."""
        now_s = anyio.current_time()
        named = {parent for shard in self._shards.values() for parent in shard.parents}
        for shard in self._searches.keys() - childless:
            tries, _, backoff = self._searches.pop(shard)
            if tries == 0 and shard not in named:  # it ended just after the rows were read that say who is childless
                self._searches[shard] = (1, now_s + backoff.next_s(), backoff)
        for shard in childless:
            tries, at_s, backoff = self._searches.get(shard, (0, now_s, self._child_backoff()))
            if tries >= self._settings.child_retries_max:
                self._searches[shard] = (tries, math.inf, backoff)
            elif at_s <= now_s:
                self._searches[shard] = (tries + 1, now_s + backoff.next_s(), backoff)

    def search_parents(self, *, awaited: bool) -> None:
        """List again soon while a shard is listed whose parents are not."""
        if awaited:
            soon_s = anyio.current_time() + self._settings.child_retry_max_s
            self._next_at_s = min(self._next_at_s, soon_s)
            self._parents_at_s = self._next_at_s
        else:
            self._parents_at_s = math.inf

    def next_search_in_s(self) -> float:
        """How long until the next quick listing is due; infinite without one."""
        searches = (at_s for _, at_s, _ in self._searches.values())
        return min(self._parents_at_s, *searches, math.inf) - anyio.current_time()

    def _child_backoff(self) -> Backoff:
        settings = self._settings
        return Backoff(
            initial_s=settings.child_retry_initial_s, maximum_s=settings.child_retry_max_s, random=self._random
        )
