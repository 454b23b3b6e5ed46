"""Breadth-first search through every state of the lease model, and whether each of them can still come to a good end."""

from collections import deque
from dataclasses import dataclass

from tests.projections.stream.lease_model import Model
from tests.projections.stream.lease_state import NOBODY, Broken, Local, Row, State

REMEMBERED_MAX = 400_000


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has seen. `broken` says what went wrong and `trace` how it came to it, as short as can be."""

    states: int
    steps: int
    broken: str | None = None
    trace: tuple[str, ...] = ()
    whole: bool = True  # False: the bound ended the search


def search(model: Model, *, states_max: int) -> Found:
    """Visit every state; stop at the first that breaks an invariant, or from which no good end can be reached."""
    sound = model.rules.condition_is_sound

    smaller: dict[State, State] = {}

    def small(state: State) -> State:
        """Most steps lead to where another one has led: a state that was seen as it is need not be made small again."""
        found = smaller.get(state)
        if found is None:
            alive = without_the_dead(state) if sound else state
            found = smaller.get(alive) or canonical(alive)
            if len(smaller) > REMEMBERED_MAX:
                smaller.clear()
            smaller[state] = smaller[alive] = found
        return found

    first = small(model.initial())
    numbers: dict[State, int] = {first: 0}
    came_from: list[tuple[int, str]] = [(0, "")]
    behind: list[list[int]] = [[]]  # for each state the ones that lead to it
    good: list[int] = []
    waiting = deque([first])
    steps = 0
    while waiting:
        state = waiting.popleft()
        number = numbers[state]
        try:
            model.check(state)
            if model.done(state):
                good.append(number)
            for name, reached in model.steps(state):
                steps += 1
                following = small(reached)
                at = numbers.get(following)
                if at is None:
                    at = numbers[following] = len(numbers)
                    came_from.append((number, name))
                    behind.append([])
                    waiting.append(following)
                if "dies" not in name:  # a good end must not need another death
                    behind[at].append(number)
        except Broken as broken:
            return Found(len(numbers), steps, str(broken), _trace(came_from, number))
        if len(numbers) > states_max:
            return Found(len(numbers), steps, whole=False)
    stuck = _first_stuck(behind, good)
    if stuck is not None:
        return Found(len(numbers), steps, "no good end can be reached any more", _trace(came_from, stuck))
    return Found(len(numbers), steps)


def without_the_dead(state: State) -> State:
    """The same state without what can have no effect any more, because the store would refuse it or no look would use it."""
    letters = tuple(
        letter
        for letter in state.letters
        if (row := state.rows[letter.shard]) is not None
        and (letter.updated == row or (letter.seen.owner, letter.seen.counter) == (row.owner, row.counter))
    )
    workers = []
    for worker, locals_ in enumerate(state.workers):
        if locals_ is None:
            workers.append(None)
            continue
        kept = []
        for shard, (seen, held) in enumerate(locals_):
            row = state.rows[shard]
            if seen is not None and (
                row is None or row.owner in (NOBODY, worker) or (seen.owner, seen.counter) != (row.owner, row.counter)
            ):
                seen = None  # noqa: PLW2901 - the part that is left out
            if held is not None and held.uncertain:
                alive = tuple(
                    tried
                    for tried in held.uncertain
                    if tried == row or any(letter.updated == tried and letter.shard == shard for letter in letters)
                )
                held = held._replace(uncertain=alive)  # noqa: PLW2901 - as above
            kept.append(Local(seen, held))
        workers.append(tuple(kept))
    return state._replace(letters=letters, workers=tuple(workers))


def canonical(state: State) -> State:
    """The same state with counters made small: only their order matters, and whether two are neighbours."""
    changed: list[dict[int, int]] = []
    for shard, row in enumerate(state.rows):
        used: set[int] = set() if row is None else {row.counter}
        for locals_ in state.workers:
            if locals_ is None:
                continue
            seen, held = locals_[shard]
            if seen is not None:
                used.add(seen.counter)
            if held is not None:
                used.add(held.stored.counter)
                used.update(uncertain.counter for uncertain in held.uncertain)
        for letter in state.letters:
            if letter.shard == shard:
                used.update((letter.seen.counter, letter.updated.counter))
        small: dict[int, int] = {}
        last, value = 0, 0
        for counter in sorted(used):
            value += min(2, counter - last) if small else 0
            small[counter], last = value, counter
        changed.append(small)
    if all(counter == value for small in changed for counter, value in small.items()):
        return state

    def of(shard: int, row: Row) -> Row:
        return row._replace(counter=changed[shard][row.counter])

    workers = tuple(
        locals_
        if locals_ is None
        else tuple(
            local._replace(
                seen=local.seen and local.seen._replace(counter=changed[shard][local.seen.counter]),
                held=local.held
                and local.held._replace(
                    stored=of(shard, local.held.stored),
                    uncertain=tuple(of(shard, row) for row in local.held.uncertain),
                ),
            )
            for shard, local in enumerate(locals_)
        )
        for locals_ in state.workers
    )
    letters = tuple(
        letter._replace(seen=of(letter.shard, letter.seen), updated=of(letter.shard, letter.updated))
        for letter in state.letters
    )
    rows = tuple(None if row is None else of(shard, row) for shard, row in enumerate(state.rows))
    return state._replace(rows=rows, workers=workers, letters=letters)


def _trace(came_from: list[tuple[int, str]], number: int) -> tuple[str, ...]:
    names: list[str] = []
    while number:
        number, name = came_from[number]
        names.append(name)
    return tuple(reversed(names))


def _first_stuck(behind: list[list[int]], good: list[int]) -> int | None:
    reached = bytearray(len(behind))
    waiting = list(good)
    for number in waiting:
        reached[number] = 1
    while waiting:
        for before in behind[waiting.pop()]:
            if not reached[before]:
                reached[before] = 1
                waiting.append(before)
    return next((number for number, fine in enumerate(reached) if not fine), None)
