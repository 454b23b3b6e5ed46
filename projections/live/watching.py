"""The one watcher of a process: it looks at everything that any stream waits for, many things to a call, and rings those whose thing moved.

It tells of a *level* (the commit at which an order's view stands, the number of an inbox's last note), never of what happened: the stream
reads that itself, after its own last. So nothing is queued for anybody, and no change can fall between two looks.

DynamoDB Streams let two readers share a shard, and there may be many processes like this one: so none of them reads the stream.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

import anyio
from anyio.abc import TaskStatus

from projections.live.observe import LiveObserver, Watched
from projections.live.pace import pause_s, trouble_pause_s
from projections.live.settings import LiveSettings

KEYS_PER_LOOK: Final = 100
"""AWS, BatchGetItem: at most 100 items in a call."""


class Key(NamedTuple):
    """One thing that is watched: an order by its id, or the inbox of a customer by theirs."""

    what: Watched
    id: str


Look = Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]
"""The levels of these ids, of those that there are. Whatever it raises counts as trouble, which is looked at again later."""


@dataclass(slots=True)
class _Thing:
    """What is known of one thing."""

    moved_at_s: float
    look_at_s: float
    level: int = 0
    failures: int = 0
    watches: "set[Watch]" = field(default_factory=set)


class Watch:
    """What one stream waits for: some things, of each of which it has seen this level."""

    def __init__(self, watching: "Watching") -> None:
        self._watching = watching
        self._seen: dict[Key, int] = {}
        self._calm: set[Key] = set()
        self._rung = anyio.Event()

    def follow(self, key: Key, seen: int, *, calm: bool = False) -> None:
        """Wait for this thing to come past this level; `calm`: it will hardly ever."""
        if key not in self._seen:
            self._watching.add(key, self)
        self._seen[key] = seen
        (self._calm.add if calm else self._calm.discard)(key)

    def leave(self, key: Key) -> None:
        """Wait for it no more."""
        if self._seen.pop(key, None) is not None:
            self._calm.discard(key)
            self._watching.remove(key, self)

    def is_calm(self, key: Key) -> bool:
        """Whether it may be looked at seldom, as far as this stream is concerned."""
        return key in self._calm

    def level(self, key: Key) -> int:
        """Where a thing was seen last; 0 before the first look."""
        return self._watching.level(key)

    @property
    def moved(self) -> tuple[Key, ...]:
        """The things that are known to have come past what was seen of them."""
        return tuple(key for key, seen in self._seen.items() if self._watching.level(key) > seen)

    async def wait(self) -> None:
        """Until something has moved, or the watcher has stopped; at once if it is so."""
        while not self.moved and not self._watching.stopped:
            self._rung = anyio.Event()
            await self._rung.wait()

    async def until_stopped(self) -> None:
        """Until the watcher has stopped."""
        await self._watching.until_stopped()

    @property
    def stopped(self) -> bool:
        """Whether the watcher looks no more, for good."""
        return self._watching.stopped

    def ring(self) -> None:
        """Look up: something may have moved."""
        self._rung.set()

    def close(self) -> None:
        """Wait for nothing more."""
        for key in tuple(self._seen):
            self.leave(key)


class Watching:
    """Looks while somebody waits, in rounds; each thing is looked at seldom when it has been quiet for long (`pace.py`)."""

    def __init__(
        self, looks: Mapping[Watched, Look], *, settings: LiveSettings, random: Random, observer: LiveObserver
    ) -> None:
        self._looks = dict(looks)
        self._settings = settings
        self._random = random
        self._observer = observer
        self._things: dict[Key, _Thing] = {}
        self._wanted = anyio.Event()
        self._stopped = anyio.Event()

    @property
    def stopped(self) -> bool:
        """Whether it looks no more, for good."""
        return self._stopped.is_set()

    async def until_stopped(self) -> None:
        """Until it looks no more."""
        await self._stopped.wait()

    @property
    def things(self) -> int:
        """How many things are watched."""
        return len(self._things)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """What a stream waits with; it is forgotten at the end."""
        watch = Watch(self)
        try:
            yield watch
        finally:
            watch.close()

    def level(self, key: Key) -> int:
        """Where a watched thing was seen; 0 before the first look."""
        thing = self._things.get(key)
        return 0 if thing is None else thing.level

    def add(self, key: Key, watch: Watch) -> None:
        """One more waits for it; see `Watch.follow`."""
        thing = self._things.get(key)
        if thing is None:
            now_s = anyio.current_time()
            thing = self._things[key] = _Thing(now_s, now_s + self._spread(self._settings.pause_min_s))
        thing.watches.add(watch)
        self._wanted.set()

    def remove(self, key: Key, watch: Watch) -> None:
        """One less; see `Watch.leave`."""
        thing = self._things[key]
        thing.watches.discard(watch)
        if not thing.watches:
            del self._things[key]

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Look until cancelled; then every stream is told, and ends."""
        task_status.started()
        try:
            while True:
                if not self._things:
                    self._wanted = anyio.Event()
                    await self._wanted.wait()
                await anyio.sleep(self._settings.tick_s)
                await self._round()
        finally:
            self.stop()

    def stop(self) -> None:
        """Nothing will be seen any more: whoever waits is told."""
        self._stopped.set()
        for thing in self._things.values():
            for watch in thing.watches:
                watch.ring()

    async def _round(self) -> None:
        """Look at everything that is due."""
        now_s = anyio.current_time()
        for what, look in self._looks.items():
            due = [key for key, thing in self._things.items() if key.what == what and thing.look_at_s <= now_s]
            for first in range(0, len(due), KEYS_PER_LOOK):
                await self._look(what, look, due[first : first + KEYS_PER_LOOK])

    async def _look(self, what: Watched, look: Look, keys: Sequence[Key]) -> None:
        try:
            levels = await look([key.id for key in keys])
        except Exception as error:  # noqa: BLE001 - whatever it is, the streams of other things go on, and the process with them
            self._observer.look_failed(what=what, error=error)
            self._put_off(keys)
            return
        moved = 0
        now_s = anyio.current_time()
        for key in keys:
            thing = self._things.get(key)
            if thing is None:
                continue  # nobody waits for it any more
            level = levels.get(key.id, 0)
            if level > thing.level:
                moved += 1
                thing.level, thing.moved_at_s = level, now_s
                for watch in thing.watches:
                    watch.ring()
            thing.failures = 0
            calm = all(watch.is_calm(key) for watch in thing.watches)
            thing.look_at_s = now_s + self._spread(
                pause_s(now_s - thing.moved_at_s, calm=calm, settings=self._settings)
            )
        self._observer.looked(what=what, keys=len(keys), moved=moved)

    def _put_off(self, keys: Sequence[Key]) -> None:
        now_s = anyio.current_time()
        for thing in (self._things[key] for key in keys if key in self._things):
            thing.failures += 1
            thing.look_at_s = now_s + self._spread(trouble_pause_s(thing.failures, self._settings))

    def _spread(self, pause: float) -> float:
        """Apart from those of other processes."""
        return pause * self._random.uniform(0.75, 1.0)
