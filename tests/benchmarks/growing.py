"""Whether the log stays as quick as it grows, and what a snapshot saves of a very long order."""

from collections.abc import Awaitable, Callable
from random import Random
from statistics import median
from time import perf_counter, process_time

from orderstore import codec
from orderstore.domain import events as e
from orderstore.recorded import Actor, Cause
from orderstore.snapshots.shelf import SnapshotShelf
from orderstore.snapshots.standing import COMMITS_BEFORE_LOOKING, read_standing, take_snapshot
from orderstore.store import items
from orderstore.store.chain import seal
from orderstore.store.port import Commit
from orderstore.transact import Transactor
from tests.benchmarks.logs import Backend, fill, renamed
from tests.benchmarks.measures import Comparison, Result
from tests.benchmarks.real_orders import Histories
from tests.benchmarks.writing import append, load
from tests.builders import NOON, PAID_AT_ONCE, line, order_created

FLAT_MIN = 0.9
READ_UNIT_BYTES = 4_096
SIZES = (1_000, 10_000, 100_000)
FILLED_AT_ONCE = 5_000


async def growth(
    log: Backend, histories: Histories, *, sizes: tuple[int, ...], rounds: int, calls: int
) -> list[Result]:
    """Append and load at each size of the log. The table itself grows slower with size; that is the emulator's, and the bare calls' too: so
    what must stay flat is the ratio to them."""
    results: list[Result] = []
    random = Random(7)
    streams: list[str] = []
    first: tuple[Comparison, Comparison] | None = None
    for size in sizes:
        while len(streams) < size:
            streams += await _more_orders(
                log, histories, start=len(streams), count=min(FILLED_AT_ONCE, size - len(streams))
            )
        appended = await append(log, histories, rounds=rounds, appends=calls, name=f"g{size:06d}")
        loaded = await load(log, random.sample(streams, min(len(streams), 1_000)), rounds=rounds, loads=calls)
        first = first or (appended, loaded)
        for what, now, then in (("append", appended, first[0]), ("load + fold", loaded, first[1])):
            if now is then:
                results.append(Result(name=f"{what} at {size} orders, against bare", value=now.ratio, note=now.spread))
                continue
            results.append(
                Result(
                    name=f"{what} at {size} orders, ratio over that at {sizes[0]}",
                    value=now.ratio / then.ratio,
                    floor=FLAT_MIN,
                    note=now.spread,
                )
            )
    return results


async def _more_orders(log: Backend, histories: Histories, *, start: int, count: int) -> list[str]:
    """Real orders as they are just placed and paid: two commits each, so that a large log fits the emulator's memory."""
    commits: list[Commit] = []
    streams: list[str] = []
    shortest = sorted(histories, key=lambda order: len(order[0].body))[: len(histories) // 2]
    for number in range(start, start + count):
        copy = renamed(shortest[number % len(shortest)][:2], f"{number:012d}")
        streams.append(copy[0].stream)
        commits += copy
    await fill(log, commits)
    return streams


async def long_order(log: Backend, *, commits: int, reads: int) -> list[Result]:
    """One order of so many commits, all refunds of a penny: read whole, and read from a snapshot on."""
    stream = "test/order-ffffffff-0000-0000-0000-000000000001"
    history = long_history(stream, commits)
    await fill(log, history)
    shelf = SnapshotShelf(log.objects)
    transactor = Transactor(log.store, now_ms=lambda: 0)
    whole = [await _timed(lambda: transactor.load(stream)) for _ in range(reads)]
    without = [await _timed(lambda: read_standing(log.store, shelf, stream)) for _ in range(reads)]
    taking_s, _ = await _timed(lambda: take_snapshot(log.store, shelf, stream))
    resumed = [await _timed(lambda: read_standing(log.store, shelf, stream)) for _ in range(reads)]
    finding = [await _timed(lambda: shelf.newest(stream, after=COMMITS_BEFORE_LOOKING)) for _ in range(reads)]
    sizes = [items.item_bytes(items.encode(commit).item) for commit in history]
    units_whole, units_resumed = (
        _read_units(sizes),
        _read_units(sizes[:COMMITS_BEFORE_LOOKING]) + _read_units(sizes[-1:]),
    )

    def told(calls: list[tuple[float, float]]) -> str:
        return (
            f"{median(wall for wall, _ in calls) * 1e3:.0f} ms ({median(cpu for _, cpu in calls) * 1e3:.0f} of our CPU)"
        )

    return [
        Result(
            name=f"order of {commits} commits: our CPU, whole / from a snapshot",
            value=median(cpu for _, cpu in whole) / median(cpu for _, cpu in resumed),
            note=f"whole {told(whole)}, state only {told(without)}, from the snapshot {told(resumed)}, of which finding and reading "
            f"it {told(finding)}; taking it {taking_s * 1e3:.0f} ms",
        ),
        Result(
            name=f"order of {commits} commits: read units, whole / from a snapshot",
            value=units_whole / units_resumed,
            note=f"reckoned from the items' bytes: {units_whole} against {units_resumed} and two requests to the object store",
        ),
    ]


def _read_units(sizes: list[int]) -> int:
    """A strongly consistent Query: one unit per started 4 KB of what it reads."""
    return -(-sum(sizes) // READ_UNIT_BYTES)


def long_history(stream: str, commits: int) -> list[Commit]:
    """An order of a thousand pounds in pennies, paid at once, and refunded a penny at a time."""
    cause = Cause(
        causation_id="benchmark", purpose="refund", correlation_id="c", actor=Actor("operator", "o"), source="benchmark"
    )
    first = order_created((line("PENNY", 100_000, "0.01"),))
    head = _commit(None, stream, cause, 1, (first,))
    made = [head]
    events: tuple[e.Event, ...]
    for number in range(2, commits + 1):
        if number == 2:
            events = (PAID_AT_ONCE,)
        elif number % 2:
            events = (_asked(number),)
        else:
            events = (
                e.RefundIssued(
                    refund_id=_asked(number - 1).refund_id, amount_minor=1, provider_reference=f"re_{number}"
                ),
            )
        made.append(_commit(made[-1], stream, cause, number, events))
    return made


def _asked(number: int) -> e.RefundRequested:
    return e.RefundRequested(refund_id=f"r{number}", amount_minor=1, lines=(e.Pieces(line=0, quantity=1),))


def _commit(previous: Commit | None, stream: str, cause: Cause, number: int, events: tuple[e.Event, ...]) -> Commit:
    body = codec.encode(events, cause=cause, first_version=number, occurred_at=NOON)
    return seal(stream=stream, number=number, recorded_at_ms=number, body=body, previous=previous)


async def _timed(call: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Seconds by the clock, and of this process's own time."""
    wall, cpu = perf_counter(), process_time()
    await call()
    return perf_counter() - wall, process_time() - cpu
