"""How workers share shards out, as a transition system small enough to be searched whole. The shares are the product's own functions.

Each worker looks, and acts later on what it saw then, while others act too: it gives shards back (marks them; their tasks end them at any
later moment) or takes free ones, which fails for a shard that is not free any more. Workers join and die; what a dead one had is free
some time later. Shards are alike, so only how many of each kind there are counts.

What is asked for is not a state but an end: in whatever order fair workers go on once nobody joins or dies any more, they come to
even shares with every shard read, and stay there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Final, NamedTuple

from projections.stream.balance import shares_to_give_up, shares_to_take

NOBODY: Final = -1
UNSEEN: Final = -2
ABSENT, ALIVE, DEAD, OVER = "absent", "alive", "dead", "over"


class Shard(NamedTuple):
    owner: int
    stopping: bool
    seen: tuple[int, ...]  # its owner as each worker saw it


class State(NamedTuple):
    shards: tuple[Shard, ...]  # sorted: which is which does not matter
    workers: tuple[str, ...]
    seen: tuple[frozenset[int] | None, ...]  # the workers that each worker saw; None: it has acted on that


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What is searched, and the rules, which a test may break."""

    shards: int
    workers: int
    deaths: int = 0
    maximum: int = 1_000
    take: Callable[..., int] = shares_to_take
    give_up: Callable[..., int] = shares_to_give_up
    sees_presence: bool = True

    def initial(self) -> State:
        unseen = (UNSEEN,) * self.workers
        shards = tuple(Shard(NOBODY, False, unseen) for _ in range(self.shards))
        return State(shards, (ABSENT,) * self.workers, (None,) * self.workers)

    def good(self, state: State) -> bool:
        """Every shard is read, or every worker has all it may; nobody has two more than another."""
        counts = {worker: 0 for worker, how in enumerate(state.workers) if how == ALIVE}
        if not counts:
            return True
        for shard in state.shards:
            if shard.stopping or shard.owner not in {NOBODY, *counts}:
                return False
            if shard.owner != NOBODY:
                counts[shard.owner] += 1
        owned = sum(counts.values())
        full = owned == self.shards or min(counts.values()) == self.maximum
        return full and max(counts.values()) - min(counts.values()) <= 1

    def changes(self, state: State) -> Iterator[State]:
        """Workers come and go; only so often."""
        for worker, how in enumerate(state.workers):
            if how == ABSENT:
                yield state._replace(workers=_with(state.workers, worker, ALIVE))
            if how == ALIVE and sum(w in (DEAD, OVER) for w in state.workers) < self.deaths:
                seen = _with(state.seen, worker, None)
                shards = tuple(s._replace(seen=_with(s.seen, worker, UNSEEN)) for s in state.shards)
                yield _sorted(State(shards, _with(state.workers, worker, DEAD), seen))

    def steps(self, state: State) -> Iterator[tuple[object, State]]:
        """What goes on by itself, and who or what does it: a worker, a shard's end, a lease that expires."""
        for place, shard in enumerate(state.shards):
            if shard.stopping and state.workers[shard.owner] == ALIVE:
                ended = shard._replace(owner=NOBODY, stopping=False)
                yield "end", _sorted(state._replace(shards=_with(state.shards, place, ended)))
        for worker, how in enumerate(state.workers):
            if how == DEAD:
                freed = tuple(
                    s._replace(owner=NOBODY, stopping=False) if s.owner == worker else s for s in state.shards
                )
                yield "expiry", _sorted(State(freed, _with(state.workers, worker, OVER), state.seen))
            if how == ALIVE:
                if state.seen[worker] is None:
                    yield worker, self._look(state, worker)
                else:
                    for after in self._act(state, worker):
                        yield worker, after

    def _look(self, state: State, worker: int) -> State:
        live = {other for other, how in enumerate(state.workers) if how in (ALIVE, DEAD)}
        if not self.sees_presence:
            live &= {worker, *(shard.owner for shard in state.shards)}
        shards = tuple(shard._replace(seen=_with(shard.seen, worker, shard.owner)) for shard in state.shards)
        return _sorted(State(shards, state.workers, _with(state.seen, worker, frozenset(live))))

    def _act(self, state: State, worker: int) -> Iterator[State]:
        """See `Coordinator._share`."""
        seen = state.seen[worker] or frozenset()
        mine = [place for place, shard in enumerate(state.shards) if shard.owner == worker]
        others = [shard.seen[worker] for place, shard in enumerate(state.shards) if place not in mine]
        # A row that shows this worker as its owner though it does not hold it is free to it, see `is_free`.
        held = dict.fromkeys([*seen, *(owner for owner in others if owner >= 0), worker], 0)
        held[worker] = len(mine)
        free: list[int] = []
        for place, shard in enumerate(state.shards):
            if place in mine:
                continue
            if shard.seen[worker] in (NOBODY, worker):
                free.append(place)
            else:
                held[shard.seen[worker]] += 1
        names = {str(owner): count for owner, count in held.items()}
        give_up = self.give_up(held=names, me=str(worker), readable=self.shards, free=len(free))
        stopping = sum(state.shards[place].stopping for place in mine)
        take = self.take(held=names, me=str(worker), readable=self.shards, maximum=self.maximum)
        if give_up or stopping:
            chosen, change = mine, self._stopped
            count = max(0, give_up - stopping)
        else:
            chosen, change, count = free, self._taken, take
        acted = state._replace(seen=_with(state.seen, worker, None))
        for places in combinations(chosen, min(count, len(chosen))):
            shards = [
                (change(shard, worker) if place in places else shard)._replace(seen=_with(shard.seen, worker, UNSEEN))
                for place, shard in enumerate(acted.shards)
            ]
            yield _sorted(acted._replace(shards=tuple(shards)))

    @staticmethod
    def _stopped(shard: Shard, worker: int) -> Shard:
        return shard._replace(stopping=True)

    @staticmethod
    def _taken(shard: Shard, worker: int) -> Shard:
        return shard._replace(owner=worker) if shard.owner == NOBODY else shard


