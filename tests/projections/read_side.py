"""A whole read side in memory, observers that count, and stores that fail on purpose."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import orjson

from orderstore.recorded import Recorded
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from projections.comparing.compare import Report, compare
from projections.projecting.projector import ViewProjector
from projections.projecting.targets import Target
from projections.view_store import Stored, ViewStoreUnavailable, Write, WriteResult
from projections.view_store.memory import MemoryViewStore
from projections.views import VIEWS
from projections.views.view import Generation
from tests.projections.histories import TENANT, records_of

TARGETS = tuple(Target(view, Generation(view.name, 1)) for view in VIEWS)


class CountingObserver:
    """Counts every fact under its name, by view or subscription."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.lags_ms: list[int] = []
        self.ages_ms: list[int] = []
        self.projected_ids: list[tuple[str, str]] = []

    def applied(self, *, view: str, commits: int) -> None:
        self.counts[f"applied {view}"] += commits

    def duplicates_dropped(self, *, view: str, commits: int) -> None:
        self.counts[f"duplicates {view}"] += commits

    def projected(self, *, view: str, recorded: Recorded) -> None:
        self.projected_ids.append((view, recorded.event_id))

    def gap_healed(self, *, view: str, missing: int) -> None:
        self.counts[f"missing {view}"] += missing

    def conflicted(self, *, view: str) -> None:
        self.counts[f"conflicts {view}"] += 1

    def refolded(self, *, view: str) -> None:
        self.counts[f"refolded {view}"] += 1

    def view_written(self, *, view: str, document_bytes: int) -> None:
        assert document_bytes > 0
        self.counts[f"writes {view}"] += 1

    def removed(self, *, subscription: str, records: int) -> None:
        self.counts[f"removed {subscription}"] += records

    def image_replaced(self, *, subscription: str, stream: str, commit: int) -> None:
        self.counts[f"replaced {subscription} {commit}"] += 1

    def published(self, *, events: int, lag_ms: int) -> None:
        self.counts["published"] += events
        self.lags_ms.append(lag_ms)

    def publish_failed(self, *, events: int, code: str) -> None:
        self.counts[f"publish failed {code}"] += events

    def unpublished(self, *, oldest_age_ms: int) -> None:
        self.ages_ms.append(oldest_age_ms)

    def publication_unseen(self, *, error: Exception) -> None:
        self.counts[f"unseen {type(error).__name__}"] += 1

    def backfill_progress(self, *, subscription: str, orders: int, commits: int) -> None:
        self.counts[f"back-filled {subscription}"] += orders
        self.counts[f"back-filled commits {subscription}"] += commits


class WatchedViews(MemoryViewStore):
    """Counts calls, checks that no document ever goes backwards, and fails or lets others in when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gets = 0
        self.writes = 0
        self.fail_before = 0  # so many write calls raise before anything is stored
        self.fail_after = 0  # so many write calls raise though everything was stored
        self.before_write = None  # an async function, called once before the next write
        self.commits_seen: dict[str, int] = {}

    async def get(self, keys: Sequence[str]) -> Mapping[str, Stored]:
        self.gets += 1
        return await super().get(keys)

    async def write(self, writes: Sequence[Write]) -> tuple[WriteResult, ...]:
        self.writes += 1
        if self.before_write is not None:
            intruder, self.before_write = self.before_write, None
            await intruder()
        if self.fail_before:
            self.fail_before -= 1
            raise ViewStoreUnavailable("nothing was stored")
        results = await super().write(writes)
        for key, write in self._documents.items():
            assert write.commit >= self.commits_seen.get(key, 0), f"{key} went backwards"
            self.commits_seen[key] = write.commit
        if self.fail_after:
            self.fail_after -= 1
            raise ViewStoreUnavailable("the answer was lost")
        return results


class CountingStore(MemoryEventStore):
    """Counts the reads of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        self.reads += 1
        return await super().read(stream, after=after)


class ReadSide:
    """Log, views, one projector and its observer."""

    def __init__(self, *, cache_entries: int = 1_000) -> None:
        self.store = CountingStore()
        self.views = WatchedViews()
        self.observer = CountingObserver()
        self.projector = self.another_projector(cache_entries=cache_entries)

    def another_projector(self, *, cache_entries: int = 1_000) -> ViewProjector:
        return ViewProjector(self.store, self.views, TARGETS, observer=self.observer, cache_entries=cache_entries)

    async def append(self, commits: Iterable[Commit]) -> None:
        for commit in commits:
            await self.store.append(commit)

    async def deliver(self, *commits: Commit) -> None:
        await self.projector.apply(records_of(commits))

    async def status(self, order_id: str) -> dict | None:
        key = TARGETS[0].generation.key(TENANT, order_id)
        stored = (await self.views.get([key])).get(key)
        return None if stored is None else orjson.loads(stored.document)

    async def compare(self, **options) -> Report:
        return await compare(self.store, self.views, TARGETS, look_again_after_s=1, **options)

    async def assert_equal(self) -> None:
        report = await self.compare()
        assert report.equal, report.differences
