"""Plays the real decisions from an order that is not placed yet, and writes down what each event did to each status.

States that differ only in ids and amounts are one: of each shape the first that was found is played on. There are far more shapes than
can be played, most of them new mixtures of what is known. So what came of something that nobody had seen happen is played on first, then
those in which two statuses meet that never met before, the latest of them first. From what is left at the end some walks are made at
random, with a seed of their own. Budgets are numbers of states and steps, not times, so that every run finds the same.

What is found really happens: decisions and `evolve` are the service's own. What needs more than the budget, or an input that `samples` does
not think of, is missing, and events that never happened are told as such.
"""

import inspect
import pkgutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from functools import cache
from importlib import import_module
from itertools import chain, combinations
from random import Random
from typing import Any, Final, get_args, get_type_hints

import orderstore.domain
from orderstore.domain import events as e
from orderstore.domain.rejections import CommandRejected
from orderstore.domain.state import INITIAL, ImpossibleTransition, State, evolve
from workers.describing.beginnings import beginnings
from workers.describing.samples import NOON, Known, known_in, samples
from workers.describing.shapes import NOWHERE, Fact, Place, facts, places, presence, shape

PLAYED_MAX: Final = 1_200
WALKS: Final = 600
STEPS: Final = 40

Decide = Callable[..., tuple[e.Event, ...]]


@dataclass(frozen=True, slots=True)
class Played:
    """What was found. `moves`: by kind of status, from which to which, by which events. `during`: by the order's status, which events were
    recorded in it. `deciding`: by event, the decisions that record it. `states` were played on, and `left` more
    were found that would have been."""

    moves: dict[str, dict[tuple[str, str], set[str]]] = field(default_factory=dict)
    during: dict[str, set[str]] = field(default_factory=dict)
    deciding: dict[str, set[str]] = field(default_factory=dict)
    states: int = 0
    left: int = 0

    @property
    def size(self) -> int:
        """How much was found: it only grows."""
        events = [*self.during.values(), *self.deciding.values()]
        events += [told for moves in self.moves.values() for told in moves.values()]
        return sum(map(len, events))

    @property
    def happened(self) -> set[str]:
        """The events that were recorded at all."""
        return set(self.deciding)


def play(*, played_max: int = PLAYED_MAX, walks: int = WALKS) -> Played:
    """Play until nothing new comes, or so many states were played on."""
    found, deciders = Played(), decisions()
    seen, queues = {shape(INITIAL)}, tuple(deque[State]() for _ in range(4))
    standing: set[tuple[Fact, Fact]] = set()
    together: set[tuple[Fact, Fact]] = set()
    queues[0].extend((INITIAL, *_begun(found)))
    count = 0
    while any(queues) and count < played_max:
        state = next(queue.pop() for queue in queues if queue)
        count += 1
        known, where = known_in(state), places(state)
        for name, decide in deciders.items():
            for events in outcomes(decide, state, known):
                size = found.size
                after = _follow(found, name, state, where, events)
                if after is None or (form := shape(after)) in seen:
                    continue
                seen.add(form)
                stands = set(combinations(sorted(facts(after)), 2))
                all_of_it = set(combinations(sorted({*facts(after), *presence(after)}), 2))
                new = (found.size > size, not stands <= standing, not all_of_it <= together, True)
                queues[new.index(True)].append(after)
                standing |= stands
                together |= all_of_it
    left = [state for queue in queues for state in queue]
    _walk(found, deciders, left, walks, Random(WALKS))  # noqa: S311 - the same walks in every run
    return replace(found, states=count, left=len(left))


def _begun(found: Played) -> list[State]:
    """The orders that have a beginning already."""
    begun: list[State] = []
    for path in beginnings(orders()[0]):
        state: State = INITIAL
        for decide, inputs in path:
            name = f"{decide.__module__.rpartition('.')[2]}.{decide.__name__}"
            state = _follow(found, name, state, places(state), decide(state, **inputs)) or state
        begun.append(state)
    return begun


