"""A log, an archive in memory, archivers over them, and faults: what the archive's tests share."""

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from random import Random
from typing import Any

import anyio

from orderstore.archive.limits import Limits
from orderstore.archive.positions import MemoryPositions, Position
from orderstore.archive.reader import examine, read
from orderstore.archive.writer import Archiver
from orderstore.objects import MemoryObjectStore
from orderstore.store.chain import seal
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from orderstore.store.trouble import Backoff

START_MS = 1_780_000_000_000
SMALL = Limits(segment_raw_bytes=2_000, segment_orders=3, reads_at_once=2)


class Reports:
    """An ArchiveObserver that counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.lags_ms: list[int] = []

    def archived(self, *, commits: int, raw_bytes: int, segment_bytes: int) -> None:
        assert raw_bytes > 0
        assert segment_bytes > 0
        self.counts["commits"] += commits
        self.counts["segments"] += 1

    def conflicted(self) -> None:
        self.counts["conflicts"] += 1

    def order_refused(self, *, cause: str) -> None:
        self.counts[cause] += 1

    def lag(self, *, lag_ms: int) -> None:
        self.lags_ms.append(lag_ms)


class Crash(Exception):
    """The process died here."""


class Faults:
    """Counts the calls to every port and dies before or after the n-th (1-based)."""

    def __init__(self, *, at: int | None = None, after: bool = False) -> None:
        self.at, self.after = at, after
        self.names: list[str] = []

    def wrap(self, name: str, port: Any) -> Any:
        return _Faulty(name, port, self)

    def begin(self, name: str) -> int:
        self.names.append(name)
        if len(self.names) == self.at and not self.after:
            raise Crash(f"before call {self.at}, {name}")
        return len(self.names)

    def end(self, number: int, name: str) -> None:
        if number == self.at:
            raise Crash(f"after call {number}, {name}")


class _Faulty:
    def __init__(self, name: str, port: Any, faults: Faults) -> None:
        self._name, self._port, self._faults = name, port, faults

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._port, method)
        name = f"{self._name}.{method}"

        async def called(*arguments: Any, **named: Any) -> Any:
            number = self._faults.begin(name)
            answer = await real(*arguments, **named)
            self._faults.end(number, name)
            return answer

        async def pages(*arguments: Any, **named: Any) -> AsyncGenerator[Any, None]:
            number = self._faults.begin(name)
            async with aclosing(real(*arguments, **named)) as found:
                async for page in found:
                    yield page
            self._faults.end(number, name)

        return pages if method == "pages" else called


class Slow:
    """A port whose every call takes some virtual time before and after, so that others get in between."""

    def __init__(self, port: Any, random: Random) -> None:
        self._port, self._random = port, random

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._port, method)

        async def called(*arguments: Any, **named: Any) -> Any:
            await anyio.sleep(self._random.uniform(0, 0.02))
            answer = await real(*arguments, **named)
            await anyio.sleep(self._random.uniform(0, 0.02))
            return answer

        async def pages(*arguments: Any, **named: Any) -> AsyncGenerator[Any, None]:
            async with aclosing(real(*arguments, **named)) as found:
                async for page in found:
                    await anyio.sleep(self._random.uniform(0, 0.02))
                    yield page

        return pages if method == "pages" else called


class SlowRows(MemoryPositions):
    """Positions whose rows are moved one by one, with time between them: whoever dies there has moved some of them."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    async def advance(self, positions: Mapping[str, Position]) -> None:
        for stream, position in positions.items():
            await anyio.sleep(self._random.uniform(0, 0.01))
            await super().advance({stream: position})


class World:
    """One environment: its log, its bucket and its table of positions."""

    def __init__(self, *, limits: Limits = SMALL, positions: MemoryPositions | None = None) -> None:
        self.log = MemoryEventStore(commits_per_page=4)
        self.objects = MemoryObjectStore()
        self.positions = positions or MemoryPositions()
        self.reports = Reports()
        self.limits = limits
        self.time_ms = START_MS

    def now_ms(self) -> int:
        self.time_ms += 1
        return self.time_ms

    def archiver(self, *, faults: Faults | None = None, slow: Random | None = None) -> Archiver:
        """An archiver in a process of its own: it shares the ports and no memory."""
        ports = {"log": self.log, "objects": self.objects, "positions": self.positions}
        if faults is not None:
            ports = {name: faults.wrap(name, port) for name, port in ports.items()}
        if slow is not None:
            ports = {name: Slow(port, slow) for name, port in ports.items()}
        return Archiver(
            *ports.values(),
            now_ms=self.now_ms,
            random=slow or Random(1),
            observer=self.reports,
            limits=self.limits,
            backoff=Backoff(base_s=0.01, ceiling_s=0.1),
        )

    async def grow(self, order: int | str, *bodies: bytes | int) -> Commit:
        """Append commits with these bodies (or of these sizes); the last of them."""
        stream = stream_of(order)
        commits = await self.log.read(stream)
        head = commits[-1] if commits else None
        for body in bodies or (100,):
            number = 1 if head is None else head.number + 1
            content = body if isinstance(body, bytes) else f"{number}:".encode().ljust(body, b"x")
            head = seal(
                stream=stream,
                number=number,
                recorded_at_ms=START_MS + number * 1_000,
                body=content,
                previous=head,
            )
            await self.log.append(head)
        assert head is not None
        return head

    async def history(self) -> dict[str, list[Commit]]:
        """The log, order by order."""
        return {stream: list(await self.log.read(stream)) async for stream in self.log.streams()}

    async def archived(self) -> dict[str, list[Commit]]:
        """The archive, order by order, proven on the way."""
        found: dict[str, list[Commit]] = defaultdict(list)
        async with aclosing(read(self.objects)) as manifests:
            async for _, _, commits in manifests:
                for commit in commits:
                    found[commit.stream].append(commit)
        return dict(found)

    async def faults(self, **options: Any) -> list[tuple[str, int]]:
        """What a verification finds: kind and manifest."""
        async with aclosing(examine(self.objects, **options)) as examined:
            return [(fault.kind, fault.manifest) async for one in examined for fault in one.faults]

    async def manifests(self) -> int:
        """How many there are."""
        return len([key async for key in self.objects.keys("archive/manifests/")])

    async def orphans(self) -> int:
        """Segments that no manifest names."""
        named = set()
        async with aclosing(examine(self.objects)) as examined:
            async for one in examined:
                assert one.manifest is not None
                named.add(one.manifest.segment.key)
        return len({key async for key in self.objects.keys("archive/segments/")} - named)


def stream_of(order: int | str) -> str:
    return f"main/order-{order}"


def wanted(*orders: int | str, commit: int | None = None) -> dict[str, int | None]:
    return {stream_of(order): commit for order in orders}


def bodies(commits: Sequence[Commit]) -> list[bytes]:
    return [commit.body for commit in commits]
