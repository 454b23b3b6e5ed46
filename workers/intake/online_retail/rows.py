"""One physical line of the file becomes a `Row` or a `Reject`; the file is read as a stream, plain or gzipped.

A row is one physical line (the data set has no line breaks inside fields), so that an unclosed quote costs its own line and not the rest of
the file. Bad rows are values, never exceptions; only a file that is no Online Retail file, or breaks off, raises (see `model`).
"""

import csv
import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from workers.intake.online_retail.model import FileDamaged, NotOnlineRetail, Reject, RejectReason

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
LINE_BYTES_MAX = 16_384
SKU_CHARS_MAX = 64
DESCRIPTION_CHARS_MAX = 500
COUNTRY_CHARS_MAX = 60

_GZIP_MAGIC = b"\x1f\x8b"
_INVOICE = re.compile(r"[AC]?[0-9]{1,12}", re.ASCII)
_QUANTITY = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_PRICE = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)  # 15 digits: totals stay exact in 28
_CUSTOMER = re.compile(r"([0-9]{1,12})(\.0)?", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One good line.

    `local_time` is as written, in local UK time; `unit_price` has no trailing zeros, so that equal prices are equal text.
    """

    line_number: int
    invoice: str
    sku: str
    description: str
    quantity: int
    local_time: str
    unit_price: Decimal
    customer_id: str | None
    country: str


class RowReader:
    """Iterate over the rows of an open file; `bytes_read` of `bytes_total` (compressed bytes) tells how far it got."""

    def __init__(self, path: Path, raw: io.FileIO) -> None:
        """Look at the first bytes to tell gzip from plain text."""
        self._path = path
        self._raw = raw
        self.bytes_total = os.fstat(raw.fileno()).st_size
        magic = raw.read(len(_GZIP_MAGIC))
        raw.seek(0)
        # GzipFile has a small buffer of its own; a larger one around it would lose the good lines before a damaged place.
        self._stream: gzip.GzipFile | io.BufferedReader = (
            gzip.GzipFile(fileobj=raw) if magic == _GZIP_MAGIC else io.BufferedReader(raw)
        )

    @property
    def bytes_read(self) -> int:
        """How many bytes of the file as stored were read."""
        return min(self._raw.tell(), self.bytes_total)

    def __iter__(self) -> Iterator[Row | Reject]:
        """Yield every line after the header.

        Raises NotOnlineRetail (before the first row) and FileDamaged.
        """
        line_number = rows_read = 0
        try:
            self._check_header(self._stream.readline(LINE_BYTES_MAX))
            line_number = 1
            while line := self._stream.readline(LINE_BYTES_MAX):
                number, whole = line_number + 1, line.endswith(b"\n") or len(line) < LINE_BYTES_MAX
                if whole:
                    yield parse_line(number, line)
                else:
                    self._skip_to_line_end()
                    yield Reject(None, number, RejectReason.LINE_TOO_LONG, f"longer than {LINE_BYTES_MAX} bytes")
                line_number = number
                rows_read += whole
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            if line_number == 0:
                raise NotOnlineRetail(f"{self._path} cannot be unpacked as gzip: {error}") from error
            raise FileDamaged(
                str(self._path), rows_read=rows_read, line_number=line_number, cause=str(error)
            ) from error

    def _check_header(self, line: bytes) -> None:
        if not line:
            raise NotOnlineRetail(f"{self._path} is empty")
        expected = ",".join(COLUMNS)
        found = line.decode("utf-8-sig", errors="replace").strip()
        if found.replace('"', "") != expected:
            raise NotOnlineRetail(
                f"{self._path} is not an Online Retail CSV: its first line is {found[:120]!r}, not {expected!r}"
            )

    def _skip_to_line_end(self) -> None:
        while (rest := self._stream.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
            pass


@contextmanager
def open_rows(path: Path) -> Iterator[RowReader]:
    """Open a plain or gzipped file. Raises NotOnlineRetail if it cannot be opened."""
    try:
        raw = path.open("rb", buffering=0)
    except OSError as error:
        raise NotOnlineRetail(f"{path} cannot be opened: {error.strerror}") from error
    with raw:
        yield RowReader(path, raw)


def parse_line(line_number: int, line: bytes) -> Row | Reject:
    """Validate one physical line: every field bounded and of its form, nothing guessed."""
    try:
        fields = next(csv.reader([line.decode("utf-8").rstrip("\r\n")], strict=True), [])
    except UnicodeDecodeError as error:
        return Reject(None, line_number, RejectReason.NOT_UTF8, f"not UTF-8 at byte {error.start}")
    except csv.Error as error:
        return Reject(_invoice_of(line), line_number, RejectReason.BAD_CSV, str(error))
    if len(fields) != len(COLUMNS):
        return Reject(
            _invoice_of(line), line_number, RejectReason.BAD_CSV, f"{len(fields)} fields instead of {len(COLUMNS)}"
        )
    invoice, sku, description, quantity, local_time, price, customer, country = fields
    if not _INVOICE.fullmatch(invoice):
        return Reject(None, line_number, RejectReason.BAD_INVOICE, f"invoice number {invoice[:40]!r}")
    flaw = _flaw(fields)
    if flaw is not None:
        return Reject(invoice, line_number, *flaw)
    return Row(
        line_number=line_number,
        invoice=invoice,
        sku=sku,
        description=description,
        quantity=int(quantity),
        local_time=local_time,
        unit_price=plain(Decimal(price)),
        customer_id=customer.removesuffix(".0") or None,
        country=country,
    )


def plain(price: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent: 2.10 and 2.1 become one text, 100 stays 100."""
    return Decimal(f"{price.normalize():f}")


def local_to_utc(local_time: str, zone: ZoneInfo) -> datetime:
    """Local UK wall time to UTC. The repeated hour in autumn is taken as its first pass, for the file cannot tell."""
    return datetime.fromisoformat(local_time).replace(tzinfo=zone).astimezone(UTC)


def _flaw(fields: list[str]) -> tuple[RejectReason, str] | None:
    invoice, sku, description, quantity, local_time, price, customer, country = fields
    if not 0 < len(sku) <= SKU_CHARS_MAX or not sku.isprintable() or sku.isspace():
        return RejectReason.BAD_SKU, f"stock code {sku[:40]!r}"
    if len(description) > DESCRIPTION_CHARS_MAX:
        return RejectReason.BAD_DESCRIPTION, f"description of {len(description)} characters"
    if not _QUANTITY.fullmatch(quantity) or int(quantity) == 0:
        return RejectReason.BAD_QUANTITY, f"quantity {quantity[:40]!r}"
    if not _is_time(local_time):
        return RejectReason.BAD_TIME, f"time {local_time[:40]!r}"
    if not _PRICE.fullmatch(price) or (price.startswith("-") and not invoice.startswith("A")):
        return RejectReason.BAD_PRICE, f"price {price[:40]!r}"
    if not 0 < len(country) <= COUNTRY_CHARS_MAX or not country.isprintable():
        return RejectReason.BAD_COUNTRY, f"country {country[:40]!r}"
    if customer and not _CUSTOMER.fullmatch(customer):
        return RejectReason.BAD_CUSTOMER, f"customer {customer[:40]!r}"
    return None


def _is_time(text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _invoice_of(line: bytes) -> str | None:
    """The invoice number of a line that is broken further on, so that its invoice can be known to be incomplete."""
    first = line.split(b",", 1)[0].decode("ascii", errors="replace").strip().strip('"')
    return first if _INVOICE.fullmatch(first) else None
