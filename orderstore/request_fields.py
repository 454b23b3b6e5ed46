"""The fields of requests: each string, number and time with its bounds, and what never enters. `requests` puts them together."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, EmailStr, Field, WithJsonSchema

from orderstore.audit.moments import NotAMoment, parse_time
from orderstore.domain.money import is_currency
from orderstore.privacy.scanner import kinds_in
from orderstore.sandbox_cards import no_unknown_card

PRICE_MAX: Final = Decimal(10_000_000)
PRICE_DIGITS_MAX: Final = 6
TOTAL_MINOR_MAX: Final = 10**15
WHOLE_DIGITS_MAX: Final = 18
TAX_RATE_MAX: Final = Decimal(100)
TAX_RATE_DIGITS_MAX: Final = 4
HOLD_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
PHONE_DIGITS_USUAL: Final = 13

_CARD_DATA: Final = ("card number", "security code")
_EMAIL: Final = "e-mail address"
_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?")
VISIBLE: Final = r"^[^\x00-\x1F\x7F-\xA0\u200B-\u200F\u2028-\u202F\u2060-\u206F\uD800-\uDFFF\uFEFF]*$"
"""What JSON Schema can say of `_plain` in few words; `str.isprintable` knows more that nobody can see."""


def _whole(value: object) -> object:
    """To JSON 1.0 and 1 are the same number, and some clients can only write the first."""
    if isinstance(value, Decimal) and value.adjusted() < WHOLE_DIGITS_MAX and value == value.to_integral_value():
        return int(value)
    return value


def _decimal(value: object) -> object:
    """Take ints, decimals and decimal strings as they are written; refuse binary floats and booleans."""
    if isinstance(value, bool | float):
        raise ValueError("write the number as JSON has it, or as a decimal string")  # noqa: TRY004 - pydantic's way to refuse
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ValueError("write the number in digits, such as 12.50")
    return value


def _price(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > PRICE_DIGITS_MAX:
        raise ValueError(f"an amount has at most {PRICE_DIGITS_MAX} digits after the point")
    if not value:  # -0 would look like a debt, and 0E+999999 is a number that no reader of the log takes
        return Decimal(0) if exponent > 0 else abs(value)
    return value


def _tax_rate(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > TAX_RATE_DIGITS_MAX:
        raise ValueError(f"a tax rate has at most {TAX_RATE_DIGITS_MAX} digits after the point")
    if not 0 <= value <= TAX_RATE_MAX:
        raise ValueError(f"a tax rate is between 0 and {TAX_RATE_MAX} percent")
    return abs(value)


def _currency(value: str) -> str:
    if not is_currency(value):
        raise ValueError("not an ISO 4217 currency that this service trades in")
    return value


def no_card_data(value: str) -> str:
    """Card numbers and security codes never enter, nor may the latter be kept in any form (PCI DSS 3.2, 3.3)."""
    return _without(_CARD_DATA, kinds_in(value), value)


def _clear(value: str) -> str:
    """What stands in the log in the clear stands there for ever: an address in it could never be erased."""
    return _without((*_CARD_DATA, _EMAIL), kinds_in(value), value)


def _no_long_card_number(phone: str) -> str:
    """One phone number in ten has a valid check digit; but hardly any is as long as the cards of today, from 14 digits on."""
    return no_card_data(phone) if len(phone.removeprefix("+")) > PHONE_DIGITS_USUAL else phone


def _without(kinds: tuple[str, ...], found: set[str], value: str) -> str:
    for kind in kinds:
        if kind in found:
            article = "an" if kind == _EMAIL else "a"
            raise ValueError(f"this looks like {article} {kind}; it must not be sent or stored here")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must hold more than spaces")
    return value


def _plain(value: str) -> str:
    if not value.isprintable():
        raise ValueError("control characters, and others that nobody can see, are not allowed")
    return value


def _named(value: str) -> str:
    """What names something and stands in the clear."""
    _not_blank(_plain(value))
    return _without((*_CARD_DATA, _EMAIL), kinds_in(value, identifier=True), value)


def _moment(value: object) -> object:
    """RFC 3339, as the document says: a number would be taken for seconds since 1970."""
    if isinstance(value, datetime):
        return value
    try:
        parse_time(value if isinstance(value, str) else "")
    except NotAMoment:
        raise ValueError("write the time with its offset from UTC, as in 2026-03-01T12:00:00Z") from None
    return value


def _amount(most: Decimal, digits: int = PRICE_DIGITS_MAX) -> WithJsonSchema:
    """Pydantic has no words in JSON Schema for the bounds of a decimal that may come as text."""
    number = {"type": "number", "minimum": 0, "maximum": int(most)}
    return WithJsonSchema(
        {
            "anyOf": [number, {"type": "string", "pattern": f"^(?:{_DECIMAL.pattern})$"}],
            "description": f"A JSON number or a decimal string, from 0 to {most}, with at most {digits} digits after the point; "
            "exact as written.",
        }
    )


Text = Annotated[
    str, AfterValidator(_plain), AfterValidator(no_card_data), Field(json_schema_extra={"pattern": VISIBLE})
]
ClearText = Annotated[
    str, AfterValidator(_plain), AfterValidator(_clear), Field(json_schema_extra={"pattern": VISIBLE})
]
Identifier = Annotated[
    str, Field(min_length=1, max_length=128, json_schema_extra={"pattern": VISIBLE}), AfterValidator(_named)
]
Sku = Annotated[str, Field(min_length=1, max_length=64, json_schema_extra={"pattern": VISIBLE}), AfterValidator(_named)]
Whole = BeforeValidator(_whole)
"""After a strict `int`: a whole number, which is no text, no truth value, and has nothing behind the point."""
Price = Annotated[
    Decimal, BeforeValidator(_decimal), AfterValidator(_price), Field(ge=0, le=PRICE_MAX), _amount(PRICE_MAX)
]
Total = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    AfterValidator(_price),
    Field(ge=0, le=TOTAL_MINOR_MAX),
    _amount(Decimal(TOTAL_MINOR_MAX)),
]
TaxRate = Annotated[
    Decimal, BeforeValidator(_decimal), AfterValidator(_tax_rate), _amount(TAX_RATE_MAX, TAX_RATE_DIGITS_MAX)
]
"""In percent: 19 or "8.1"."""
Currency = Annotated[str, AfterValidator(_currency), Field(json_schema_extra={"pattern": "^[A-Z]{3}$"})]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Note = Annotated[Text, Field(max_length=500)]
HoldId = Annotated[str, Field(pattern=HOLD_ID_PATTERN), AfterValidator(_named)]
PaymentMethod = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9]*_[A-Za-z0-9_-]{1,200}$"),
    AfterValidator(no_card_data),
    AfterValidator(no_unknown_card),
]
"""A payment provider's token such as `pm_...`: it stands for a card and says nothing of it."""
Address = Annotated[EmailStr, AfterValidator(no_card_data)]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$"), AfterValidator(_no_long_card_number)]
"""E.164 (ITU-T): the country's code and the number, without spaces."""
VatId = Annotated[str, Field(pattern=r"^[A-Z]{2}[A-Z0-9+*]{2,13}$"), AfterValidator(no_card_data)]
"""A VAT identification number with the prefix of its country (Art. 215 of Directive 2006/112/EC), without spaces."""


def check_clear_text(text: str) -> str:
    """Hold a text of an operator, which will stand in the clear, to what the door allows. Raises ValueError, which quotes nothing."""
    _not_blank(_plain(text))
    return _without((*_CARD_DATA, _EMAIL), kinds_in(text), text)


def check_identifier(text: str) -> str:
    """The same for a name, such as a receipt's number. Raises ValueError, which quotes nothing."""
    return _named(text)


def check_key(text: str) -> str:
    """Refuse card data in what is only compared, such as an Idempotency-Key or a customer's id in a query: it may end in somebody's log.

    Raises ValueError, which quotes nothing.
    """
    return _without(_CARD_DATA, kinds_in(text, identifier=True), text)