@dataclass(frozen=True, slots=True)
class Ends:
    """How many states there are, and one in which fair workers may go round for ever though it is not good."""

    states: int
    bad: State | None


def ends(model: Shares, *, states_max: int) -> Ends:
    """Search every state; raises `ValueError` when there are more than `states_max`."""
    first = model.initial()
    numbers = {first: 0}
    found = [first]
    after: list[list[tuple[object, int]]] = []
    for state in found:
        steps: list[tuple[object, int]] = []
        for who, reached in [*model.steps(state), *((None, changed) for changed in model.changes(state))]:
            at = numbers.get(reached)
            if at is None:
                at = numbers[reached] = len(found)
                found.append(reached)
            if who is not None:
                steps.append((who, at))
        after.append(steps)
        if len(found) > states_max:
            raise ValueError(f"more than {states_max} states")
    for circle in _circles(after):
        states = [found[number] for number in circle]
        if all(model.good(state) for state in states):
            continue
        inside = set(circle)
        walked = {who for number in circle for who, at in after[number] if at in inside}
        alive = {worker for worker, how in enumerate(states[0].workers) if how == ALIVE}
        # Fair: each worker goes on, and what can always expire or end does so in the end.
        owed = {who for who in ("end", "expiry") if all(_has(who, after[number]) for number in circle)}
        if alive | owed <= walked:
            return Ends(len(found), next(state for state in states if not model.good(state)))
    return Ends(len(found), None)


def _has(who: str, steps: list[tuple[object, int]]) -> bool:
    return any(name == who for name, _ in steps)


def _circles(after: list[list[tuple[object, int]]]) -> Iterator[list[int]]:
    """The strongly connected components (Tarjan's algorithm, without recursion); lone states that lead nowhere included."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    for root in range(len(after)):
        if root in index:
            continue
        work = [(root, iter(after[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            number, rest = work[-1]
            for _, at in rest:
                if at not in index:
                    index[at] = low[at] = len(index)
                    stack.append(at)
                    on_stack.add(at)
                    work.append((at, iter(after[at])))
                    break
                if at in on_stack:
                    low[number] = min(low[number], index[at])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[number])
                if low[number] == index[number]:
                    circle = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        circle.append(member)
                        if member == number:
                            break
                    yield circle


def _sorted(state: State) -> State:
    return state._replace(shards=tuple(sorted(state.shards)))


def _with(values: tuple, place: int, value: object) -> tuple:
    return (*values[:place], value, *values[place + 1 :])
