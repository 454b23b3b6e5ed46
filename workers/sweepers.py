"""The sweeper's role, put together: what sees to deadlines, what has orders looked at that wait for goods, and what holds views and
invoices to the log once a day."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Final
from zlib import crc32

from orderstore.domain.ids import order_of
from orderstore.invoicing.verify import verify
from projections.answers.current_generations import CurrentGenerations
from projections.answers.due_orders import VIEWS as LISTED
from projections.answers.due_orders import DueOrders, ListedPage
from projections.comparing.compare import Report, compare_orders
from projections.projecting.targets import current_targets
from projections.view_store import ViewStoreError
from projections.views import VIEWS
from workers.core import Core, now_ms
from workers.departments import stock_of
from workers.hinting import QueueHints
from workers.metrics.sweeping import SweepMetrics, WholeMetrics
from workers.reconciliation.daily import DoneDays
from workers.reconciliation.stock_of_orders import StockOfOrders
from workers.reconciliation.whole import Discrepancy, Look, WholeReconciliation
from workers.reconciliation.whole_daily import DailyWhole
from workers.service import Cancellable, Part
from workers.sweeping.order_sweep import OrderSweep
from workers.sweeping.ports import DueOrder, DuePage, ListsUnavailable
from workers.sweeping.rechecking import STOCK, Rechecking
from workers.sweeping.sweeper import Sweeper
from workers.tables.dynamo import DynamoTable

BILLING_GRACE_S: Final = 3_600.0
"""How long billing may take before a missing invoice is one."""
SUBJECT_MAX: Final = 200
SHARES: Final = 10_000


def sweeper_parts(core: Core) -> list[Part]:
    """What the role runs."""
    lists, sweep, observer = due_lists(core), order_sweep(core), SweepMetrics(core.metrics)
    sweeper = Sweeper(lists, sweep, now_ms=now_ms, random=core.random, observer=observer)
    rechecking = Rechecking(lists, core.orders, sweep, random=core.random, observer=observer)
    return [
        Cancellable("due watch", sweeper.run),
        Cancellable("backorder watch", rechecking.run),
        Cancellable("daily whole reconciliation", daily_whole(core).run),
    ]


def order_sweep(core: Core) -> OrderSweep:
    """What sees to one order, and wakes its departments."""
    hints = QueueHints(core.clients.sqs, core.settings.queue)
    return OrderSweep(core.orders, hints, now_ms=now_ms, observer=SweepMetrics(core.metrics))


def due_lists(core: Core) -> "ViewLists":
    """The lists of the views, as the sweeper reads them."""
    generations = CurrentGenerations(core.views, LISTED)
    return ViewLists(DueOrders(core.views, tenant=core.settings.tenant, generations=generations))


class ViewLists:
    """Implements `workers.sweeping.ports.DueLists` and `WaitingForGoods` over the views."""

    def __init__(self, due_orders: DueOrders) -> None:
        self._due_orders = due_orders
        self.shards = due_orders.shards

    async def due(self, shard: int, *, now_ms: int, limit: int, after: str | None) -> DuePage:
        """See `DueLists.due`."""
        try:
            return _page(await self._due_orders.due(shard, now_ms=now_ms, limit=limit, after=after))
        except ViewStoreError as error:
            raise ListsUnavailable(str(error)) from error

    async def waiting(self, *, limit: int, after: str | None) -> DuePage:
        """See `WaitingForGoods.waiting`."""
        try:
            return _page(await self._due_orders.waiting(limit=limit, after=after))
        except ViewStoreError as error:
            raise ListsUnavailable(str(error)) from error


def _page(found: ListedPage) -> DuePage:
    return DuePage([DueOrder(one.order_id, one.at_ms) for one in found.orders], found.next)


def daily_whole(core: Core) -> DailyWhole:
    """What holds views and invoices to the log, each day by itself."""
    table = DynamoTable(core.clients.dynamodb, core.settings.table("payments"), random=core.random)
    return DailyWhole(
        whole_reconciliation(core),
        DoneDays(table, now_ms=now_ms, job="reconciliation-of-all"),
        now_ms=now_ms,
        random=core.random,
        observer=WholeMetrics(core.metrics),
    )


def whole_reconciliation(core: Core) -> WholeReconciliation:
    """The same without a clock."""
    share = core.settings.reconcile_views_share
    looks: list[Look] = [partial(differing_views, core, share=share), partial(differing_stock, core, share=share)]
    if core.settings.reconcile_invoices:
        looks.append(partial(wrong_invoices, core))
    return WholeReconciliation(core.orders, *looks)


async def differing_views(core: Core, *, share: float) -> AsyncIterator[Discrepancy]:
    """Documents of views that are not what the log says, of this share of the orders: another one each day."""
    report = Report()
    targets = await current_targets(core.views, VIEWS)
    streams = sampled(core.store.streams(), share=share, day=_today())
    await compare_orders(core.store, core.views, targets, streams, report=report)
    for found in report.differences:
        if found.kind == "other_schema":
            continue  # it is folded anew when it is read, and by the rebuild
        yield Discrepancy(
            area="view",
            kind=found.kind,
            subject=found.view,
            order_id=_order_in(found.stream),
            ours=found.log_commit,
            theirs=found.commit,
        )


def differing_stock(core: Core, *, share: float) -> AsyncIterator[Discrepancy]:
    """Orders of which stock holds something else than the log says, of this share of them."""
    orders = StockOfOrders(
        orders=core.orders,
        holding=stock_of(core).holding,
        wake=partial(order_sweep(core).wake, departments=STOCK),
        now_ms=now_ms,
    )
    return orders.look(sampled(core.store.streams(), share=share, day=_today()))


async def sampled(streams: AsyncIterator[str], *, share: float, day: str) -> AsyncIterator[str]:
    """So many of the streams, by a hash of their names and the day: in a few weeks nearly every order has been looked at."""
    async for stream in streams:
        if crc32(f"{day}/{stream}".encode()) % SHARES < share * SHARES:
            yield stream


async def wrong_invoices(core: Core) -> AsyncIterator[Discrepancy]:
    """What `orderstore invoices verify` finds, without opening the stored documents."""
    report = await verify(core.store, now_ms=now_ms(), grace_s=BILLING_GRACE_S)
    for found in report.findings:
        yield Discrepancy(area="invoice", kind=found.kind, subject=found.about[:SUBJECT_MAX], order_id=found.where)


def _today() -> str:
    return datetime.fromtimestamp(now_ms() / 1_000, tz=UTC).date().isoformat()


def _order_in(stream: str) -> str | None:
    try:
        return order_of(stream)[1]
    except ValueError:
        return None
