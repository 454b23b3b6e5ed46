"""What is wrong with one document: it against the fold of its order's log, field by field, with the commit that explains each. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from orderstore.domain.ids import order_of
from orderstore.recorded import Recorded
from projections.projecting import contributions
from projections.projecting.folding import NOTHING, Known, step, stored_of
from projections.projecting.targets import Target
from projections.view_store import Stored

DETAIL_CHARACTERS_MAX: Final = 500
LIST_FIELD: Final = "(list)"
UNREADABLE_FIELD: Final = "(no document)"
TOTALS_FIELD: Final = "(totals)"
_ABSENT: Final = object()

Kind = Literal[
    "missing",
    "behind",
    "ahead",
    "different",
    "other_schema",
    "unknown_order",
    "unreadable_order",
    "unfoldable_order",
    "disagreement",
]
OF_THE_ORDER: Final = "(log)"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDifference:
    """`commit` is the last one that changed this field in the log's own fold."""

    field: str
    expected: Any
    found: Any
    commit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A document that is not what the log says. It stands at `commit` (0: there is none), the log at `log_commit`."""

    stream: str
    view: str
    kind: Kind
    commit: int
    log_commit: int
    fields: tuple[FieldDifference, ...] = ()
    cause: str = ""
    """The error that kept the order from being read or folded, by its name."""
    detail: str = ""


def of_order(stream: str, kind: Kind, error: Exception) -> Difference:
    return Difference(
        stream=stream,
        view=OF_THE_ORDER,
        kind=kind,
        commit=0,
        log_commit=0,
        cause=type(error).__name__,
        detail=str(error)[:DETAIL_CHARACTERS_MAX],
    )


def difference(
    stream: str, target: Target, stored: Stored | None, log: Mapping[int, tuple[Recorded, ...]]
) -> Difference | None:
    """What is wrong with a document, None when it is what the log's fold gives. Raises OutOfPlace."""
    view = target.view
    at = 0 if stored is None else stored.commit
    then = step(view, NOTHING, {number: log[number] for number in log if number <= at})
    now = step(view, then, log)

    def wrong(kind: Kind, *fields: FieldDifference) -> Difference:
        return Difference(stream=stream, view=view.name, kind=kind, commit=at, log_commit=now.folded, fields=fields)

    if stored is None:
        return wrong("missing") if now.folded else None
    if at > now.folded:
        return wrong("ahead")
    if stored.schema != view.schema:
        return wrong("other_schema")
    if then.folded != at:
        return wrong("different")
    if _shown(stored) != _expected(stream, target, then):
        return wrong("different", *_field_differences(stream, target, stored, log))
    return wrong("behind") if at < now.folded else None


def _shown(stored: Stored) -> dict[str, Any]:
    """A document with its place in a list and its part of the totals, which have to be right too: a reader finds it by the one, and is
    told the others. What is no document at all differs from every one."""
    try:
        return {
            **orjson.loads(stored.document),
            LIST_FIELD: [stored.list_key, stored.list_sort],
            TOTALS_FIELD: contributions.read(stored.contribution),
        }
    except (ValueError, TypeError):
        return {UNREADABLE_FIELD: True}


def _expected(stream: str, target: Target, known: Known[Any]) -> dict[str, Any]:
    """What a document should show at this state of the log."""
    return _shown(stored_of(target, *order_of(stream), known))


def _field_differences(
    stream: str, target: Target, stored: Stored, log: Mapping[int, tuple[Recorded, ...]]
) -> tuple[FieldDifference, ...]:
    """Field by field, with the commit after which each has stayed as it is."""
    known: Known[Any] = NOTHING
    expected: dict[str, Any] = {}
    changed: dict[str, int] = {}
    for number in sorted(number for number in log if number <= stored.commit):
        known = step(target.view, known, {seen: log[seen] for seen in log if seen <= number})
        if known.folded == number:
            following = _expected(stream, target, known)
            changed |= {name: number for name in following if expected.get(name, _ABSENT) != following[name]}
            expected = following
    found = _shown(stored)
    return tuple(
        FieldDifference(
            field=name, expected=expected.get(name), found=found.get(name), commit=changed.get(name, stored.commit)
        )
        for name in sorted({*expected, *found})
        if expected.get(name, _ABSENT) != found.get(name, _ABSENT)
    )
