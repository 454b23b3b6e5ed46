"""From which location each piece of an order is taken. A strategy is a pure function: the same levels give the same plan.

Pieces that the locations do not have together are missing, whatever the strategy; never is more taken than there is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal, get_args

from workers.inventory.locations import Locations
from workers.inventory.stock import Goods, GoodsAt

StrategyName = Literal["fewest_parcels", "nearest_first"]
STRATEGIES: Final[tuple[StrategyName, ...]] = get_args(StrategyName)

EXACT_LOCATIONS_MAX: Final = 8
"""Of more locations that have any of the goods not every combination is looked at: 2^8 are 256 of them, 2^20 a million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to take where; locations that nothing is taken from are not named."""

    held: GoodsAt
    missing: Goods


Strategy = Callable[[Goods, GoodsAt, str | None], Plan]
"""The pieces that are wanted, those available at each location, and the country that they go to."""


def strategy_of(name: StrategyName, locations: Locations) -> Strategy:
    """The strategy of that name, for these locations."""
    return fewest_parcels(locations) if name == "fewest_parcels" else nearest_first(locations)


def nearest_first(locations: Locations) -> Strategy:
    """Each article from the nearest location that has any of it, and what it lacks from the next: short ways, maybe many parcels."""

    def plan(wanted: Goods, available: GoodsAt, destination: str | None) -> Plan:
        return _taken(wanted, available, locations.nearest_first(destination))

    return plan


def fewest_parcels(locations: Locations) -> Strategy:
    """From as few locations as can give all that there is; of as few, the nearest.

    Exact where up to `EXACT_LOCATIONS_MAX` locations have any of the goods; of more, one after another that gives most, and none that
    turns out not to be needed.
    """

    def plan(wanted: Goods, available: GoodsAt, destination: str | None) -> Plan:
        near = locations.nearest_first(destination)
        useful = [name for name in near if any(_there(available, name, sku) for sku in wanted)]
        return _taken(wanted, available, _fewest(wanted, available, useful), whole=True)

    return plan


def _fewest(wanted: Goods, available: GoodsAt, useful: Sequence[str]) -> Sequence[str]:
    all_there_is = _covered(wanted, available, useful)
    if all_there_is == _covered(wanted, available, useful[:1]):
        return useful[:1]
    if len(useful) > EXACT_LOCATIONS_MAX:
        return _few(wanted, available, useful, all_there_is)
    for size in range(1, len(useful)):
        for chosen in combinations(useful, size):
            if _covered(wanted, available, chosen) == all_there_is:
                return chosen
    return useful


def _few(wanted: Goods, available: GoodsAt, useful: Sequence[str], all_there_is: int) -> Sequence[str]:
    chosen: list[str] = []
    while _covered(wanted, available, chosen) < all_there_is:
        rest = [name for name in useful if name not in chosen]
        chosen.append(max(rest, key=lambda name: _covered(wanted, available, [*chosen, name])))
    for name in tuple(chosen):
        others = [other for other in chosen if other != name]
        if _covered(wanted, available, others) == all_there_is:
            chosen = others
    return [name for name in useful if name in chosen]


def _covered(wanted: Goods, available: GoodsAt, names: Iterable[str]) -> int:
    """How many of the wanted pieces these locations have together."""
    names = tuple(names)
    return sum(min(pieces, sum(_there(available, name, sku) for name in names)) for sku, pieces in wanted.items())


def _taken(wanted: Goods, available: GoodsAt, names: Sequence[str], *, whole: bool = False) -> Plan:
    """From these locations in their order; `whole`: first from one that has all pieces of the article, so that fewer lines are split."""
    held: dict[str, dict[str, int]] = {}
    missing: dict[str, int] = {}
    for sku, pieces in wanted.items():
        left = pieces
        for name in _order(available, sku, pieces, names) if whole else names:
            taken = min(left, _there(available, name, sku))
            if taken:
                held.setdefault(name, {})[sku] = taken
                left -= taken
        if left:
            missing[sku] = left
    return Plan(held=held, missing=missing)


def _order(available: GoodsAt, sku: str, pieces: int, names: Sequence[str]) -> Sequence[str]:
    alone = next((name for name in names if _there(available, name, sku) >= pieces), None)
    return names if alone is None else (alone,)


def _there(available: GoodsAt, name: str, sku: str) -> int:
    there: Mapping[str, int] = available.get(name, {})
    return max(0, there.get(sku, 0))
