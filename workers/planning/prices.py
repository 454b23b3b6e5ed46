"""The table of prices: what a quantity costs, and where each price was read.

PricesError   the table is not as it should be
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

TABLE: Final = Path(__file__).parent / "prices.json"


class PricesError(ValueError):
    """A price that is missing, or cannot be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """`dollars` for `per` of a unit. `free`: so many a month cost nothing. `tiers`: (from so many a month on, dollars for `per`)."""

    name: str
    dollars: float
    per: int
    unit: str
    free: float
    page: str
    as_of: str
    read_in: str
    tiers: tuple[tuple[float, float], ...]

    def of(self, quantity: float) -> float:
        """What so many cost, nothing free."""
        return quantity * self.dollars / self.per

    def a_month(self, quantity: float) -> float:
        """What so many in one month cost, the free ones and the tiers taken into account."""
        left = max(0.0, quantity - self.free)
        ends = [start for start, _ in self.tiers[1:]] + [float("inf")]
        return sum(
            max(0.0, min(left, end) - start) * dollars / self.per
            for (start, dollars), end in zip(self.tiers, ends, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices(Mapping[str, Price]):
    """Every price, of one region and day."""

    region: str
    collected: str
    left_out: tuple[str, ...]
    table: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        return self.table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)


@cache
def prices() -> Prices:
    """The table beside this module. Raises PricesError."""
    document = json.loads(TABLE.read_text(encoding="utf-8"))
    table = {name: _price(name, entry) for name, entry in document["prices"].items()}
    return Prices(
        region=document["region"],
        collected=document["collected"],
        left_out=tuple(document["left_out"]),
        table=table,
    )


def _price(name: str, entry: Mapping[str, Any]) -> Price:
    tiers = tuple((float(start), float(dollars)) for start, dollars in entry.get("tiers", [[0, entry["dollars"]]]))
    price = Price(
        name=name,
        dollars=float(entry["dollars"]),
        per=int(entry["per"]),
        unit=entry["unit"],
        free=float(entry["free"]),
        page=entry["page"],
        as_of=entry["as_of"],
        read_in=entry["read_in"],
        tiers=tiers,
    )
    starts = [start for start, _ in tiers]
    if price.dollars <= 0 or price.per <= 0 or price.free < 0 or starts[0] != 0 or starts != sorted(starts):
        raise PricesError(f"{name}: no price")
    if not price.page.startswith("https://aws.amazon.com/") or not price.as_of or not price.read_in:
        raise PricesError(f"{name}: a price needs AWS's page, a date and where it was read")
    return price
