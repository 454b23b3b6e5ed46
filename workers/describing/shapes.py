"""What a state says of itself, whatever it is made of: its statuses and where they lie, what there is, its shape without ids and amounts.

A status is a field that holds one of few words (an `Enum` or a `Literal`) and does not merely say why or of what kind something is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from orderstore.domain import events as e
from orderstore.domain.state import INITIAL, NotPlaced, State

NOWHERE: Final = "[*]"
"""Where a part of the order is that it does not have (yet)."""
ORDER: Final = "OrderStatus"
"""The order's own status, which is the class of its state."""

Place = tuple[str, str]
"""A kind of status, and where in the state it stands."""
Fact = tuple[str, str]

_SAY_WHY: Final = frozenset({"reason", "category", "carrier"})
"""Fields by which nothing is decided."""
_SAY_WHAT: Final = frozenset({"kind", "stage"})
"""Fields that never change: of what kind something is, not how it stands."""
_EVENTS: Final = frozenset(get_args(e.Event))


def places(state: State) -> dict[Place, str]:
    """Every status that there is in a state: by its kind and by where it lies, what it is."""
    found = {(ORDER, ""): NOWHERE if state == INITIAL else type(state).__name__}
    _gather(state, "", found)
    return found


def _gather(value: object, path: str, found: dict[Place, str]) -> None:
    of = _class(value)
    if of is tuple:
        for number, item in enumerate(value):  # type: ignore[arg-type, var-annotated]  # a tuple
            _gather(item, f"{path}[{number}]", found)
    elif of not in _EVENTS and (parts := _fields(of)) is not None:
        for name, kind in _statuses(of).items():
            status = getattr(value, name)
            found[kind, f"{path}.{name}"] = status.value if isinstance(status, Enum) else str(status)
        for name, choice in parts:
            if not choice:
                _gather(getattr(value, name), f"{path}.{name}", found)


@cache
def _statuses(of: type) -> Mapping[str, str]:
    """The fields of a class that say how something stands, and what kind of status each is."""
    hints = get_type_hints(of)
    return {
        name: _kind(of, name, hints[name]) for name, choice in _fields(of) or () if choice and name not in _SAY_WHAT
    }


def _kind(of: type, name: str, hint: Any) -> str:  # noqa: ANN401
    if isinstance(hint, type):
        return hint.__name__
    return f"{of.__name__ if name == 'status' else name.capitalize()}Status"


def _is_choice(hint: object) -> bool:
    return get_origin(hint) is Literal or (isinstance(hint, type) and issubclass(hint, Enum))


def facts(state: State) -> set[Fact]:
    """How each part of an order stands, each for itself, and under which rules it was placed."""
    rules = () if isinstance(state, NotPlaced) else _rules(getattr(state.order, "terms", None))
    return {*rules, *((kind, status) for (kind, _), status in places(state).items())}


def presence(state: State) -> set[Fact]:
    """What there is of it, and what there is not."""
    missing = (
        (name, "none") for name, choice in _fields(_class(state)) or () if not choice and not getattr(state, name)
    )
    return {*_present(state), *missing}


def _present(value: object) -> Iterator[Fact]:
    of = _class(value)
    if of is tuple:
        for item in value:  # type: ignore[attr-defined]  # a tuple
            yield from _present(item)
    elif of not in _EVENTS:
        for name, choice in _fields(of) or ():
            inner = None if choice else getattr(value, name)
            if inner and (inner is True or not isinstance(inner, str | int)):
                yield (name, str(inner) if isinstance(inner, datetime) else "some")
                yield from _present(inner)


def _rules(terms: object) -> Iterator[Fact]:
    """Those that are not the usual ones."""
    for name, _ in _fields(_class(terms)) or ():
        if (value := getattr(terms, name)) != getattr(_usual(_class(terms)), name):
            yield (name, str(value))


@cache
def _usual(of: type) -> object:
    return of()


def _class(value: Any) -> type:  # noqa: ANN401 - anything
    return type(value)


def shape(value: object) -> object:
    """What is left of a state without ids, amounts, reasons and words; of many things that are alike, one."""
    of = _class(value)
    if of is tuple:
        return frozenset(map(shape, value))  # type: ignore[call-overload]  # a tuple
    if of in _EVENTS:
        return shape(getattr(value, "terms", None)) if of is e.OrderCreated else of.__name__
    if (parts := _fields(of)) is not None:
        return (
            of.__name__,
            *[getattr(value, name) if choice else shape(getattr(value, name)) for name, choice in parts],
        )
    return value if of in (bool, datetime) or isinstance(value, Enum) else None


@cache
def _fields(of: type) -> tuple[tuple[str, bool], ...] | None:
    """The fields of a class that say how something stands, and whether each of them is one of few words; None for what has no fields."""
    if not is_dataclass(of):
        return None
    hints = get_type_hints(of)
    return tuple((one.name, _is_choice(hints[one.name])) for one in fields(of) if one.name not in _SAY_WHY)
