"""The matching of `matching.py`, carried out over the temporary index: offers are used up, takes and instructions written down."""

import sqlite3
from collections import defaultdict
from decimal import Decimal

from workers.intake.online_retail.matching import Offer, Take, choose, why_unmatched
from workers.intake.online_retail.model import Line, Reject, RejectReason
from workers.intake.online_retail.schema import OFFERS, add_reject

# A sale in the same minute counts as earlier only when the file names it first.
_OFFERS_FOR = """
SELECT sale, line_index, remaining FROM offer
WHERE customer = :customer AND sku = :sku AND unit_price = :price AND remaining > 0
  AND (placed_at < :at OR (placed_at = :at AND sale < :cancellation))
ORDER BY placed_at DESC, sale DESC, line_index
"""
_NEAREST_MISS = """
SELECT max(unit_price = :price) FROM offer
WHERE customer = :customer AND sku = :sku AND (placed_at < :at OR (placed_at = :at AND sale < :cancellation))
"""
_USE_UP = """
UPDATE offer SET remaining = remaining - :quantity
WHERE customer = :customer AND sku = :sku AND unit_price = :price AND sale = :sale AND line_index = :line_index
"""
_WRITE_DOWN = """
INSERT INTO take VALUES (:sale, :step, :line_index, :cancellation, :sku, :price, :quantity)
ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity
"""
_INSTRUCT = """
INSERT INTO instruction
SELECT id, :step, :cancellation, units = :taken  -- all of it at once: then nothing was taken back before, for no unit goes twice
FROM invoice WHERE id = :sale
"""


def match_all(index: sqlite3.Connection) -> int:
    """Match the cancellations in the order in which they were made; return how many of their lines found a sale."""
    index.execute(OFFERS)
    made = index.execute(
        "SELECT id, number, customer, placed_at FROM invoice WHERE kind = 'cancellation' ORDER BY placed_at, id"
    )
    return sum(_Cancelling(index, step, row).match() for step, row in enumerate(made))


class _Cancelling:
    """One cancellation on its way through its lines."""

    def __init__(self, index: sqlite3.Connection, step: int, row: tuple[int, str, str | None, int]) -> None:
        self._index = index
        self._step = step
        self._cancellation, self._number, self._customer, self._placed_at = row
        self._units: defaultdict[int, int] = defaultdict(int)  # sale -> units that this cancellation takes back

    def match(self) -> int:
        matched = 0
        lines = self._index.execute(
            "SELECT line_number, sku, quantity, unit_price FROM line WHERE invoice = ? ORDER BY line_number",
            (self._cancellation,),
        )
        for line_number, sku, quantity, price in lines:
            line = Line(line_number=line_number, sku=sku, description="", quantity=quantity, unit_price=Decimal(price))
            takes = () if self._customer is None else choose(self._offers(line), -quantity)
            for take in takes:
                self._take(line, take)
            if takes:
                matched += 1
            else:
                add_reject(self._index, Reject(self._number, line_number, *self._why(line)))
        self._instruct()
        return matched

    def _key(self, line: Line) -> dict[str, object]:
        return {
            "customer": self._customer,
            "sku": line.sku,
            "price": str(line.unit_price),
            "at": self._placed_at,
            "cancellation": self._cancellation,
        }

    def _offers(self, line: Line) -> list[Offer]:
        return [Offer(*row) for row in self._index.execute(_OFFERS_FOR, self._key(line))]

    def _take(self, line: Line, take: Take) -> None:
        self._units[take.sale] += take.quantity
        values = {"sale": take.sale, "line_index": take.line_index, "quantity": take.quantity, "step": self._step}
        self._index.execute(_USE_UP, self._key(line) | values)
        self._index.execute(_WRITE_DOWN, self._key(line) | values)

    def _instruct(self) -> None:
        for sale, taken in self._units.items():
            values = {"sale": sale, "taken": taken, "step": self._step, "cancellation": self._cancellation}
            self._index.execute(_INSTRUCT, values)

    def _why(self, line: Line) -> tuple[RejectReason, str]:
        if self._customer is None:
            return RejectReason.GUEST, "a guest's sale cannot be found again"
        found = self._index.execute(_NEAREST_MISS, self._key(line)).fetchone()[0]
        return why_unmatched(line, bought_before=found is not None, same_price_before=bool(found))
