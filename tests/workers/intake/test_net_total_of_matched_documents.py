"""The real year's books: what was sold less what was given back, as the file has it, is invoices less credit notes, as the log has them."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

import pytest

from orderstore.codec import decode
from orderstore.domain.events import CreditNoteIssued, InvoiceIssued
from orderstore.domain.money import exact_sum, round_to_minor
from orderstore.store.port import Commit
from tests.benchmarks.real_orders import histories_of
from tests.virtual_time import run_virtual
from tests.workers.intake.csv_files import needs_whole_file
from workers.intake.online_retail.feed import StagedFile
from workers.intake.online_retail.model import CancelOrder, Instruction, Sale

pytestmark = [needs_whole_file, pytest.mark.real_data, pytest.mark.thorough]


def matched(staged: StagedFile, every: int) -> list[tuple[Sale, list[Instruction]]]:
    """Sales that a `C…` invoice takes something of back, and what it takes."""
    taken: dict[str, list[Instruction]] = defaultdict(list)
    for instruction in staged.instructions():
        taken[instruction.sale].append(instruction)
    return [(sale, taken[sale.invoice]) for sale in staged.sales() if sale.invoice in taken][::every]


def net_minor(sale: Sale, instructions: list[Instruction]) -> int:
    """What the file leaves of the sale: its rows, less the rows of the `C…` invoices that are matched with it."""
    exact = exact_sum([(line.quantity, line.unit_price) for line in sale.lines])
    if any(isinstance(instruction, CancelOrder) for instruction in instructions):
        return 0
    back = [
        line for instruction in instructions if not isinstance(instruction, CancelOrder) for line in instruction.lines
    ]
    return round_to_minor(exact - exact_sum([(line.quantity, line.unit_price) for line in back]), "GBP")


def booked_minor(commits: Iterable[Commit]) -> tuple[int, int]:
    """What an order's log invoices, and what it credits."""
    invoiced = credited = 0
    for commit in commits:
        for recorded in decode(commit):
            match recorded.event:
                case InvoiceIssued(total_minor=total):
                    invoiced += total
                case CreditNoteIssued(total_minor=total):
                    credited += total
                case _:
                    continue
    return invoiced, credited


@pytest.mark.parametrize("every", [60, pytest.param(1, marks=pytest.mark.long)])
def test_invoices_less_credit_notes_are_the_net_total_of_the_matched_documents(
    staged_year: StagedFile, every: int
) -> None:
    """Order by order and altogether, to the penny; every order that lost a part has a credit note for it."""  # C16

    async def scenario() -> None:
        sales = matched(staged_year, every)
        histories = await histories_of(sales)
        assert len(histories) == len(sales)

        off: dict[str, Decimal] = {}
        total = expected_total = notes = 0
        for (sale, instructions), commits in zip(sales, histories, strict=True):
            invoiced, credited = booked_minor(commits)
            total += invoiced - credited
            notes += credited > 0
            expected = net_minor(sale, instructions)
            expected_total += expected
            if invoiced - credited != expected:
                off[sale.invoice] = Decimal(invoiced - credited - expected) / 100
        assert off == {}
        assert total == expected_total > 0
        assert notes > len(sales) // 2

    run_virtual(scenario)
