"""The measured shape of the Online Retail data: quantiles and rates of its 19,959 real sales, and nothing of the data itself.

Each table was counted over the sales of the public data set (Chen 2015, doi:10.24432/C5BW33) at the probabilities of `PROBABILITIES`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import exp, log
from random import Random

PROBABILITIES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution known by its quantiles; between two of them it is log-linear. Values are positive."""

    values: tuple[float, ...]

    def at(self, probability: float) -> float:
        """The value below which `probability` of the mass lies."""
        right = min(bisect_right(PROBABILITIES, probability), len(PROBABILITIES) - 1)
        low, high = PROBABILITIES[right - 1], PROBABILITIES[right]
        part = (probability - low) / (high - low)
        return exp(log(self.values[right - 1]) * (1 - part) + log(self.values[right]) * part)

    def draw(self, random: Random) -> float:
        """One value."""
        return self.at(random.random())


class Weighted:
    """Draws an index in proportion to fixed weights."""

    def __init__(self, weights: Sequence[float]) -> None:
        """Sum the weights up once."""
        self._cumulative = tuple(accumulate(weights))

    def __len__(self) -> int:
        """How many indexes there are."""
        return len(self._cumulative)

    def draw(self, random: Random) -> int:
        """One index."""
        return min(bisect_right(self._cumulative, random.random() * self._cumulative[-1]), len(self._cumulative) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Sales of up to `lines_max` lines: what they are worth, how many of them repeat a SKU, and how often on average."""

    lines_max: int
    value: Quantiles
    repeat_share: float
    repeats_mean: float


GUEST_SHARE = 1_427 / 19_959  # of the sales; with their longer orders, 25.0 % of the lines
GUEST_LINES = Quantiles((1, 1, 1, 1, 2, 5, 15, 36, 55, 93, 174, 249, 406, 552, 622, 675, 749, 1_114))
CUSTOMER_LINES = Quantiles((1, 1, 1, 2, 5, 8, 11, 15, 19, 24, 32, 48, 65, 89, 111, 136, 239, 542))
LINES_MAX = 1_114

CUSTOMERS = 4_338
ORDERS_PER_CUSTOMER = Quantiles((1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 6, 9, 13, 21, 30, 44, 93, 209))

PRICE = Quantiles(
    (0.19, 0.29, 0.39, 0.42, 0.85, 1.25, 1.65, 2.1, 2.89, 3.75, 4.95, 8.15, 9.95, 16.13, 24.95, 39.95, 165, 295)
)
ZERO_PRICE_SHARE = 400 / 530_503  # of the lines
SUB_PENNY_SHARE = 4 / 530_503
QUANTITY_MAX = 80_995

SKUS = 3_921
# fmt: off
_ORDERS_OF_RANK = (
    (0, 2_202), (1, 2_092), (2, 1_989), (5, 1_455), (10, 1_273), (20, 1_150), (50, 900), (100, 681),
    (200, 476), (500, 289), (1_000, 163), (2_000, 62), (3_000, 14), (3_920, 1),
)
# fmt: on

# fmt: off  (a table reads as a table)
BANDS = tuple(
    Band(lines_max=lines_max, value=Quantiles(value), repeat_share=repeat_share, repeats_mean=repeats_mean)
    for lines_max, repeat_share, repeats_mean, value in (
        (
            1,
            0.0,
            1.0,
            (0.38, 1.45, 2.46, 4.5, 10, 15.9, 25.2, 43, 79.6, 138, 243, 480, 851, 1718, 2654, 4161, 77184, 168470),
        ),
        (
            5,
            0.0097,
            1.18,
            (0.84, 5.55, 9.6, 19.3, 46.8, 72, 96.8, 123, 176, 282, 357, 569, 828, 1562, 2640, 4380, 12798, 21536),
        ),
        (
            10,
            0.0189,
            1.29,
            (5.86, 26.4, 62.8, 101, 120, 141, 161, 190, 243, 310, 388, 607, 969, 1916, 2970, 5519, 13355, 22206),
        ),
        (
            20,
            0.0565,
            1.43,
            (5.93, 75.5, 112, 137, 191, 229, 274, 304, 316, 347, 403, 572, 876, 1735, 2606, 4414, 13032, 31698),
        ),
        (
            40,
            0.1915,
            2.18,
            (37.8, 108, 119, 150, 209, 294, 348, 405, 463, 531, 631, 815, 1131, 2189, 3506, 4345, 7722, 18841),
        ),
        (
            80,
            0.4869,
            4.04,
            (87.2, 137, 167, 197, 252, 313, 393, 503, 653, 803, 994, 1340, 1957, 3669, 6207, 8896, 11956, 16775),
        ),
        (
            200,
            0.5806,
            8.10,
            (187, 263, 303, 360, 463, 576, 728, 1032, 1284, 1525, 1866, 2901, 4701, 12341, 18746, 21880, 52941, 52941),
        ),
        (
            LINES_MAX,
            0.3515,
            4.71,
            (
                819,
                1332,
                1472,
                1573,
                1788,
                1959,
                2217,
                2517,
                3393,
                4381,
                5334,
                6870,
                7660,
                8706,
                9021,
                16677,
                16875,
                16875,
            ),
        ),
    )
)
# fmt: on

# fmt: off
COUNTRIES = (
    ("United Kingdom", 18_018), ("Germany", 457), ("France", 392), ("EIRE", 288), ("Belgium", 98), ("Netherlands", 94), ("Spain", 90),
    ("Portugal", 58), ("Australia", 57), ("Switzerland", 54), ("Finland", 41), ("Italy", 38), ("Norway", 36), ("Sweden", 36),
    ("Channel Islands", 26), ("Japan", 19), ("Poland", 19), ("Denmark", 18), ("Austria", 17), ("Cyprus", 16), ("Unspecified", 13),
    ("Hong Kong", 11), ("Israel", 8), ("Singapore", 7), ("Canada", 6), ("USA", 5), ("European Community", 4), ("RSA", 1),
)
# fmt: on
EURO_COUNTRIES = frozenset(
    {
        "Germany",
        "France",
        "EIRE",
        "Belgium",
        "Netherlands",
        "Spain",
        "Portugal",
        "Finland",
        "Italy",
        "Austria",
        "Cyprus",
    }
)
POSTAGE_SHARE = 0.55  # of the sales abroad


def band_of(lines: int) -> Band:
    """The band of an order of so many lines."""
    return next((band for band in BANDS if lines <= band.lines_max), BANDS[-1])


def popularity(skus: int) -> tuple[float, ...]:
    """In how many of the 19,959 sales the SKU of each rank appears: log-linear between the measured ranks, which is close to Zipf."""
    weights: list[float] = []
    for (rank, count), (next_rank, next_count) in pairwise(_ORDERS_OF_RANK):
        for step in range(next_rank - rank):
            part = step / (next_rank - rank)
            weights.append(exp(log(count) * (1 - part) + log(next_count) * part))
    weights.append(_ORDERS_OF_RANK[-1][1])
    return tuple(weights[:skus])
