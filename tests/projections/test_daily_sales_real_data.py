"""The real year: what the view makes of orders that the import's own door placed, against sums straight from the rows of the file."""

import csv
import gzip
from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal

import pytest

from orderstore.orders import Orders
from orderstore.store.memory import MemoryEventStore
from orderstore.transact import Transactor
from projections.comparing.compare import compare
from projections.projecting.projector import ViewProjector
from projections.view_store.memory import MemoryViewStore
from tests.ordering import PlainVault
from tests.projections.bringing_up import bring_up_all
from tests.projections.sales import TARGET, stored_totals
from tests.virtual_time import run_virtual
from tests.workers.intake.csv_files import WHOLE_FILE, needs_whole_file
from workers.import_door import OrdersDoor
from workers.intake.door import sale_key
from workers.intake.online_retail.feed import StagedFile

SALES = 600
"""Of 19,959; from all over the year, and the largest among them."""


@pytest.mark.real_data
@needs_whole_file
def test_daily_totals_of_the_real_year_are_the_sums_of_its_rows(staged_year: StagedFile) -> None:
    """Placed orders and their gross, by the day of the invoice: to the penny, by a reader that shares no code with the import."""

    async def scenario() -> None:
        year = enumerate(staged_year.sales())
        sales = [sale for number, sale in year if number % 33 == 0 or sale.invoice == "581483"]
        assert len(sales) > SALES
        store, views = MemoryEventStore(), MemoryViewStore()
        orders = Orders(
            Transactor(store, now_ms=lambda: 1_780_000_000_000),
            tenant="main",
            vault=PlainVault(),
            hooks_allowed=False,
            now_ms=lambda: 1_780_000_000_000,
        )
        door = OrdersDoor(orders, tenant="main")
        for sale in sales:
            await door.place(sale, key=sale_key(sale.invoice))

        await bring_up_all(ViewProjector(store, views, [TARGET]))

        totals = await stored_totals(views)
        # What orders got on by is counted by the day alone: they all came on the one that the clock says.
        assert {bucket: sums for bucket, sums in totals.items() if "/" in bucket} == straight_from_the_rows(
            {sale.invoice for sale in sales}
        )
        assert (await compare(store, views, [TARGET])).equal

    run_virtual(scenario)


def straight_from_the_rows(invoices: set[str]) -> dict[str, dict[str, int]]:
    """Each invoice's rows added up exactly and rounded once, then counted on its day."""
    totals: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    with gzip.open(WHOLE_FILE, "rt", encoding="utf-8", newline="") as lines:
        for number, _, _, quantity, at, price, _, _ in csv.reader(lines):
            if number in invoices:
                totals[at[:10], number] += int(quantity) * Decimal(price)
    days: dict[str, dict[str, int]] = {}
    for (day, _), total in totals.items():
        amounts = days.setdefault(f"{day}/GBP", {"placed_count": 0, "placed_minor": 0})
        amounts["placed_count"] += 1
        amounts["placed_minor"] += int((total * 100).to_integral_value(rounding=ROUND_HALF_EVEN))
    return days
