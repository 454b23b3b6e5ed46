"""What cannot be spread over more partitions: items that many orders change. An item takes 1,000 write units a second (`quotas.py`).

The counter of an invoice series is changed by each invoice, in a transaction: two units each, so 500 invoices a second at the very most.
Numbers are given one after the other, so that none is left out: a transaction's own duration bounds it sooner.
"""

import math
from typing import Final

from workers.planning import quotas
from workers.planning.counted import Order
from workers.planning.demand import Demand
from workers.planning.shapes import HotItem

UNITS_OF_A_TRANSACTION: Final = 2
DUE_LISTS: Final = 16
"""`projections/views/deadlines.py`: the lists that what is due is spread over."""
TOTAL_ROWS: Final = 8
"""`projections/view_store/items.py`, SLOTS: the rows of one day's totals in one currency."""
DOCUMENTS_A_TRANSACTION: Final = 25
"""`projections/view_store/transactions.py`, DOCUMENTS_MAX: so many documents add to a row at once, when so many are there."""
TOTALS_AN_ORDER: Final = 2
"""Documents of daily sales that move totals in the life of a completed order: as created, and as paid for."""


def hot_items(demand: Demand, order: Order) -> tuple[HotItem, ...]:
    """Each kind of them, at the highest second."""
    item = quotas.PARTITION_WRITES.value / UNITS_OF_A_TRANSACTION
    series = min(item, 1000 / demand.transaction_ms)
    totals = demand.peak * TOTALS_AN_ORDER / (DOCUMENTS_A_TRANSACTION if demand.together else 1)
    return (
        _item(
            "invoice series",
            demand.peak,
            series,
            "invoices/s",
            have=1,
            what_to_do="a series each for parts of the business (ORDERSTORE_INVOICE_SERIES of separate billing services)",
        ),
        _item(
            "lists of what is due",
            demand.peak * order.requests.due_lists,
            quotas.PARTITION_WRITES.value,
            "write units/s",
            have=DUE_LISTS,
            what_to_do="spread them over more lists (a new generation of the view deadlines)",
        ),
        _item(
            "rows of a day's totals",
            totals,
            item,
            "transactions/s",
            have=TOTAL_ROWS,
            what_to_do="more rows (SLOTS in projections/view_store/items.py; it may be raised)",
        ),
        _item(
            "one article in every order",
            demand.peak,
            item,
            "reservations/s",
            have=1,
            what_to_do="only if one article is in so many orders: split its stock over several SKUs",
        ),
    )


def _item(name: str, asked: float, one_takes: float, unit: str, *, have: int, what_to_do: str) -> HotItem:
    needed = max(1, math.ceil(asked / one_takes))
    return HotItem(
        name=name, asked=asked, one_takes=one_takes, unit=unit, needed=needed, have=have, what_to_do=what_to_do
    )
