"""What one order was counted to do, by `python -m tests.cost --write`, and what it does at a number of lines that was not counted.

CountedError   the table is not as it should be
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

TABLE: Final = Path(__file__).parent / "counted.json"
HAPPY: Final = "happy"
TOGETHER: Final = "in company"
NEW: Final = "new customer"
POINTS_MIN: Final = 4
"""Two at least that a number of lines lies between, and the two others."""
KEYS: Final = "privacy-keys"


class CountedError(ValueError):
    """The table of counts does not hold what a plan needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one order takes of a table. `index` is on top of `write`; `stored` in bytes, the index's included."""

    write: float = 0
    index: float = 0
    read: float = 0
    stored: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What one order asks of everything else."""

    sqs: float = 0
    sns: float = 0
    published: float = 0
    """Messages; up to ten go in one of the `sns`."""
    s3_put: float = 0
    s3_get: float = 0
    s3_bytes: float = 0
    kms: float = 0
    mails: float = 0
    log_bytes: float = 0
    """Of log lines."""
    due_lists: float = 0
    """Of the views' index units, those under the lists of due dates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order: by table, and beside them."""

    lines: int
    commits: int
    tables: Mapping[str, Use]
    requests: Requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one process of a role asks in an hour while nothing happens."""

    write: float = 0
    read: float = 0
    sqs: float = 0
    streams: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Everything that was counted."""

    on: str
    command: str
    orders: Mapping[str, Order]
    standing: Mapping[str, Standing]
    processor_ms: Mapping[str, float]
    """By role: processor time for one order."""
    processor_note: str

    def order(self, lines: int, *, together: bool, new: float = 0) -> Order:
        """One order of so many lines: between two counts in proportion, beyond the last as from the last but one to the last.

        `together`: among others of the same moment, with whom it shares batches, as far as that changed an order of two lines.
        `new`: the share of customers whose keys the processes do not have at hand, 0 to 1; each costs what the first order of one did.
        """
        found = self._of_lines(lines, together=together)
        known, first = self.orders[HAPPY], self.orders[NEW]
        keys = _mixed(known, first, lambda a, b: (b - a) * new, lines=lines)
        asked = replace(found.requests, kms=found.requests.kms + keys.requests.kms)
        tables = {**found.tables, KEYS: keys.tables.get(KEYS, Use())}
        return replace(found, requests=asked, tables=dict(sorted(tables.items())))

    def _of_lines(self, lines: int, *, together: bool) -> Order:
        points = sorted(
            (order for name, order in self.orders.items() if name not in (TOGETHER, NEW)),
            key=lambda order: order.lines,
        )
        below, above = points[0], points[1]
        for first, second in pairwise(points):
            if lines >= first.lines:
                below, above = first, second
        share = (lines - below.lines) / (above.lines - below.lines)
        found = _mixed(below, above, lambda a, b: a + (b - a) * share, lines=lines)
        if not together:
            return found
        alone, company = self.orders[HAPPY], self.orders[TOGETHER]
        ratio = _mixed(alone, company, lambda a, b: b / a if a else 1.0, lines=lines)
        return _mixed(found, ratio, lambda a, b: a * b, lines=lines)


def _mixed(one: Order, other: Order, mix: Callable[[float, float], float], *, lines: int) -> Order:
    names = sorted(one.tables.keys() | other.tables.keys())
    return Order(
        lines=lines,
        commits=one.commits,
        tables={name: _each(one.tables.get(name, Use()), other.tables.get(name, Use()), mix) for name in names},
        requests=_each(one.requests, other.requests, mix),
    )


def _each(one: Any, other: Any, mix: Callable[[float, float], float]) -> Any:  # noqa: ANN401 - Use or Requests, whose fields are numbers
    changed = {field.name: max(0.0, mix(getattr(one, field.name), getattr(other, field.name))) for field in fields(one)}
    return replace(one, **changed)


@cache
def counted() -> Counted:
    """The table beside this module. Raises CountedError."""
    return counted_from(json.loads(TABLE.read_text(encoding="utf-8")))


def counted_from(document: Mapping[str, Any]) -> Counted:
    """The table as it is written. Raises CountedError."""
    try:
        found = Counted(
            on=document["on"],
            command=document["command"],
            orders={name: order_from(entry) for name, entry in document["orders"].items()},
            standing={role: Standing(**entry) for role, entry in document["standing"].items()},
            processor_ms=document["processor_ms"],
            processor_note=document["processor_note"],
        )
    except (KeyError, TypeError) as error:
        raise CountedError(f"the table of counts is not as it should be: {error!r}") from error
    if not {HAPPY, TOGETHER, NEW} <= found.orders.keys() or len(found.orders) < POINTS_MIN:
        raise CountedError("the table of counts lacks the orders that a plan stands on")
    return found


def order_from(entry: Mapping[str, Any]) -> Order:
    """One order as it is written. Raises KeyError, TypeError."""
    return Order(
        lines=int(entry["lines"]),
        commits=int(entry["commits"]),
        tables={name: Use(**use) for name, use in entry["tables"].items()},
        requests=Requests(**entry["requests"]),
    )
