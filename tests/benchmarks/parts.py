"""The parts of the table: which there are, what each needs, and how large it is in a run of five minutes."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from tests.benchmarks.accepting import accepting
from tests.benchmarks.growing import SIZES, growth, long_order
from tests.benchmarks.logs import backend
from tests.benchmarks.measures import Comparison, Result
from tests.benchmarks.projecting import folding, stream_to_view
from tests.benchmarks.queue_backend import queue_backend
from tests.benchmarks.queue_holding import holding
from tests.benchmarks.queue_node import NodeConsumer
from tests.benchmarks.queueing import against_bare, against_node, in_memory
from tests.benchmarks.real_orders import Histories
from tests.benchmarks.rebuilding import rebuild
from tests.benchmarks.replaying import flat_memory, replay
from tests.benchmarks.writing import append, step

APPEND_MIN: Final = 0.9
STEP_MIN: Final = 0.85
# On the service's own client the calls cost a third less than on the library's, and what is ours costs what it did: its share has grown for
# that reason alone. These two hold it where it is (docs/performance.md, "The step").
APPEND_BESIDE_MIN: Final = 0.85
STEP_BESIDE_MIN: Final = 0.60
# What a rebuild holds at once is full from about 800 orders on: with fewer its peak grows, and should.
REBUILT_QUICKLY, REBUILT, REBUILT_GROWING = (1_000, 2_000), (1_000, 3_000), (5_000, 20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks of every part."""

    quick: bool = False
    grow: bool = False
    npm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part. `measure` gets the orders that were lived through; `needs_orders` False: it gets none, and needs none."""

    name: str
    measure: Callable[[Asked, Histories], Coroutine[Any, Any, list[Result]]]
    needs_orders: bool = True


async def of_the_queue(asked: Asked, _: Histories) -> list[Result]:
    """The consume loop beside a bare one and beside npm's sqs-consumer; what holding costs; how soon a killed one is replaced."""
    node = NodeConsumer.installed() if asked.npm else None
    results = await in_memory(rounds=5, count=2_000 if asked.quick else 5_000)
    rounds, messages = (6, 1_000) if asked.quick else (16, 3_000)
    async with queue_backend() as found:
        results += await against_bare(found, rounds=rounds, count=messages)
        results += await against_node(found, node, rounds=rounds // 2, count=messages)
        results += await holding(found, node, rounds=1 if asked.quick else 5)
    return results


async def of_the_api(asked: Asked, _: Histories) -> list[Result]:
    """Accepting an order, against bare endpoints of the same framework."""
    return await accepting(rounds=3 if asked.quick else 8, requests=200 if asked.quick else 400)


def by_processor(compared: Comparison) -> Comparison:
    """The same rounds by the processor time of this process, which is what limits where it waits for nobody but an emulator."""
    assert compared.processor is not None, "rounds of `compare` have it"
    return compared.processor


async def of_the_log(asked: Asked, histories: Histories) -> list[Result]:
    """Replay, append, a worker's step, a long order, and all of that in a log that grows."""
    results = replay(histories, rounds=3 if asked.quick else 9)
    results.append(flat_memory(histories[::4]))
    # Many short rounds: neighbours disturb a few of them, not the median.
    rounds, calls = (20, 64) if asked.quick else (60, 96)
    async with backend() as log:
        # Judged against the library as it comes; told, and held at what it was, against the very client that the service has.
        appended = await append(log, histories, rounds=rounds, appends=calls, bare_client=log.stock)
        stepped = await step(log, histories, rounds=rounds, steps=calls * 2 // 3, bare_client=log.stock)
        beside = await append(log, histories, rounds=rounds // 2, appends=calls, name="c")
        step_beside = await step(log, histories, rounds=rounds // 2, steps=calls * 2 // 3, name="d")
        alone = await step(log, histories, rounds=rounds // 2, steps=calls // 4, name="q", workers=1)
        results += [
            Result(
                name="append / bare conditional put_item", value=appended.ratio, floor=APPEND_MIN, note=appended.spread
            ),
            Result(
                name="  both on the service's client, by our processor time",
                value=by_processor(beside).ratio,
                floor=APPEND_BESIDE_MIN,
                note=by_processor(beside).spread,
            ),
            Result(
                name="load + fold + decide + append / bare query + put_item",
                value=stepped.ratio,
                floor=STEP_MIN,
                note=stepped.spread,
            ),
            Result(
                name="  both on the service's client, by our processor time",
                value=by_processor(step_beside).ratio,
                floor=STEP_BESIDE_MIN,
                note=by_processor(step_beside).spread,
            ),
            Result(name="  and one step at a time", value=alone.ratio, note=alone.spread),
            *await long_order(log, commits=5_000 if asked.grow else 2_000, reads=5),
        ]
    if asked.grow:
        async with backend() as log:
            results += await growth(log, histories, sizes=SIZES, rounds=rounds, calls=calls)
    return results


async def of_the_views(asked: Asked, histories: Histories) -> list[Result]:
    """From the stream to the views, what folding saves, and the rebuild of one."""
    results = await folding(histories, orders=len(histories) // 2)
    async with backend() as log:
        results += await stream_to_view(
            log, histories, orders=100 if asked.quick else 200, rounds=3 if asked.quick else 7
        )
    async with backend() as log:
        sizes = REBUILT_GROWING if asked.grow else REBUILT_QUICKLY if asked.quick else REBUILT
        results += await rebuild(log, histories, sizes=sizes, rounds=3 if asked.grow else 1)
    return results


# What needs no orders comes first: thousands of them in memory are a load on the collector that no service has.
PARTS: Final = (
    Part(name="queue", measure=of_the_queue, needs_orders=False),
    Part(name="api", measure=of_the_api, needs_orders=False),
    Part(name="log", measure=of_the_log),
    Part(name="views", measure=of_the_views),
)
