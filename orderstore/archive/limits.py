"""The bounds of the archive's work."""

from dataclasses import dataclass

from orderstore.archive.segment import RAW_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`segment_raw_bytes` may be passed by the last commit that a segment takes, so that a large one can be archived at all."""

    segment_raw_bytes: int = 8 * 1024 * 1024
    segment_orders: int = 2_000
    reads_at_once: int = 8
    rounds_max: int = 10
    """A lost round is another archiver's success. More than so many in a row is a fault, not contention."""

    def __post_init__(self) -> None:
        """Raises ValueError for a bound that bounds nothing."""
        if min(self.segment_raw_bytes, self.segment_orders, self.reads_at_once, self.rounds_max) < 1:
            raise ValueError("bounds are at least 1")
        if self.segment_raw_bytes > RAW_BYTES_MAX // 8:
            raise ValueError(f"a segment has at most {RAW_BYTES_MAX // 8} bytes before compression")
