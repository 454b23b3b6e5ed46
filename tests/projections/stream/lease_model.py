"""The lease protocol as a transition system small enough to be searched whole. The guards are the product's own functions.

Workers look at the rows and the listing, take free leases, apply records, store how far they came, give leases back, end without
a word. A write may be done at once, or be held up on its way and arrive at any later moment or never. Shards close and appear in the
listing in any order, and leave it again; records leave the stream, read or not, and what an owner then misses is a gap that it marks,
back-fills and clears. Clocks tick; every number of the store and of the clocks is kept relative, so that the
number of states is finite.

A row is (owner, counter, checkpoint): owner -1 is nobody; checkpoint 0 is the trim horizon, 1 to n the records, n + 1 the shard's end.
"""

from collections.abc import Iterator

from projections.stream import Lease
from projections.stream.leases import is_ahead
from tests.projections.stream.lease_answers import Answers
from tests.projections.stream.lease_state import (
    DURATION,
    NOBODY,
    Broken,
    Held,
    Letter,
    Local,
    Row,
    Rules,
    Shape,
    State,
    first,
    holding,
    outdated,
    sent,
    with_value,
)


class Model(Answers):
    """Initial state, successors, and what must hold."""

    def __init__(self, shape: Shape, rules: Rules | None = None, *, notes_writes: bool = False) -> None:
        super().__init__(shape, rules)
        self.notes_writes = notes_writes
        self.writes: list[tuple[Lease, Lease, bool]] = []  # judged since it was cleared: seen, updated, accepted

    def initial(self) -> State:
        shards = self.shards
        nothing = tuple(Local(None, None) for _ in shards)
        roots = tuple(not self.shape.parents[shard] for shard in shards)
        leaves = tuple(not any(shard in parents for parents in self.shape.parents) for shard in shards)
        return State(
            rows=tuple(None for _ in shards),
            gone=tuple(False for _ in shards),
            applied=tuple(0 for _ in shards),
            trimmed=tuple(0 for _ in shards),
            closed=leaves,
            listed=roots,
            workers=tuple(nothing for _ in range(self.shape.workers)),
            letters=(),
        )

    def done(self, state: State) -> bool:
        """Every record is applied and every shard is over."""
        return state.applied == tuple(map(first, self.shape.records)) and all(
            state.gone[shard] or (row is not None and row.checkpoint == self.shape.end(shard) and not row.gap)
            for shard, row in enumerate(state.rows)
        )

    def check(self, state: State) -> None:
        """What must hold in every state; what must hold of steps is checked where they are made."""
        for shard in self.shards:
            readers = 0
            for locals_ in state.workers:
                held = None if locals_ is None else locals_[shard].held
                if held is not None and self.valid(held):
                    readers += 1
            if readers > 1:
                raise Broken(f"two workers read {self.names[shard]} at once")

    # -- steps

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Every step from here, by name. Raises `Broken` when one breaks an invariant."""
        yield from self._surroundings(state)
        for letter in dict.fromkeys(state.letters):
            rest = list(state.letters)
            rest.remove(letter)
            without = state._replace(letters=tuple(rest))
            yield f"the write of {letter.worker} is lost", without
            yield f"the write of {letter.worker} arrives", self._arrive(without, letter)[0]
        for worker, locals_ in enumerate(state.workers):
            if locals_ is not None:
                yield from self._worker(state, worker, locals_)

    def _surroundings(self, state: State) -> Iterator[tuple[str, State]]:
        yield "tick", self._tick(state)
        for shard in self.shards:
            parents = self.shape.parents[shard]
            if not state.closed[shard]:
                yield f"{shard} closes", state._replace(closed=with_value(state.closed, shard, True))
            if not state.listed[shard] and parents and not state.gone[shard] and state.rows[shard] is None:
                yield f"{shard} is listed", state._replace(listed=with_value(state.listed, shard, True))
            if sum(state.trimmed) < self.shape.trims and state.trimmed[shard] < self.shape.records[shard]:
                gone = with_value(state.trimmed, shard, state.trimmed[shard] + 1)
                yield f"a record of {shard} is trimmed", state._replace(trimmed=gone)
            row = state.rows[shard]
            over = row is not None and row.checkpoint == self.shape.end(shard)
            if state.listed[shard] and over and self._children_listed(state, shard):
                yield f"{shard} is trimmed", state._replace(listed=with_value(state.listed, shard, False))
        dead = sum(worker is None for worker in state.workers)
        if dead < min(self.shape.crashes, self.shape.workers - 1):
            for worker, locals_ in enumerate(state.workers):
                if locals_ is not None:
                    yield f"{worker} dies", state._replace(workers=with_value(state.workers, worker, None))

    def _children_listed(self, state: State, shard: int) -> bool:
        children = [child for child in self.shards if shard in self.shape.parents[child]]
        return all(state.rows[child] is not None or state.gone[child] for child in children)

    def _worker(self, state: State, worker: int, locals_: tuple[Local, ...]) -> Iterator[tuple[str, State]]:
        looked = self._look(state, worker)
        _, may_read, over = self.lineage(looked.rows, looked.listed)
        yield f"{worker} looks", looked
        room = len(state.letters) < self.shape.letters
        seen_by = looked.workers[worker]
        for shard in may_read:
            row, seen = looked.rows[shard], seen_by[shard].seen
            if locals_[shard].held is not None or row is None or not self.is_free(shard, row, seen, worker):
                continue
            mine = self.rules.taken(self.lease(shard, row), owner=str(worker), caught_up_to_ms=1)
            letter = Letter(worker, shard, row, self.row(shard, mine), take=True, current=False)
            after, accepted = self._arrive(looked, letter)
            if accepted:
                mine_now = letter.updated
                held = Held(mine_now, mine_now.checkpoint, 0, True, (), mine_now.gap, mine_now.start)
                yield f"{worker} takes {shard}", holding(after, worker, shard, held)
            if room:
                yield f"{worker} sends a take of {shard}", sent(looked, letter)
        for shard in over:
            if locals_[shard].held is None:
                tidied = looked._replace(
                    rows=with_value(looked.rows, shard, None), gone=with_value(looked.gone, shard, True)
                )
                yield f"{worker} tidies {shard} away", tidied
        for shard, local in enumerate(locals_):
            if local.held is not None:
                yield from self._owner(state, worker, shard, local.held, room)

    def _owner(self, state: State, worker: int, shard: int, held: Held, room: bool) -> Iterator[tuple[str, State]]:
        end = self.shape.end(shard)
        valid = self.valid(held)
        if not valid:
            yield f"{worker} stops reading {shard}", holding(state, worker, shard, None)
        if valid and held.gap:
            yield from self._gap(state, worker, shard, held)
        elif valid and held.reached < state.trimmed[shard] and held.now != end:
            yield f"{worker} notes a gap of {shard}", self._note_gap(state, worker, shard, held)
        elif valid and held.reached < end - 1:
            yield f"{worker} applies a record of {shard}", self._apply(state, worker, shard, held)
            if not self.rules.applies_first:
                yield (
                    f"{worker} notes a record of {shard}",
                    holding(state, worker, shard, held._replace(now=held.reached + 1)),
                )
        elif valid and held.now != end and state.closed[shard] and self.rules.stores_ends:
            yield f"{worker} ends {shard}", holding(state, worker, shard, held._replace(now=end))
        for release in (False, True):
            if held.now == end and not release:
                continue  # the end is stored and the lease given back in one write
            verb = "releases" if release else "stores"
            yield f"{worker} {verb} {shard}", self._store(state, worker, shard, held, release)
            if room:
                updated = self.written(shard, held, release)
                letter = Letter(worker, shard, held.stored, updated, take=False, current=held.current)
                uncertain = tuple(sorted({*held.uncertain, updated}))
                kept = None if release else held._replace(uncertain=uncertain)
                yield f"{worker} {verb} {shard}, no answer", sent(holding(state, worker, shard, kept), letter)

    # -- what steps do

    def _look(self, state: State, worker: int) -> State:
        missing, _, _ = self.lineage(state.rows, state.listed)
        rows = list(state.rows)
        for shard in missing:
            if state.gone[shard]:
                raise Broken(f"{self.names[shard]} is leased anew though it was over")
            rows[shard] = Row(NOBODY, 0, 0)
        locals_ = state.workers[worker]
        seen = tuple(
            local._replace(seen=None if row is None else self.sighted(shard, local.seen, row))
            for shard, (local, row) in enumerate(zip(locals_, rows, strict=True))
        )
        return state._replace(rows=tuple(rows), workers=with_value(state.workers, worker, seen))

    def _apply(self, state: State, worker: int, shard: int, held: Held) -> State:
        for parent in self.shape.parents[shard]:
            if state.applied[parent] != first(self.shape.records[parent]) or not state.closed[parent]:
                raise Broken(f"a record of {self.names[shard]} is applied before the last of its parent")
        now = held.reached + 1
        applied = with_value(state.applied, shard, state.applied[shard] | 1 << (now - 1))
        return holding(state._replace(applied=applied), worker, shard, held._replace(now=now))

    def _gap(self, state: State, worker: int, shard: int, held: Held) -> Iterator[tuple[str, State]]:
        """The mark is stored before the back-fill, and cleared after it."""
        cleared = holding(state, worker, shard, self.healed(shard, held))
        if held.stored.gap:
            # The table gives at least what the stream has lost.
            found = state.applied[shard] | first(state.trimmed[shard])
            yield f"{worker} heals {shard}", cleared._replace(applied=with_value(state.applied, shard, found))
            if not self.rules.heals_first:
                yield f"{worker} clears the mark of {shard}", cleared

    def _note_gap(self, state: State, worker: int, shard: int, held: Held) -> State:
        return holding(state, worker, shard, self.noted(shard, held, state.trimmed[shard]))

    def _store(self, state: State, worker: int, shard: int, held: Held, release: bool) -> State:
        letter = Letter(
            worker, shard, held.stored, self.written(shard, held, release), take=False, current=held.current
        )
        after, accepted = self._arrive(state, letter)
        row = state.rows[shard]
        if not accepted and row is not None and row in held.uncertain:
            held = held._replace(
                stored=row
            )  # its own earlier write had happened after all; this one goes on from there
            letter = letter._replace(seen=row, updated=self.written(shard, held, release))
            after, accepted = self._arrive(state, letter)
        if not accepted:
            return holding(state, worker, shard, None)  # it is somebody else's
        if release:
            return holding(after, worker, shard, None)
        return holding(after, worker, shard, held._replace(stored=letter.updated, age=0, uncertain=()))

    def _arrive(self, state: State, letter: Letter) -> tuple[State, bool]:
        """The store judges a write."""
        shard, row, updated = letter.shard, state.rows[letter.shard], letter.updated
        accepted = row == updated or self.unmoved(shard, row, letter.seen)
        if self.notes_writes:
            self.writes.append((self.lease(shard, letter.seen), self.lease(shard, updated), accepted))
        if row == updated or not accepted:
            return state, accepted
        if row is None:
            raise Broken("a row comes back by a write")
        if not letter.take and not letter.current:
            raise Broken(f"a checkpoint of {letter.worker} is stored though {self.names[shard]} was taken from it")
        before, after = (self.lease(shard, found).checkpoint for found in (row, updated))
        if after != before and not is_ahead(after, before) and not updated.gap:
            raise Broken(f"the checkpoint of {self.names[shard]} goes back from {before} to {after}")
        ended = updated.checkpoint == self.shape.end(shard)
        claimed = 0 if updated.gap else first(min(updated.reached, self.shape.records[shard]))
        if claimed & ~state.applied[shard] or (ended and (updated.gap or not state.closed[shard])):
            raise Broken(f"{self.names[shard]} is stored as further than it was applied")
        if letter.take or updated.owner == NOBODY:
            state = outdated(state, shard)
        return state._replace(rows=with_value(state.rows, shard, updated)), True

    def _tick(self, state: State) -> State:
        def older(local: Local) -> Local:
            seen, held = local
            if seen is not None:
                seen = seen._replace(age=min(DURATION, seen.age + 1))
            if held is not None:
                held = held._replace(age=min(DURATION, held.age + 1))
            return Local(seen, held)

        return state._replace(
            workers=tuple(locals_ if locals_ is None else tuple(map(older, locals_)) for locals_ in state.workers)
        )
