"""What the file holds, as frozen values: invoices by kind, instructions made from cancellations, rejects and totals.

Money is `Decimal`, exactly as written; quantities keep the file's sign; times are UTC.

    IntakeError
    ├── NotOnlineRetail     not a gzip or CSV file with the eight columns: nothing was read
    ├── FileDamaged         the file breaks off or its compression is corrupt: says how far it could be read
    └── StagingFailed       the temporary index could not be written (a full disk, for one)
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class IntakeError(Exception):
    """The file as a whole cannot be imported; nothing of it was sent."""


class NotOnlineRetail(IntakeError):
    """The file is not an Online Retail CSV, plain or gzipped."""


class FileDamaged(IntakeError):
    """The file breaks off or is corrupt after `rows_read` good rows; `line_number` is the last line that could be read whole."""

    def __init__(self, path: str, *, rows_read: int, line_number: int, cause: str) -> None:
        """Say what was readable and that nothing was sent, for an order with missing lines would be a wrong order."""
        super().__init__(
            f"{path} is damaged ({cause}): {rows_read} rows could be read, up to line {line_number}. "
            "None of them was sent, because the last invoice may be incomplete; fetch the file again and repeat."
        )
        self.rows_read = rows_read
        self.line_number = line_number


class StagingFailed(IntakeError):
    """The temporary on-disk index could not be written or read."""


class RejectReason(StrEnum):
    """Why a line or an invoice did not become an order, a cancellation or a refund. The values appear in reports: do not rename."""

    # The line cannot be read.
    LINE_TOO_LONG = "line_too_long"
    NOT_UTF8 = "not_utf8"
    BAD_CSV = "bad_csv"
    BAD_INVOICE = "bad_invoice"
    BAD_SKU = "bad_sku"
    BAD_DESCRIPTION = "bad_description"
    BAD_QUANTITY = "bad_quantity"
    BAD_TIME = "bad_time"
    BAD_PRICE = "bad_price"
    BAD_CUSTOMER = "bad_customer"
    BAD_COUNTRY = "bad_country"
    # The invoice is no order.
    INCOMPLETE_INVOICE = "incomplete_invoice"
    INCONSISTENT_INVOICE = "inconsistent_invoice"
    MIXED_QUANTITIES = "mixed_quantities"
    TOO_MANY_LINES = "too_many_lines"
    WRITE_OFF = "write_off"
    ZERO_VALUE = "zero_value"
    ADJUSTMENT = "adjustment"
    # The cancellation finds no sale.
    GUEST = "guest"
    NO_SUCH_SALE = "no_such_sale"
    PRICE_DIFFERS = "price_differs"
    QUANTITY_EXCEEDS_SALE = "quantity_exceeds_sale"
    FEE_OR_DISCOUNT_LINE = "fee_or_discount_line"
    # The order service said no, or not yet.
    REFUSED = "refused"
    SALE_NOT_ACCEPTED = "sale_not_accepted"
    NOT_ARRIVED = "not_arrived"


@dataclass(frozen=True, slots=True)
class Reject:
    """One rejected line or invoice. `line_number` counts physical lines from 1 (the header)."""

    invoice: str | None
    line_number: int
    reason: RejectReason
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line as written. `sku` keeps its case and its spaces; `quantity` is negative on cancellations and write-offs."""

    line_number: int
    sku: str
    description: str
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the lines of an invoice share. `customer_id` is None for guests; `placed_at` is the first line's time, in UTC."""

    invoice: str
    placed_at: datetime
    customer_id: str | None
    country: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> Decimal:
        """Sum of quantity x unit price, exact."""
        return sum((line.quantity * line.unit_price for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale(Head):
    """A real sale: becomes an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation(Head):
    """A `C` invoice: takes earlier sales back, wholly or in part, without naming them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOff(Head):
    """Stock written off: negative quantities at price 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroValue(Head):
    """Stock taken in, or given away: positive quantities, value 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment(Head):
    """An `A` invoice: bad debt, not goods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedInvoice(Head):
    """An invoice that fits no kind or misses a line."""

    reason: RejectReason
    text: str


Invoice = Sale | Cancellation | WriteOff | ZeroValue | Adjustment | RejectedInvoice


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """`cancellation` takes back the whole of `sale`, of which nothing was taken back before. `line_number` is its first line."""

    sale: str
    cancellation: str
    requested_at: datetime
    line_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLine:
    """`quantity` (positive) of the sale's line `line_index` (from 0, in file order)."""

    line_index: int
    sku: str
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLines:
    """`cancellation` takes back a part of `sale`, or what earlier refunds left of it."""

    sale: str
    cancellation: str
    requested_at: datetime
    line_number: int
    lines: tuple[RefundLine, ...]

    @property
    def total(self) -> Decimal:
        """The money to give back, exact and positive."""
        return sum((line.quantity * line.unit_price for line in self.lines), Decimal(0))


Instruction = CancelOrder | RefundLines


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts over the whole file, whatever limit is sent. All but `*_lines` and the sums count invoices."""

    sales: int
    sale_lines: int
    cancellations: int
    cancellation_lines: int
    write_offs: int
    zero_value: int
    adjustments: int
    rejected_invoices: int
    rejected_rows: int
    matched_cancellation_lines: int
    net_total: Decimal
    """Sum of quantity x price over every readable row, exact."""
    sales_total: Decimal
    """The same over the sales."""
