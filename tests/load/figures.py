"""The arithmetic of a load run: quantiles, rates, and how much a process grows for each thousand orders. No clock, no process."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Final

WARM_UP_SHARE: Final = 1 / 3
"""Of a process's work: what pools, caches and the allocator take at first is no growth."""
ORDERS_TOLD_MIN: Final = 500
"""Less work than this after the warm-up tells nothing of growth."""
MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A process at one moment. `work`: orders' worth of work done until then, by everybody, since the run began."""

    at_s: float
    work: float
    resident_bytes: int
    descriptors: int
    threads: int
    tasks: int | None = None
    """Of its event loop; None where the process does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one process used of the machine, over one life. Growth is None where too little was done to tell."""

    name: str
    lived_s: float
    work: float
    resident_first_mib: float
    resident_peak_mib: float
    resident_last_mib: float
    growth_mib_per_1000: float | None
    descriptors_peak: int
    descriptors_last: int
    descriptors_crept: float
    """How many more stood open in the last third of its life than in the middle one (medians)."""
    tasks_peak: int | None
    tasks_last: int | None
    tasks_crept: float
    processor_s: float


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed (nearest rank). Raises ValueError without values."""
    if not values:
        raise ValueError("there are no values")
    if not 0 < share <= 1:
        raise ValueError(f"a share is above 0 and at most 1, not {share}")
    return sorted(values)[ceil(share * len(values)) - 1]


def ratio(ours: float, base: float) -> float:
    """How many times the base. Raises ValueError when there is nothing to compare with."""
    if base <= 0:
        raise ValueError(f"nothing can be compared with {base}")
    return ours / base


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """By how much y grows with each x, by least squares; None when x does not move."""
    if len(points) < 2:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return None
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def growth_mib_per_1000(samples: Sequence[Sample]) -> float | None:
    """Resident MiB that come with each 1,000 orders, after the first third of the work; None where too little follows it."""
    if not samples:
        return None
    first, last = samples[0].work, samples[-1].work
    warm = first + (last - first) * WARM_UP_SHARE
    if last - warm < ORDERS_TOLD_MIN:
        return None
    found = slope([(sample.work, sample.resident_bytes) for sample in samples if sample.work >= warm])
    return None if found is None else found * 1_000 / MEBIBYTE


def crept(values: Sequence[float]) -> float:
    """By how much the median of the last third is above that of the middle third; 0 for fewer than three values."""
    third = len(values) // 3
    if third == 0:
        return 0.0
    return median(values[-third:]) - median(values[third : 2 * third])


def usage(name: str, samples: Sequence[Sample], *, processor_s: float) -> Usage:
    """One life in one line. Raises ValueError without samples."""
    if not samples:
        raise ValueError(f"{name} was never looked at")
    first, last = samples[0], samples[-1]
    tasks = [sample.tasks for sample in samples if sample.tasks is not None]
    return Usage(
        name=name,
        lived_s=last.at_s - first.at_s,
        work=last.work - first.work,
        resident_first_mib=first.resident_bytes / MEBIBYTE,
        resident_peak_mib=max(sample.resident_bytes for sample in samples) / MEBIBYTE,
        resident_last_mib=last.resident_bytes / MEBIBYTE,
        growth_mib_per_1000=growth_mib_per_1000(samples),
        descriptors_peak=max(sample.descriptors for sample in samples),
        descriptors_last=last.descriptors,
        descriptors_crept=crept([sample.descriptors for sample in samples]),
        tasks_peak=max(tasks, default=None),
        tasks_last=tasks[-1] if tasks else None,
        tasks_crept=crept(tasks),
        processor_s=processor_s,
    )
