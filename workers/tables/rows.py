"""Rows as what they stand for. A table has no types: what was stored by an older build, by hand or by a fault is seen here, once, and not
later by whoever adds to a number that is a text."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from workers.tables.errors import RowUnreadable

_T = TypeVar("_T")


def typed(kind: type[_T], values: Mapping[str, Any], what: str) -> _T:
    """The values as a dataclass, each field of its type: "1" is not 1, and 1 is not true. `what` names the row. Raises RowUnreadable."""
    try:
        return msgspec.convert(values, kind)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise RowUnreadable(what, str(error)) from error


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Whatever a row lacks inside is told as RowUnreadable."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RowUnreadable(what, f"{type(error).__name__}: {error}") from error
