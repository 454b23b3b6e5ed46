"""Decode and fold: events per second of one core's time, against `orjson.loads` alone of the same bytes; and that memory stays flat."""

import gc
import tracemalloc
from collections import Counter
from collections.abc import Callable
from statistics import median
from time import process_time

import orjson

from orderstore import codec
from orderstore.history import History, Standing
from orderstore.store import items
from orderstore.store.port import Commit
from tests.benchmarks.measures import Result
from tests.benchmarks.real_orders import Histories

EVENTS_PER_S_MIN = 120_000
"""150,000 until an order's state had twice as many parts to be copied with each event (docs/performance.md, "Replay")."""
MEMORY_GROWTH_MAX = 1.10


def replay(histories: Histories, *, rounds: int) -> list[Result]:
    """The clock is the process's own time, so that neighbours on the machine count as little as they can."""
    ways: dict[str, Callable[[tuple[Commit, ...]], object]] = {
        "orjson": lambda commits: [orjson.loads(commit.body) for commit in commits],
        "decode": lambda commits: [codec.decode(commit) for commit in commits],
        "history": lambda commits: History(stream=commits[0].stream).then(*commits),
        "standing": lambda commits: Standing(stream=commits[0].stream).then(*commits),
    }
    events = sum(len(codec.decode(commit)) for commits in histories for commit in commits)
    body_bytes = sum(len(commit.body) for commits in histories for commit in commits)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = process_time()
            for commits in histories:
                way(commits)
            if number > 0:
                rates[name].append(events / (process_time() - started))
    rate = {name: median(found) for name, found in rates.items()}
    what = (
        f"{len(histories)} real orders, {events} events, {body_bytes / 1e6:.1f} MB of bodies; median of {rounds} rounds"
    )
    return [
        Result(
            name="replay (decode + fold), events/s per core", value=rate["history"], floor=EVENTS_PER_S_MIN, note=what
        ),
        Result(name="  the same without keeping the events", value=rate["standing"]),
        Result(name="  decode alone", value=rate["decode"]),
        Result(name="  orjson.loads alone, no types, no fold", value=rate["orjson"]),
        Result(name="  replay / orjson.loads", value=rate["history"] / rate["orjson"]),
    ]


def flat_memory(histories: Histories) -> Result:
    """Peak of what is allocated while replaying all orders ten times over, against once: what one order needs, nothing that adds up.

    The interpreter's own free lists (CPython 3.11 keeps up to 2,000 tuples of each short length) are emptied after each time.
    """
    once, often = _peak(histories, times=1), _peak(histories, times=10)
    return Result(
        name="replay: peak memory, all orders ten times / once",
        value=often / once,
        floor=MEMORY_GROWTH_MAX,
        at_most=True,
        note=f"peaks of {often / 1024:.0f} KB and {once / 1024:.0f} KB, over {10 * len(histories)} and {len(histories)} orders",
    )


def write_units(histories: Histories) -> list[tuple[str, int, int, float, int]]:
    """By the events of a commit: how many commits, bytes (mean), write units (mean, largest). An invoice's are those of its transaction."""
    found: dict[str, list[tuple[int, int]]] = {}
    for commits in histories:
        for commit in commits:
            names = [recorded.name for recorded in codec.decode(commit)]
            item = items.encode(commit).item
            units = items.write_units(item)
            if "InvoiceIssued" in names:
                units = 2 * units + 2  # a transaction costs twice its items, and moves the counter
            found.setdefault(" + ".join(names), []).append((items.item_bytes(item), units))
    return [
        (
            names,
            len(costs),
            round(sum(size for size, _ in costs) / len(costs)),
            sum(units for _, units in costs) / len(costs),
            max(units for _, units in costs),
        )
        for names, costs in sorted(found.items(), key=lambda entry: -len(entry[1]))
    ]


def mix(histories: Histories) -> str:
    """How the orders ended."""
    ends = Counter(type(History(stream=commits[0].stream).then(*commits).state).__name__ for commits in histories)
    return ", ".join(f"{count} {name}" for name, count in ends.most_common())


def _peak(histories: Histories, *, times: int) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(times):
            for commits in histories:
                History(stream=commits[0].stream).then(*commits)
            gc.collect()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
