"""What the door lets in: the wire form of a request, checked field by field before anything is stored.

Prices come as JSON numbers or decimal strings and never pass through binary floating point: `parse` reads the body with
the decimal literals as they were written. Every string, list and number has a bound.
"""

import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from orderstore.domain.money import exact_sum, is_currency, round_to_minor

LINES_MAX: Final = 5_000
QUANTITY_MAX: Final = 1_000_000
PRICE_MAX: Final = Decimal(10_000_000)
PRICE_DIGITS_MAX: Final = 6
TOTAL_MINOR_MAX: Final = 10**15
PLACED_YEARS: Final = (1970, 9_000)
BODY_BYTES_MAX: Final = 1024 * 1024

# Primary account numbers begin with 3 to 6 and have 13 to 19 digits (ISO/IEC 7812); in an SKU only 15 and more are taken for
# one, because barcodes (GTIN) have up to 14 digits and every tenth of them passes the Luhn check by chance.
_CARD_NUMBER: Final = re.compile(r"(?<!\d)[3-6](?:[ -]?\d){12,18}(?!\d)")
_SKU_DIGITS_MAX: Final = 14
_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?")


def parse(body: bytes) -> object:
    """JSON with decimals kept as written. Raises ValueError: not JSON, NaN or Infinity, a key twice, too deep."""
    try:
        document: object = json.loads(
            body.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_no_key_twice
        )
    except RecursionError as error:
        raise ValueError("the document is nested too deeply") from error
    except ArithmeticError as error:
        raise ValueError("a number is too large") from error
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names the same key twice")
    return found


def _decimal(value: object) -> object:
    """Take ints, decimals and decimal strings as they are written; refuse binary floats and booleans."""
    if isinstance(value, bool | float):
        raise ValueError("write the price as a JSON number or as a decimal string")  # noqa: TRY004 - pydantic's way to refuse
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ValueError("write the price in digits, such as 12.50")
    return value


def _price(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > PRICE_DIGITS_MAX:
        raise ValueError(f"a price has at most {PRICE_DIGITS_MAX} digits after the point")
    return value


def _currency(value: str) -> str:
    if not is_currency(value):
        raise ValueError("not an ISO 4217 currency that this service trades in")
    return value


def _no_card_number(value: str) -> str:
    """Card numbers never enter (PCI DSS 3.2): thirteen to nineteen digits that pass the Luhn check are refused."""
    return _without_card_number(value, digits_min=13)


def _no_long_card_number(value: str) -> str:
    return _without_card_number(value, digits_min=_SKU_DIGITS_MAX + 1)


def _without_card_number(value: str, *, digits_min: int) -> str:
    for match in _CARD_NUMBER.finditer(value):
        digits = [int(character) for character in match.group() if character.isdigit()]
        if len(digits) < digits_min:
            continue
        doubled = [digit if index % 2 == 0 else sum(divmod(digit * 2, 10)) for index, digit in enumerate(digits[::-1])]
        if sum(doubled) % 10 == 0:
            raise ValueError("this looks like a card number; it must not be sent or stored here")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must hold more than spaces")
    return value


def _plain(value: str) -> str:
    if any(not character.isprintable() for character in value):
        raise ValueError("control characters are not allowed")
    return value


_Text = Annotated[str, AfterValidator(_plain), AfterValidator(_no_card_number)]
Identifier = Annotated[
    str,
    Field(min_length=1, max_length=128),
    AfterValidator(_plain),
    AfterValidator(_not_blank),
    AfterValidator(_no_long_card_number),
]
Sku = Annotated[
    str,
    Field(min_length=1, max_length=64),
    AfterValidator(_plain),
    AfterValidator(_not_blank),
    AfterValidator(_no_long_card_number),
]
Price = Annotated[Decimal, BeforeValidator(_decimal), AfterValidator(_price), Field(ge=0, le=PRICE_MAX)]
Note = Annotated[_Text, Field(max_length=500)]


class _Request(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Item(_Request):
    """One line: a SKU may stand on several lines, a price may be zero or below the smallest coin."""

    sku: Sku
    quantity: Annotated[int, Field(strict=True, ge=1, le=QUANTITY_MAX)]
    price: Price
    description: Annotated[_Text, Field(max_length=200)] = ""


class PlaceOrder(_Request):
    """`POST /orders` (E038). The three outcome fields are test hooks that only sandbox providers honour; a client's `total` is
    only compared with ours (E007)."""

    items: Annotated[tuple[Item, ...], Field(min_length=1, max_length=LINES_MAX)]
    currency: Annotated[str, AfterValidator(_currency)]
    customer_id: Identifier | None = None
    customer_email: EmailStr | None = None
    customer_name: Annotated[_Text, Field(max_length=200)] | None = None
    country: Annotated[_Text, Field(max_length=64)] | None = None
    channel: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")] = "api"
    reference: Identifier | None = None
    placed_at: datetime | None = None
    total: Price | None = None
    payment_outcome: Literal["approved", "declined"] | None = None
    inventory_outcome: Literal["reserved", "out_of_stock"] | None = None
    simulate_technical_failure: Literal["payment", "inventory", "shipping", "billing", "notification"] | None = None

    @property
    def uses_sandbox_hooks(self) -> bool:
        """Whether the request asks for something that only the sandbox can do."""
        hooks = (self.payment_outcome, self.inventory_outcome, self.simulate_technical_failure)
        return any(hook is not None for hook in hooks)

    @property
    def total_exact(self) -> Decimal:
        """The sum of quantity x price, to the last digit."""
        return exact_sum([(item.quantity, item.price) for item in self.items])

    @field_validator("placed_at")
    @classmethod
    def _a_moment(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("placedAt needs its offset from UTC, such as Z")
        if not PLACED_YEARS[0] <= value.year <= PLACED_YEARS[1]:
            raise ValueError(f"placedAt must lie in the years {PLACED_YEARS[0]} to {PLACED_YEARS[1]}")
        return value

    @model_validator(mode="after")
    def _payable(self) -> "PlaceOrder":
        if self.total is not None and self.total != self.total_exact:
            raise ValueError(f"the total is {self.total_exact:f} by our sum, not {self.total:f}")
        total_minor = round_to_minor(self.total_exact, self.currency)
        if not 0 < total_minor <= TOTAL_MINOR_MAX:
            raise ValueError(f"the total must be between one minor unit and {TOTAL_MINOR_MAX}, not {total_minor}")
        return self


class CancelOrder(_Request):
    """`POST /orders/{id}/cancel`."""

    reason: Note = ""


class RefundLine(_Request):
    """So many pieces of the line with this index, counted from 0."""

    line: Annotated[int, Field(strict=True, ge=0, lt=LINES_MAX)]
    quantity: Annotated[int, Field(strict=True, ge=1, le=QUANTITY_MAX)]


class RequestRefund(_Request):
    """`POST /orders/{id}/refunds`."""

    lines: Annotated[tuple[RefundLine, ...], Field(min_length=1, max_length=LINES_MAX)]
    reason: Note = ""
