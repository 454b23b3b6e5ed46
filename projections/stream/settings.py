"""Every number of the reader, with its unit, its default and the relations that must hold between them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """Defaults suit DynamoDB Streams. Raises `ValueError` when two numbers contradict each other."""

    lease_duration_s: float = 15.0  # a lease whose counter stands still for so long is free to take
    renew_interval_s: float = 5.0  # renewals, and looks at the lease table
    discovery_interval_s: float = 60.0  # listings of the shards besides those at shard ends
    child_retries_max: int = 10  # quick listings after a shard end until its children appear
    child_retry_initial_s: float = 0.05
    child_retry_max_s: float = 1.0
    reads_per_second_max: float = 4.0  # for one shard; AWS publishes no number, Lambda uses 4
    idle_initial_s: float = 0.25  # wait after the first empty read …
    idle_max_s: float = 1.0  # … doubled up to this
    page_records_max: int = 1_000  # the API's own bound
    empty_reads_at_tip: int = 3  # a page may be empty though more follows: so many in a row count as the tip
    backoff_initial_s: float = 0.2
    backoff_max_s: float = 20.0
    checkpoint_interval_s: float = 1.0  # at most one checkpoint write in so long, besides shard end and stop
    apply_timeout_s: float = 60.0  # a subscriber that hangs has failed
    shards_max: int = 1_000  # leases that one worker holds at most
    reads_in_flight_max: int = 16  # bounds memory (a page is at most 1 MB) and connections
    lanes_max: int = 8  # calls of the subscriber at once for one shard
    lane_fill_records: int = 100  # so many records of new keys share a call before the next lane is used
    records_in_flight_max: int = (
        2_000  # read and not durable, for one shard: no page is read beyond (it may pass by a page)
    )
    worker_records_max: int = 20_000  # read and not durable, over all shards of a worker: beyond it nothing is read …
    shard_records_floor: int = (
        10  # … but so many by each shard that has none under way, so that none stands still for others
    )
    orphan_patience_s: float = 15.0  # a shard whose parents nobody lists waits so long for them before that is a gap
    stop_timeout_s: float = 5.0  # for storing progress and giving leases back when cancelled
    gap_margin_s: float = (
        300.0  # clock skew between writers and readers, taken off the low-water mark before a back-fill
    )
    retention_s: float = 24 * 3_600.0  # how long the service keeps records

    def __post_init__(self) -> None:
        if self.renew_interval_s * 3 > self.lease_duration_s:
            raise ValueError("a lease must outlive two failed renewals: renew_interval_s * 3 <= lease_duration_s")
        if self.gap_margin_s < self.discovery_interval_s * 2:
            # Between two listings an iterator may silently read nothing, and the mark moves on meanwhile.
            raise ValueError(
                "a back-fill must reach behind the last two listings: gap_margin_s >= discovery_interval_s * 2"
            )
        if not 1 <= self.page_records_max <= 1_000:
            raise ValueError("page_records_max must be between 1 and 1,000, the API's bound")
        if self.gap_margin_s < self.orphan_patience_s + self.discovery_interval_s:
            # What the mark passes while a shard waits for its parents is in that shard's back-fill by the margin alone.
            raise ValueError(
                "a back-fill must reach behind the wait: gap_margin_s >= orphan_patience_s + discovery_interval_s"
            )
        if self.gap_margin_s * 2 > self.retention_s:
            raise ValueError("gap_margin_s must be far below retention_s")
        positive = (
            self.renew_interval_s,
            self.discovery_interval_s,
            self.child_retry_initial_s,
            self.reads_per_second_max,
            self.idle_initial_s,
            self.backoff_initial_s,
            self.apply_timeout_s,
            self.stop_timeout_s,
            self.orphan_patience_s,
        )
        if min(positive) <= 0 or self.checkpoint_interval_s < 0:
            raise ValueError("intervals, rates and timeouts must be positive")
        bounds = (
            self.shards_max,
            self.reads_in_flight_max,
            self.empty_reads_at_tip,
            self.lanes_max,
            self.lane_fill_records,
            self.records_in_flight_max,
            self.worker_records_max,
            self.shard_records_floor,
        )
        if min(bounds) < 1 or self.child_retries_max < 0:
            raise ValueError("bounds must be at least 1 (child_retries_max at least 0)")
        if self.idle_max_s < self.idle_initial_s or self.backoff_max_s < self.backoff_initial_s:
            raise ValueError("a back-off's maximum must not lie below its first step")
        if self.child_retry_max_s < self.child_retry_initial_s:
            raise ValueError("child_retry_max_s must not lie below child_retry_initial_s")
