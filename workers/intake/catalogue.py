"""An invented catalogue with the shape of the real one: 3,921 SKUs, some that differ only by case, and one fee."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from random import Random

from workers.intake.shape import PRICE, SKUS

_COLOURS = ("RED", "BLUE", "IVORY", "PINK", "GREEN", "SILVER", "VINTAGE", "RETROSPOT")
_MATERIALS = ("METAL", "GLASS", "PAPER", "CERAMIC", "WOODEN", "COTTON", "ENAMEL")
_THINGS = (
    "LANTERN",
    "T-LIGHT HOLDER",
    "LUNCH BAG",
    "CAKE STAND",
    "MUG",
    "DOORMAT",
    "BUNTING",
    "TEA SET",
    "STORAGE TIN",
    "CLOCK, 24 CM",
)
_CASE_TWIN_EVERY = 97


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueItem:
    """What is sold under a SKU, and its usual price per piece."""

    sku: str
    description: str
    unit_price: Decimal


POSTAGE = CatalogueItem(sku="POST", description="POSTAGE", unit_price=Decimal("18.00"))


@cache
def build_catalogue() -> tuple[CatalogueItem, ...]:
    """The goods by falling popularity: the same for every seed, so that stock can be set up once."""
    return tuple(_item(rank) for rank in range(SKUS))


def _item(rank: int) -> CatalogueItem:
    random = Random(f"catalogue:{rank}")  # noqa: S311 - invented goods need no secrecy
    description = f"{random.choice(_COLOURS)} {random.choice(_MATERIALS)} {random.choice(_THINGS)}"
    pennies = round(PRICE.draw(random) * 100)
    return CatalogueItem(
        sku=_sku(rank, random), description=description, unit_price=Decimal(max(1, pennies)).scaleb(-2)
    )


def _sku(rank: int, random: Random) -> str:
    place = rank % _CASE_TWIN_EVERY
    if place == _CASE_TWIN_EVERY - 1:
        return f"{_number(rank - 1)}l"
    if place == _CASE_TWIN_EVERY - 2:
        return f"{_number(rank)}L"
    return f"{_number(rank)}{random.choice('ABCDE') if random.random() < 0.3 else ''}"


def _number(rank: int) -> int:
    return 10_001 + 17 * rank
