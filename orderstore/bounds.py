"""What no event may hold although its type lets it: numbers and times that nobody downstream can work with.

A decimal may be spelt "NaN", or 1e999999999, which written out fills any memory; JSON's integers have no end, and the sum of two that fit
into 64 bits may not; years end at 9999, and the last day of all has no date further east. The door refuses them, so that in the log they
are damage, or somebody's hand.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, get_args, get_type_hints

from orderstore.domain.events import Event, OrderCreated, OrderLine
from orderstore.domain.money import is_currency

INTEGER_MAX: Final = 10**15
"""The largest amount, and the largest number that a counter gives; thousands of them together still fit into 64 bits."""
DIGITS_MAX: Final = 50
_Check = Callable[[Any], bool]


class BeyondBounds(ValueError):
    """A field of an event. The text names it."""


def check(event: Event) -> None:
    """Raises BeyondBounds. A test holds this to every field of every event."""
    if type(event) is OrderCreated:
        for line in event.lines:  # there may be thousands, so they do not go the general way
            price = line.unit_price
            if not price.is_finite() or abs(price.adjusted()) > DIGITS_MAX:
                raise BeyondBounds(f"the unit price of {line.sku} is not a number")
            if not -INTEGER_MAX <= line.quantity <= INTEGER_MAX:
                raise BeyondBounds(f"the quantity of {line.sku} is not a number")
    kind: type = type(event)
    for name, is_right in _checks_of(kind):
        value = getattr(event, name)
        if value is not None and not is_right(value):
            raise BeyondBounds(f"{name} is beyond all bounds")


def is_moment(value: datetime) -> bool:
    """Whether it has a date wherever one is."""
    return MINYEAR < value.year < MAXYEAR


def _is_integer(value: int) -> bool:
    return -INTEGER_MAX <= value <= INTEGER_MAX


def _is_number(value: Decimal) -> bool:
    return value.is_finite() and abs(value.adjusted()) <= DIGITS_MAX


_BY_KIND: Final[Mapping[object, _Check]] = {int: _is_integer, Decimal: _is_number, datetime: is_moment}


@cache
def _checks_of(kind: type) -> tuple[tuple[str, _Check], ...]:
    """The fields of a class that have bounds, and those of its parts."""
    found: list[tuple[str, _Check]] = []
    for name, hint in get_type_hints(kind).items():
        for part in _parts_of(hint):
            if part in _BY_KIND:
                found.append((name, _BY_KIND[part]))
            elif name == "currency":
                found.append((name, is_currency))
            elif isinstance(part, type) and is_dataclass(part) and part is not OrderLine and _checks_of(part):
                found.append((name, _each(_checks_of(part))))
    return tuple(found)


def _parts_of(hint: object) -> Iterator[object]:
    inner = get_args(hint)
    if not inner:
        yield hint
    for part in inner:
        yield from _parts_of(part)


def _each(checks: tuple[tuple[str, _Check], ...]) -> _Check:
    def is_right(value: Any) -> bool:  # noqa: ANN401 - one part, or several
        parts = value if isinstance(value, tuple) else (value,)
        fields = ((getattr(part, name), check_field) for part in parts for name, check_field in checks)
        return all(field is None or check_field(field) for field, check_field in fields)

    return is_right
