"""Seeded orders with the shape of real ones (see `shape`), for demonstrations, load and tests, without the data.

Order `i` of a seed is a function of the seed, the settings and `i` alone: it does not matter how many are made, or in which order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from math import isclose
from random import Random

from workers.intake import shape
from workers.intake.catalogue import POSTAGE, CatalogueItem, build_catalogue


class Expectation(StrEnum):
    """How an order is meant to end; whoever feeds it tells the sandbox providers."""

    COMPLETED = "completed"
    PAYMENT_DECLINED = "payment_declined"
    OUT_OF_STOCK = "out_of_stock"
    BOTH_FAILED = "both_failed"
    CANCEL_REQUESTED = "cancel_requested"


DEFAULT_SHARES: Mapping[Expectation, float] = {
    Expectation.COMPLETED: 0.86,
    Expectation.PAYMENT_DECLINED: 0.05,
    Expectation.OUT_OF_STOCK: 0.04,
    Expectation.BOTH_FAILED: 0.01,
    Expectation.CANCEL_REQUESTED: 0.04,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorSettings:
    """`rarities_scale` multiplies the shares of zero-price and sub-penny lines, so that a short run shows some of each."""

    seed: int
    lines_max: int = shape.LINES_MAX
    quantity_max: int = shape.QUANTITY_MAX
    customers: int = shape.CUSTOMERS
    rarities_scale: float = 1.0
    shares: Mapping[Expectation, float] = field(default_factory=lambda: DEFAULT_SHARES)

    def __post_init__(self) -> None:
        """Raise ValueError on settings that cannot work."""
        if not 1 <= self.lines_max <= shape.LINES_MAX:
            raise ValueError(f"lines_max is {self.lines_max}: it must be 1 to {shape.LINES_MAX}")
        if self.quantity_max < 1 or self.customers < 1:
            raise ValueError("quantity_max and customers must be at least 1")
        if not 0 <= self.rarities_scale <= 1_000:
            raise ValueError(f"rarities_scale is {self.rarities_scale}: it must be 0 to 1000")
        if any(share < 0 for share in self.shares.values()) or not isclose(sum(self.shares.values()), 1):
            raise ValueError("the shares of the expectations must not be negative and must add up to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedLine:
    """One line; `unit_price` is exact, at times 0 or below a penny."""

    sku: str
    description: str
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedOrder:
    """One order. `key` is its idempotency key; guests have an e-mail address and no `customer_id`."""

    index: int
    key: str
    customer_id: str | None
    customer_email: str
    currency: str
    country: str
    lines: tuple[GeneratedLine, ...]
    expectation: Expectation

    @property
    def total(self) -> Decimal:
        """Sum of quantity x unit price, exact."""
        return sum((line.quantity * line.unit_price for line in self.lines), Decimal(0))


class OrderGenerator:
    """Makes orders; holds the catalogue (`catalogue`, by falling popularity, and the postage fee) and the population of customers."""

    def __init__(self, settings: GeneratorSettings) -> None:
        """Build the tables, which takes some milliseconds."""
        self.settings = settings
        self._goods = build_catalogue()
        self.catalogue: tuple[CatalogueItem, ...] = (*self._goods, POSTAGE)
        self._skus = shape.Weighted(shape.popularity(len(self._goods)))
        population = settings.customers
        self._customers = shape.Weighted(
            [shape.ORDERS_PER_CUSTOMER.at(1 - (rank + 0.5) / population) for rank in range(population)]
        )
        self._countries = shape.Weighted([count for _, count in shape.COUNTRIES])
        self._expectations = tuple(settings.shares)
        self._shares = shape.Weighted(tuple(settings.shares.values()))

    def orders(self, count: int, *, start: int = 0) -> Iterator[GeneratedOrder]:
        """Orders `start` to `start + count - 1`, one at a time."""
        return (self.order(index) for index in range(start, start + count))

    def order(self, index: int) -> GeneratedOrder:
        """Order `index` of this seed."""
        seed = self.settings.seed
        random = Random(f"order:{seed}:{index}")  # noqa: S311 - a demonstration needs no secrecy
        expectation = self._expectations[self._shares.draw(random)]
        if guest := random.random() < shape.GUEST_SHARE:
            customer_id, email = None, f"guest-{seed}-{index}@example.com"
            country, currency = self._home(random)
        else:
            customer = self._customers.draw(random)
            customer_id, email = str(12_346 + customer), f"customer-{12_346 + customer}@example.com"
            country, currency = self._home(Random(f"customer:{seed}:{customer}"))  # noqa: S311 - the same
        lines_drawn = (shape.GUEST_LINES if guest else shape.CUSTOMER_LINES).draw(random)
        abroad = country != "United Kingdom"
        return GeneratedOrder(
            index=index,
            key=f"generated:{seed}:{index}",
            customer_id=customer_id,
            customer_email=email,
            currency=currency,
            country=country,
            lines=self._lines(random, min(round(lines_drawn), self.settings.lines_max), abroad=abroad),
            expectation=expectation,
        )

    def _home(self, random: Random) -> tuple[str, str]:
        """A country and a currency: half of the euro area pays in euros, the USA in dollars, the rest in pounds."""
        country = shape.COUNTRIES[self._countries.draw(random)][0]
        if country == "USA":
            return country, "USD"
        return country, "EUR" if country in shape.EURO_COUNTRIES and random.random() < 0.5 else "GBP"

    def _lines(self, random: Random, count: int, *, abroad: bool) -> tuple[GeneratedLine, ...]:
        """Draw the SKUs, draw what the order is worth, and share that out over the lines: quantities follow from the prices."""
        band = shape.band_of(count)
        items = self._items(random, count, band)
        weights = [random.lognormvariate(0, 0.7) for _ in items]
        value_per_weight = band.value.draw(random) / sum(weights)
        lines = [
            self._line(random, item, weight * value_per_weight, may_be_rare=place > 0)
            for place, (item, weight) in enumerate(zip(items, weights, strict=True))
        ]
        if abroad and count > 1 and random.random() < shape.POSTAGE_SHARE:
            lines[-1] = GeneratedLine(
                sku=POSTAGE.sku,
                description=POSTAGE.description,
                quantity=random.randint(1, 3),
                unit_price=POSTAGE.unit_price,
            )
        return tuple(lines)

    def _items(self, random: Random, count: int, band: shape.Band) -> list[CatalogueItem]:
        repeats = 0
        if count > 1 and random.random() < band.repeat_share:
            repeats = min(count - 1, 1 + round(random.expovariate(1 / max(band.repeats_mean - 1, 0.1))))
        ranks = list(islice(self._distinct(random), count - repeats))
        ranks += random.choices(ranks, k=repeats)
        return [self._goods[rank] for rank in ranks]

    def _distinct(self, random: Random) -> Iterator[int]:
        """Ranks by popularity without repetition; a draw that hits a taken rank moves on to the next free one after 20 tries."""
        taken: set[int] = set()
        while len(taken) < len(self._goods):
            rank = next((rank for rank in (self._skus.draw(random) for _ in range(20)) if rank not in taken), None)
            if rank is None:
                rank = next(free for free in range(len(self._goods)) if free not in taken)
            taken.add(rank)
            yield rank

    def _line(self, random: Random, item: CatalogueItem, value: float, *, may_be_rare: bool) -> GeneratedLine:
        quantity = _in_packs(value / float(item.unit_price), random)
        price, chance = item.unit_price, random.random()
        scale = self.settings.rarities_scale if may_be_rare else 0.0
        if chance < shape.SUB_PENNY_SHARE * scale:
            price = Decimal("0.001")
        elif chance < (shape.SUB_PENNY_SHARE + shape.ZERO_PRICE_SHARE) * scale:
            price = Decimal(0)
        return GeneratedLine(
            sku=item.sku,
            description=item.description,
            quantity=min(quantity, self.settings.quantity_max),
            unit_price=price,
        )


def _in_packs(quantity: float, random: Random) -> int:
    """Whole pieces, by the half dozen from nine on: rounded up or down at random, so that the value stays right on average."""
    pack = 1 if quantity < 9 else 6 if quantity < 60 else 12
    packs, rest = divmod(quantity, pack)
    return max(1, round(packs + (random.random() < rest / pack)) * pack)
