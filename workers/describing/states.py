"""`docs/order-states.md`: a diagram for each kind of status that an order has, as Mermaid, from what was played."""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Final, get_args

import orderstore.domain.parts as parts_module
from orderstore.domain.state import Order, State
from orderstore.registry import EVENT_TYPES
from workers.describing.playing import Played, decisions
from workers.describing.shapes import NOWHERE, ORDER
from workers.describing.sources import said

_INTRODUCTION: Final = """\
# Order states

What every event does to every status. Nothing here is drawn by hand: {decisions} decisions of `orderstore/domain` were played, from an
order that is not placed yet, with every outcome and under every rule that an order may be placed with, until {ended}.
The page is made by `python -m workers.describing`, and a test keeps it so. The fields of each event are in the
[event catalogue](event-catalogue.md), and why it is so in [domain](domain.md).

An arrow is there if some legal history takes it, and is named by the events that take it. A status says where one part of an order is; the
parts move side by side, and several events may stand in one commit."""

_TITLES: Final = {
    ORDER: "The order",
    "PaymentStatus": "Payment",
    "InventoryStatus": "Stock",
    "ShipmentStatus": "Each parcel",
}


def states(played: Played) -> str:
    """The whole page, as it stands in the repository."""
    ended = f"the budget of {played.states:,} states was spent" if played.left else "nothing new came"
    lines = [_INTRODUCTION.format(decisions=len(decisions()), ended=ended)]
    moving = (kind for kind, moves in played.moves.items() if any(before != NOWHERE for before, _ in moves))
    for kind in sorted(moving, key=_first_the_known):
        lines += ["", f"## {title(kind)}", "", *_diagram(kind, played), "", *_meanings(kind)]
    lines += ["", "## What may happen in each status of the order", "", *_during(played)]
    if missing := sorted({entry.event.__name__ for entry in EVENT_TYPES} - played.happened):
        lines += ["", f"Never met while playing: {', '.join(f'`{name}`' for name in missing)}."]
    return "\n".join([*lines, ""])


def title(kind: str) -> str:
    """A heading for a kind of status."""
    return _TITLES.get(kind) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.removesuffix("Status")).capitalize()


def _first_the_known(kind: str) -> tuple[int, str]:
    known = list(_TITLES)
    return (known.index(kind) if kind in known else len(known), kind)


def _diagram(kind: str, played: Played) -> Iterator[str]:
    moves = played.moves[kind]
    yield from ("```mermaid", "stateDiagram-v2")
    for (before, after), events in sorted(moves.items(), key=lambda move: _in_order(kind, move[0], moves)):
        yield f"    {before} --> {after}: {', '.join(sorted(events))}"
    ends = {after for _, after in moves} - {before for before, _ in moves} - {NOWHERE}
    yield from (f"    {end} --> [*]" for end in sorted(ends))
    yield "```"


def _in_order(kind: str, move: tuple[str, str], moves: Iterable[tuple[str, str]]) -> tuple[int, int, tuple[str, str]]:
    """By the order in which the code names the statuses, so that a diagram reads from the beginning to the end."""
    named = [NOWHERE, *(list(_named(kind)) or sorted({status for pair in moves for status in pair}))]
    places = [named.index(status) if status in named else len(named) for status in move]
    return (places[0], places[1], move)


def _named(kind: str) -> dict[str, Any]:
    """The statuses of a kind in the order of the code, each with what says what it is."""
    if kind == ORDER:
        return {of.__name__: of for of in get_args(Order)}
    found = getattr(parts_module, kind, None)
    return {one.value: found for one in found} if isinstance(found, type) and issubclass(found, Enum) else {}


def _meanings(kind: str) -> Iterator[str]:
    named = _named(kind)
    if kind == ORDER:
        yield from (f"- `{name}`: {said(of)}" for name, of in named.items())
    elif named:
        yield said(next(iter(named.values())))


def _during(played: Played) -> Iterator[str]:
    yield "| status | events that are recorded there |"
    yield "|---|---|"
    order = [entry.event.__name__ for entry in EVENT_TYPES]
    for of in get_args(State):
        events = sorted(played.during.get(of.__name__, ()), key=order.index)
        yield f"| `{of.__name__}` | {', '.join(f'`{event}`' for event in events) or 'none'} |"
