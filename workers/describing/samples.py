"""Values for any parameter of any decision, made from its type and its name: few, the same in every run, and such that they meet.

An event that says `shipment_id` must mean a parcel that the order has: what a state holds under the same name is taken first. Of a class
with several fields there is one value with the first choice of each, one for each other choice of one field, and one more for each of these
with a yes or no turned round: not every combination.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER: Final = NOON + timedelta(days=1)
SOONER: Final = NOON + timedelta(hours=1)
"""Of two promises one may end before the other."""
LONG_AFTER: Final = NOON + timedelta(days=3_650)
"""When everything that can be late is."""
TAKEN_MAX: Final = 3
"""Values of a name that are taken from a state."""
_NUMBERS: Final[Mapping[str, int]] = {"line": 0}
_PLAIN: Final[Mapping[str, str]] = {"currency": "EUR", "sku": "SKU-1", "country": "DE"}

Known = Mapping[str, Sequence[object]]
"""What a state holds, by the names of its fields."""


class NoSample(TypeError):
    """A type for which no value is known here: give it one."""


def samples(hint: Any, name: str, known: Known) -> tuple[Any, ...]:  # noqa: ANN401 - any type of any field
    """Values of this type for something of this name, the likeliest first; never none. Raises NoSample."""
    origin = get_origin(hint)
    if origin is Literal:
        return get_args(hint)
    if origin in (Union, UnionType):
        return _of_union(hint, name, known)
    if origin is tuple:
        return _of_tuple(get_args(hint), name, known)
    if hint is bool:
        return (False, True)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return tuple(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return tuple(_of_class(hint, known))
    return _of_plain(hint, name, known)


def _of_union(hint: Any, name: str, known: Known) -> tuple[Any, ...]:  # noqa: ANN401
    """Something first and nothing last: what is there is what a decision may meet."""
    some = [value for one in get_args(hint) if one is not NoneType for value in samples(one, name, known)]
    return (*some, None) if NoneType in get_args(hint) else tuple(some)


def _of_tuple(items: tuple[Any, ...], name: str, known: Known) -> tuple[Any, ...]:
    if len(items) == 2 and items[1] is Ellipsis:
        return ((samples(items[0], name, known)[0],), ())
    return (tuple(samples(item, name, known)[0] for item in items),)


def _of_class(of: type, known: Known) -> Iterator[Any]:
    hints = _hints(of)
    choices = {field.name: samples(hints[field.name], field.name, known) for field in fields(of)}
    optional = {field.name for field in fields(of) if field.default is None}
    for name in optional:  # what may be missing is missing first
        choices[name] = (None, *(value for value in choices[name] if value is not None))
    defaults = {field.name: field.default for field in fields(of) if field.default not in (MISSING, None)}
    first = {name: defaults.get(name, values[0]) for name, values in choices.items()}
    changes: list[dict[str, Any]] = [
        {name: value} for name, values in choices.items() for value in values if value != first[name]
    ]
    switched = [change for change in changes for value in change.values() if isinstance(value, bool)]
    both = [{**switch, **change} for switch in switched for change in changes if not switch.keys() & change.keys()]
    for change in ({}, *changes, *both):
        if (made := _made(of, {**first, **change})) is not None:
            yield made


@cache
def _hints(of: type) -> Mapping[str, Any]:
    return get_type_hints(of)


def _made(of: type, values: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """One of these, or None where its own rules refuse the combination."""
    try:
        return of(**values)
    except ValueError:
        return None


def _of_plain(hint: Any, name: str, known: Known) -> tuple[Any, ...]:  # noqa: ANN401
    if hint is str:
        words = [value for value in _found(name, known) if isinstance(value, str)][:TAKEN_MAX]
        made = _PLAIN.get(name, f"{name.replace('_', '-')}-1")
        return tuple(words) if made in words else (*words, made)
    if hint is int:
        numbers = [value for value in _found(name, known) if isinstance(value, int)][:TAKEN_MAX]
        if not numbers:
            return (_NUMBERS.get(name, 1),)
        most = max(numbers)  # of money also a part, of what is counted also one more: the next attempt, or too much
        return (*numbers, most // 2 if name.endswith("_minor") else most + 1)
    if hint is datetime:
        return (LONG_AFTER,) if name == "now" else (LATER, SOONER)
    if hint is date:
        return (NOON.date(),)
    if hint is Decimal:
        return (Decimal(1),)
    if hint is float:
        return (1.0,)
    if hint is bytes:
        return (b"",)
    raise NoSample(f"{name}: {hint}")


def _found(name: str, known: Known) -> Iterator[object]:
    """What stands under this name, or under a longer one that ends with it: a document's `number` may be an `invoice_number`."""
    for other, values in known.items():
        if other == name or other.endswith(f"_{name}"):
            yield from values


def known_in(value: object) -> dict[str, list[object]]:
    """What a state holds, by the names of its fields, each value once, in its order."""
    found: dict[str, list[object]] = {}
    _gather(value, found)
    return found


def _gather(value: object, found: dict[str, list[object]]) -> None:
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            inner = getattr(value, field.name)
            if isinstance(inner, str | int) and not isinstance(inner, bool | Enum):
                values = found.setdefault(field.name, [])
                if inner not in values:
                    values.append(inner)
            else:
                _gather(inner, found)
    elif isinstance(value, tuple):
        for item in value:
            _gather(item, found)
