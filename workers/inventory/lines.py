"""Stock counts goods by SKU, an order's events count pieces by line, and the same SKU may stand on several lines: what is one in terms of
the other. Lines are given what there is in their order, so the last of them are those that lack something. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from orderstore.domain.events import Allocation, OrderCreated, Pieces
from orderstore.domain.evolving_stock import pieces_of
from workers.inventory.stock import MAIN, Goods, GoodsAt

Counts = Mapping[int, int]
"""Pieces by line."""


def quantities_of(order: OrderCreated) -> dict[str, int]:
    """All that was ordered, by SKU."""
    quantities: Counter[str] = Counter()
    for line in order.lines:
        quantities[line.sku] += line.quantity
    return dict(quantities)


def goods_of(order: OrderCreated, pieces: Iterable[Pieces]) -> dict[str, int]:
    """These pieces, by SKU."""
    goods: Counter[str] = Counter()
    for part in pieces:
        goods[order.lines[part.line].sku] += part.quantity
    return dict(goods)


class Room:
    """Lines that wait for pieces. What one of them was given, it waits for no longer."""

    def __init__(self, order: OrderCreated, waiting: Counts) -> None:
        self._left = Counter({line: count for line, count in waiting.items() if count > 0})
        self._lines: dict[str, list[int]] = {}
        for line in sorted(self._left):
            self._lines.setdefault(order.lines[line].sku, []).append(line)

    @classmethod
    def whole(cls, order: OrderCreated) -> "Room":
        """Every line, and nothing was given to any."""
        return cls(order, {at: line.quantity for at, line in enumerate(order.lines)})

    @property
    def left(self) -> tuple[Pieces, ...]:
        """What the lines still wait for."""
        return pieces_of(self._left)

    def waits_for(self, skus: Iterable[str]) -> dict[str, int]:
        """How many pieces of these they still wait for."""
        waiting = {sku: sum(self._left[line] for line in self._lines.get(sku, ())) for sku in skus}
        return {sku: count for sku, count in waiting.items() if count}

    def give(self, goods: Goods) -> Counter[int]:
        """Pieces by line. Raises ValueError: nobody waits for so many."""
        given: Counter[int] = Counter()
        for sku, count in goods.items():
            for line in self._lines.get(sku, ()):
                pieces = min(count, self._left[line])
                given[line] += pieces
                self._left[line] -= pieces
                count -= pieces  # noqa: PLW2901 - what is left of it
            if count:
                raise ValueError(f"{count} pieces of {sku} more than any line waits for")
        return given

    def give_at(self, held: GoodsAt, untracked: Goods) -> tuple[Allocation, ...]:
        """The same at each location; what needs no stock goes with the first of them. Raises ValueError."""
        found = {location: self.give(held[location]) for location in sorted(held) if held[location]}
        if untracked:
            found.setdefault(next(iter(found), MAIN), Counter()).update(self.give(untracked))
        return tuple(Allocation(location=location, lines=pieces_of(pieces)) for location, pieces in found.items())
