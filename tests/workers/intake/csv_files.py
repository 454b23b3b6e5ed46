"""Tiny hand-made files in the data set's form."""

import csv
import gzip
import io
from pathlib import Path

import pytest

HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
WHOLE_FILE = Path(__file__).parents[4] / "shared" / "data" / "online_retail" / "online_retail.csv.gz"

needs_whole_file = pytest.mark.skipif(not WHOLE_FILE.exists(), reason=f"the data set is not at {WHOLE_FILE}")


def row(
    invoice: str,
    sku: str = "85123A",
    quantity: int | str = 6,
    price: str = "2.55",
    *,
    at: str = "2010-12-01 08:26:00",
    customer: str = "17850.0",
    country: str = "United Kingdom",
    description: str = "WHITE HANGING HEART T-LIGHT HOLDER",
) -> tuple[str, ...]:
    """One line of a file."""
    return invoice, sku, description, str(quantity), at, price, customer, country


def csv_bytes(*rows: tuple[str, ...], header: tuple[str, ...] = HEADER) -> bytes:
    """A whole file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def write_csv(folder: Path, *rows: tuple[str, ...]) -> Path:
    """A plain file in `folder`."""
    path = folder / "orders.csv"
    path.write_bytes(csv_bytes(*rows))
    return path


def write_gzip(folder: Path, *rows: tuple[str, ...]) -> Path:
    """A gzipped file in `folder`."""
    path = folder / "orders.csv.gz"
    path.write_bytes(gzip.compress(csv_bytes(*rows)))
    return path
