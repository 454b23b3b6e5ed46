"""What is asked: so many orders a second of so many lines, checked.

DemandError   what is asked cannot be
"""

import math
from dataclasses import dataclass
from typing import Final

from workers.planning.counted import Counted, Order

RATE_MIN: Final = 0.01
RATE_MAX: Final = 100_000.0
LINES_MAX: Final = 5_000
PEAK_MAX: Final = 100.0
TRANSACTION_MS_MAX: Final = 10_000.0
TOGETHER_RATE: Final = 10.0
"""From so many orders a second on, orders share batches as they did when a hundred were counted at once; below, each goes alone."""
HOURS_A_MONTH: Final = 730
SECONDS_A_MONTH: Final = HOURS_A_MONTH * 3600


class DemandError(ValueError):
    """Says which number is wrong, and what it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """An average rate over a month, and how much higher its highest second is.

    `new_customers`: the share of orders whose customer's key no process has at hand.
    `transaction_ms`: how long one transaction of DynamoDB takes from a task; an assumption, see `hot.py`. Raises DemandError.
    """

    orders_per_second: float
    lines: int
    peak_factor: float = 3.0
    transaction_ms: float = 10.0
    new_customers: float = 1.0

    def __post_init__(self) -> None:
        _between("orders per second", self.orders_per_second, RATE_MIN, RATE_MAX)
        _between("lines", self.lines, 1, LINES_MAX)
        _between("the peak factor", self.peak_factor, 1, PEAK_MAX)
        _between("the share of new customers", self.new_customers, 0, 1)
        _between("the milliseconds of a transaction", self.transaction_ms, 0.1, TRANSACTION_MS_MAX)

    @property
    def peak(self) -> float:
        """Orders in the highest second."""
        return self.orders_per_second * self.peak_factor

    @property
    def orders_a_month(self) -> float:
        """In 730 hours."""
        return self.orders_per_second * SECONDS_A_MONTH

    @property
    def together(self) -> bool:
        """Whether orders share batches."""
        return self.orders_per_second >= TOGETHER_RATE

    def order(self, counts: Counted) -> Order:
        """One order of these."""
        return counts.order(self.lines, together=self.together, new=self.new_customers)


def _between(what: str, number: float, least: float, most: float) -> None:
    if math.isnan(number) or not least <= number <= most:
        raise DemandError(f"{what}: from {least:,g} to {most:,g}, not {number:,g}")
