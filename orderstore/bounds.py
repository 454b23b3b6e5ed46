"""What no event may hold although its type lets it: numbers and times that nobody downstream can work with.

A decimal may be spelt "NaN", or 1e999999999, which written out fills any memory; JSON's integers have no end, and the sum of two that fit
into 64 bits may not; years end at 9999, and the last day of all has no date further east. The door refuses them, so that in the log they
are damage, or somebody's hand.

Every event that is ever read is looked at. So each class gets one question of its own, made once from its hints: none where it has no such
field, and its numbers all together.
"""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from orderstore.domain.events import Event, OrderLine
from orderstore.domain.money import is_currency

INTEGER_MAX: Final = 10**15
"""The largest amount, and the largest number that a counter gives; thousands of them together still fit into 64 bits."""
DIGITS_MAX: Final = 50
Check = Callable[[Any], bool]
"""Whether a value is within its bounds."""


class BeyondBounds(ValueError):
    """A field of an event. The text names it."""


def check(event: Event) -> None:
    """Raises BeyondBounds. A test holds this to every field of every event."""
    kind: type = type(event)
    is_right = check_of(kind)
    if is_right is not None and not is_right(event):
        raise beyond(event)


def beyond(event: Event) -> BeyondBounds:
    """What is to be said of an event that is not within them."""
    kind: type = type(event)
    wrong = [name for name, is_right in _fields_of(kind) if not is_right(getattr(event, name))]
    return BeyondBounds(f"{' and '.join(wrong)} is beyond all bounds")


@cache
def check_of(kind: type, /) -> Check | None:
    """Whether an event of this class, or a part of one, is within its bounds; None: whatever its types let in is."""
    fields = _fields_of(kind)
    numbers = [name for name, is_right in fields if is_right is _is_integer]
    others = tuple((attrgetter(name), is_right) for name, is_right in fields if is_right is not _is_integer)
    are_right = _numbers(numbers) if numbers else None
    if not others:
        return are_right

    def is_right(value: Any) -> bool:  # noqa: ANN401 - of this class
        if are_right is not None and not are_right(value):
            return False
        for get, is_right in others:  # noqa: SIM110 - a generator would cost what the question does
            if not is_right(get(value)):
                return False
        return True

    return is_right


def is_moment(value: datetime) -> bool:
    """Whether it has a date wherever one is."""
    return MINYEAR < value.year < MAXYEAR


def _is_integer(value: int) -> bool:
    return -INTEGER_MAX <= value <= INTEGER_MAX


def _is_number(value: Decimal) -> bool:
    return -DIGITS_MAX <= value.adjusted() <= DIGITS_MAX and value.is_finite()


def _numbers(names: list[str]) -> Check:
    get: Callable[[Any], Any] = attrgetter(*names)
    if len(names) == 1:
        return lambda value: -INTEGER_MAX <= get(value) <= INTEGER_MAX

    def are_right(value: Any) -> bool:  # noqa: ANN401 - of the class that has these names
        for number in get(value):  # noqa: SIM110 - as above
            if not -INTEGER_MAX <= number <= INTEGER_MAX:
                return False
        return True

    return are_right


def _are_lines(lines: tuple[OrderLine, ...]) -> bool:
    """What `check_of` would make for them, without a call for each: there may be thousands."""
    for line in lines:
        price = line.unit_price
        if not (-DIGITS_MAX <= price.adjusted() <= DIGITS_MAX and price.is_finite()):
            return False
        if not -INTEGER_MAX <= line.quantity <= INTEGER_MAX:
            return False
    return True


_BY_KIND: Final[Mapping[object, Check]] = {int: _is_integer, Decimal: _is_number, datetime: is_moment}
_WITHOUT_BOUNDS: Final = frozenset({str, bool})


@cache
def _fields_of(kind: type) -> tuple[tuple[str, Check], ...]:
    """The fields of a class that have bounds. Raises TypeError for a type that nobody has thought of here."""
    found = ((name, _of_hint(name, hint)) for name, hint in get_type_hints(kind).items())
    return tuple((name, is_right) for name, is_right in found if is_right is not None)


def _of_hint(name: str, hint: Any) -> Check | None:  # noqa: ANN401 - a type's hint may be anything
    if hint in _BY_KIND:
        return _BY_KIND[hint]
    if hint in _WITHOUT_BOUNDS or get_origin(hint) is Literal:
        return is_currency if name == "currency" else None
    if isinstance(hint, type) and is_dataclass(hint):
        return check_of(hint)
    options = get_args(hint)
    if get_origin(hint) is tuple and options[1:] == (...,):
        is_right = _of_hint(name, options[0])
        if is_right is None:
            return None
        return _are_lines if options[0] is OrderLine else lambda values: all(map(is_right, values))
    if get_origin(hint) in (Union, UnionType) and len(options) == 2 and options[1] is NoneType:
        is_there = _of_hint(name, options[0])
        return None if is_there is None else lambda value: value is None or is_there(value)
    raise TypeError(f"{name}: nobody has said what the bounds of {hint} are")
