"""What stands around stock beside the worker, put together: its comparison with the orders, and the books that are closed each day."""

from functools import partial

from workers.core import Core, now_ms
from workers.departments import stock_of, stock_table
from workers.metrics.stock import StockMetrics
from workers.reconciliation.daily import DoneDays
from workers.reconciliation.stock import LOOK_AGAIN_S, StockReconciliation
from workers.reconciliation.stock_daily import DailyStock
from workers.reconciliation.stock_orders import note_finding, order_wants


def stock_reconciliation(core: Core, *, look_again_s: float = LOOK_AGAIN_S) -> StockReconciliation:
    """What compares the levels with the reservations, and both with the orders."""
    return StockReconciliation(stock_table(core), partial(order_wants, core.orders), look_again_s=look_again_s)


def daily_stock(core: Core) -> DailyStock:
    """The same, each day by itself, and the closing of the books."""
    table = stock_table(core)
    return DailyStock(
        table,
        stock_of(core),
        stock_reconciliation(core),
        DoneDays(table, now_ms=now_ms, key="key"),
        note=partial(note_finding, core.orders),
        now_ms=now_ms,
        random=core.random,
        observer=StockMetrics(core.metrics),
    )