def _walk(found: Played, deciders: Mapping[str, Decide], left: Sequence[State], walks: int, random: Random) -> None:
    """From states that were left, on by whatever is possible."""
    for _ in range(walks if left else 0):
        state = random.choice(left)
        for _ in range(STEPS):
            name = random.choice(list(deciders))
            possible = [events for events in outcomes(deciders[name], state, known_in(state)) if events]
            if possible:
                state = _follow(found, name, state, places(state), random.choice(possible)) or state


def _follow(
    found: Played, name: str, state: State, where: Mapping[Place, str], events: tuple[e.Event, ...]
) -> State | None:
    """Apply what was decided, event by event, and note what each of them did. None when nothing was decided."""
    if not events:
        return None
    for event in events:
        told = type(event).__name__
        found.deciding.setdefault(told, set()).add(name)
        found.during.setdefault(type(state).__name__, set()).add(told)
        after = evolve(state, event)
        if after is state:
            continue
        following = places(after)
        for place in {**where, **following}:
            move = where.get(place, NOWHERE), following.get(place, NOWHERE)
            if move[0] != move[1]:
                found.moves.setdefault(place[0], {}).setdefault(move, set()).add(told)
        state, where = after, following
    return state


def decisions() -> dict[str, Decide]:
    """Every public function of `orderstore.domain` that takes a state and returns events, by `module.name`."""
    found = {}
    for module in pkgutil.iter_modules(orderstore.domain.__path__):
        loaded = import_module(f"{orderstore.domain.__name__}.{module.name}")
        for name, value in inspect.getmembers(loaded, inspect.isfunction):
            if value.__module__ == loaded.__name__ and name[0] != "_" and _decides(value):
                found[f"{module.name}.{name}"] = value
    return dict(sorted(found.items()))


def _decides(function: Callable[..., object]) -> bool:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].name != "state":
        return False
    if any(parameter.kind is not inspect.Parameter.KEYWORD_ONLY for parameter in parameters[1:]):
        return False
    hints = _hints(function)
    returned = get_args(hints.get("return"))
    recorded = set(get_args(returned[0])) or {returned[0]} if returned[1:] == (Ellipsis,) else set()
    return bool(recorded) and recorded <= set(get_args(e.Event))


@cache
def _hints(function: Callable[..., object]) -> Mapping[str, Any]:
    return get_type_hints(function)


def outcomes(decide: Decide, state: State, known: Known) -> Iterator[tuple[e.Event, ...]]:
    """What the decision comes to with each of the inputs that are tried: all at their first choice, then one of them at another."""
    choices = {name: _inputs(hint, name, known) for name, hint in _parameters(decide).items()}
    first = {name: values[0] for name, values in choices.items()}
    others = ({**first, name: value} for name, values in choices.items() for value in values[1:])
    for inputs in chain((first,), others):
        try:
            yield decide(state, **inputs)
        except (CommandRejected, ImpossibleTransition):
            continue


@cache
def _parameters(decide: Decide) -> Mapping[str, Any]:
    hints = _hints(decide)
    return {name: hints[name] for name in inspect.signature(decide).parameters if name != "state"}


def _inputs(hint: Any, name: str, known: Known) -> tuple[Any, ...]:  # noqa: ANN401
    return orders() if hint is e.OrderCreated else samples(hint, name, known)


@cache
def orders() -> tuple[e.OrderCreated, ...]:
    """An order of two lines, under every rule that an order may be placed with."""
    lines = (
        e.OrderLine(sku="SKU-1", quantity=2, unit_price=Decimal(20)),
        e.OrderLine(sku="SKU-2", quantity=1, unit_price=Decimal(60)),
    )
    plain = e.OrderCreated(
        order_id="order-1",
        channel="api",
        currency="EUR",
        lines=lines,
        total_exact=Decimal(100),
        total_minor=10_000,
        placed_at=NOON,
        request_hash="0" * 64,
    )
    if "terms" not in {one.name for one in fields(e.OrderCreated)}:
        return (plain,)
    terms = samples(get_type_hints(e.OrderCreated)["terms"], "terms", {})
    return (plain, *(replace(plain, terms=one) for one in terms if one is not None))
