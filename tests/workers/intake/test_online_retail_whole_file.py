"""The real file, all of it: the counts of its README, to the last digit, in flat memory. # C16"""

import csv
import gzip
import hashlib
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from tests.workers.intake.csv_files import WHOLE_FILE, needs_whole_file
from workers.intake.online_retail.model import CancelOrder, RefundLines, RejectReason

pytestmark = [needs_whole_file, pytest.mark.real_data]
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read from /proc, which only Linux has"
)

_MEASURE = """
import hashlib, re, sys
from pathlib import Path
from workers.intake.online_retail.staging import stage
with stage(Path(sys.argv[1])) as staged:
    for invoice in staged.invoices():
        pass
    digest = hashlib.sha256()
    for one in staged.instructions():
        digest.update(repr(one).encode())
    for one in staged.rejects():
        digest.update(repr(one).encode())
print(digest.hexdigest())
status = Path("/proc/self/status")
print(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1] if status.exists() else 0)
"""


def measured(path):
    """A process of its own reads the file: what came of it, and its peak memory in KiB."""
    run = subprocess.run([sys.executable, "-c", _MEASURE, str(path)], check=True, capture_output=True, text=True)
    digest, kib = run.stdout.split()
    return digest, int(kib)


@pytest.fixture(scope="module")
def staged(staged_year):
    return staged_year


@pytest.fixture(scope="module")
def sold(staged):
    """Of every sale its total and the quantities of its lines."""
    return {sale.invoice: (sale.total, [line.quantity for line in sale.lines]) for sale in staged.sales()}


@pytest.fixture(scope="module")
def read_again():
    return measured(WHOLE_FILE)


def test_the_totals_are_those_of_the_readme(staged):
    """Every kind of invoice is counted as the data's own README counts it."""
    totals = staged.totals
    assert (totals.sales, totals.sale_lines) == (19_959, 530_503)
    assert (totals.cancellations, totals.cancellation_lines) == (3_836, 9_288)
    assert (totals.write_offs, totals.zero_value, totals.adjustments) == (1_336, 766, 3)
    assert (totals.rejected_rows, totals.rejected_invoices) == (0, 0)
    assert str(totals.net_total) == "9747747.934"
    assert str(totals.sales_total) == "10655622.484"


def test_the_sales_add_up_to_a_sum_made_straight_from_the_file(sold):
    """A second reader, with none of our code, finds the same sales and the same money."""
    with gzip.open(WHOLE_FILE, "rt", encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        next(rows)
        sums: Counter[str] = Counter()
        negative = set()
        for number, _, _, quantity, _, price, _, _ in rows:
            sums[number] += int(quantity) * Decimal(price)
            if int(quantity) < 0:
                negative.add(number)
    expected = {
        number: total for number, total in sums.items() if number.isdigit() and total > 0 and number not in negative
    }
    assert {invoice: total for invoice, (total, _) in sold.items()} == expected


def test_every_cancellation_line_is_either_matched_or_rejected_with_a_reason(staged, sold):
    """9,288 lines in, 9,288 accounted for; most find their sale, and no sale gives back more than it had."""
    assert staged.totals.matched_cancellation_lines == 7_183
    assert Counter(reject.reason for reject in staged.rejects()) == {
        RejectReason.ADJUSTMENT: 3,
        RejectReason.FEE_OR_DISCOUNT_LINE: 304,
        RejectReason.GUEST: 383,
        RejectReason.NO_SUCH_SALE: 1_031,
        RejectReason.PRICE_DIFFERS: 311,
        RejectReason.QUANTITY_EXCEEDS_SALE: 76,
        RejectReason.WRITE_OFF: 1_336,
        RejectReason.ZERO_VALUE: 779,
    }
    assert staged.totals.cancellation_lines == 7_183 + 304 + 383 + 1_031 + 311 + 76
    kinds = Counter(type(one) for one in staged.instructions())
    assert kinds == {CancelOrder: 131, RefundLines: 3_525}
    taken: Counter[tuple[str, int]] = Counter()
    for one in staged.instructions():
        if isinstance(one, RefundLines):
            for line in one.lines:
                taken[one.sale, line.line_index] += line.quantity
    touched = {sale for sale, _ in taken}
    cancelled = [one.sale for one in staged.instructions() if isinstance(one, CancelOrder)]
    assert len(cancelled) == len(set(cancelled))
    assert not touched & set(cancelled)
    for invoice, (_, quantities) in sold.items():
        assert all(taken[invoice, index] <= quantity for index, quantity in enumerate(quantities)), invoice


def test_the_largest_order_is_cancelled_by_the_invoice_that_did_it(staged):
    """581483, 168,469.60 pounds, was taken back whole twelve minutes later by C581484."""
    assert [(type(one), one.cancellation) for one in staged.instructions() if one.sale == "581483"] == [
        (CancelOrder, "C581484")
    ]


def test_the_longest_order_is_whole(sold):
    """573585 has 1,114 lines."""
    assert len(sold["573585"][1]) == max(len(quantities) for _, quantities in sold.values()) == 1_114


def test_two_readings_give_the_same_instructions_and_rejects(staged, read_again):
    """Nothing depends on hashing, time or chance: the second reading is another process'."""
    digest = hashlib.sha256()
    for one in (*staged.instructions(), *staged.rejects()):
        digest.update(repr(one).encode())

    assert read_again[0] == digest.hexdigest()


@needs_proc
def test_memory_does_not_grow_with_the_file(tmp_path, read_again):
    """Staging all 541,909 lines needs at most 20 MB more than staging the first 5,000."""
    with gzip.open(WHOLE_FILE, "rb") as lines, (tmp_path / "small.csv").open("wb") as small:
        small.writelines(next(lines) for _ in range(5_000))
    (_, small_kib), (_, whole_kib) = measured(tmp_path / "small.csv"), read_again
    assert whole_kib < small_kib + 20_000, f"peak {small_kib} KiB for 5,000 lines, {whole_kib} KiB for the whole file"
