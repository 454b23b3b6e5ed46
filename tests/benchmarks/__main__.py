"""`python -m tests.benchmarks [--only log|views|queue] [--quick] [--growth] [--npm] [--json] [--data FILE]`

One table; ends with 1 below a floor.

--only     the log alone (replay, append, step), what follows it alone (stream to view, folding, rebuild), or the queues' loop alone
--quick    fewer orders and rounds: seconds instead of minutes, and a wider spread
--growth   also append and load at 1,000, 10,000 and 100,000 orders, and the rebuild at 5,000 and 20,000 (many minutes)
--npm      also measure npm's sqs-consumer on the same queues; it is installed with npm, beside the repository
--json     the same as JSON
--data     the data set Online Retail as CSV, plain or gzipped (https://doi.org/10.24432/C5BW33)
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final, Literal

import uvloop

from tests.benchmarks.growing import SIZES, growth, long_order
from tests.benchmarks.logs import backend
from tests.benchmarks.measures import Result, table
from tests.benchmarks.projecting import folding, stream_to_view
from tests.benchmarks.queue_backend import queue_backend
from tests.benchmarks.queue_holding import heartbeats, recovery
from tests.benchmarks.queue_node import NodeConsumer
from tests.benchmarks.queueing import against_bare, against_node, in_memory
from tests.benchmarks.real_orders import WHOLE_FILE, Histories, real_histories
from tests.benchmarks.rebuilding import rebuild
from tests.benchmarks.replaying import flat_memory, mix, replay, write_units
from tests.benchmarks.writing import append, step

Part = Literal["log", "views", "queue"]
PARTS: Final[tuple[Part, ...]] = ("log", "views", "queue")
APPEND_MIN = 0.9
STEP_MIN = 0.85
QUICK_ORDERS, ORDERS = 400, 4_000
REBUILT_QUICKLY, REBUILT, REBUILT_GROWING = (1_000, 2_000), (2_000, 8_000), (5_000, 20_000)


async def measure(
    *, data: Path, parts: tuple[Part, ...], quick: bool, grow: bool, npm: bool
) -> tuple[list[Result], list[tuple[str, int, int, float, int]], str]:
    """Everything, in one run."""
    results = await of_the_queue(quick=quick, npm=npm) if "queue" in parts else []
    if parts == ("queue",):
        return results, [], "none: no part that needs them"
    histories = await real_histories(QUICK_ORDERS if quick else ORDERS, data)
    if "log" in parts:
        results += await of_the_log(histories, quick=quick, grow=grow)
    if "views" in parts:
        results += await of_the_views(histories, quick=quick, grow=grow)
    return results, write_units(histories), mix(histories)


async def of_the_log(histories: Histories, *, quick: bool, grow: bool) -> list[Result]:
    """Replay, append, a worker's step, a long order, and all of that in a log that grows."""
    results = replay(histories, rounds=3 if quick else 9)
    results.append(flat_memory(histories))
    # Many short rounds: neighbours disturb a few of them, not the median.
    rounds, calls = (20, 64) if quick else (60, 96)
    async with backend() as log:
        appended = await append(log, histories, rounds=rounds, appends=calls)
        stepped = await step(log, histories, rounds=rounds, steps=calls * 2 // 3)
        alone = await step(log, histories, rounds=rounds, steps=calls // 4, name="q", workers=1)
        results += [
            Result(
                name="append / bare conditional put_item", value=appended.ratio, floor=APPEND_MIN, note=appended.spread
            ),
            Result(
                name="load + fold + decide + append / bare query + put_item",
                value=stepped.ratio,
                floor=STEP_MIN,
                note=stepped.spread,
            ),
            Result(name="  the same, one step at a time", value=alone.ratio, note=alone.spread),
            *await long_order(log, commits=2_000 if quick else 5_000, reads=5),
        ]
    if grow:
        async with backend() as log:
            results += await growth(log, histories, sizes=SIZES, rounds=rounds, calls=calls)
    return results


async def of_the_views(histories: Histories, *, quick: bool, grow: bool) -> list[Result]:
    """From the stream to the views, what folding saves, and the rebuild of one."""
    results = await folding(histories, orders=QUICK_ORDERS if quick else ORDERS // 2)
    async with backend() as log:
        results += await stream_to_view(log, histories, orders=100 if quick else 400, rounds=3 if quick else 7)
    async with backend() as log:
        sizes = REBUILT_GROWING if grow else REBUILT_QUICKLY if quick else REBUILT
        results += await rebuild(log, histories, sizes=sizes, rounds=1 if quick else 3)
    return results


async def of_the_queue(*, quick: bool, npm: bool) -> list[Result]:
    """The consume loop beside a bare one and beside npm's sqs-consumer; what holding costs; how soon a killed one is replaced."""
    node = NodeConsumer.installed() if npm else None
    results = await in_memory(rounds=5, count=2_000 if quick else 5_000)
    rounds, messages = (6, 2_000) if quick else (16, 5_000)
    async with queue_backend() as backend:
        results += await against_bare(backend, rounds=rounds, count=messages)
        results += await against_node(backend, node, rounds=rounds // 2, count=messages)
        results += await heartbeats(backend, node)
        results += await recovery(backend, node, rounds=1 if quick else 5)
    return results


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    for flag in ("--quick", "--growth", "--npm", "--json"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--data", type=Path, default=WHOLE_FILE)
    asked = parser.parse_args()
    parts = (asked.only,) if asked.only else PARTS
    if parts != ("queue",) and not asked.data.is_file():
        sys.exit(
            f"the real orders are not at {asked.data}; nothing was measured.\n"
            "They are the data set Online Retail (https://doi.org/10.24432/C5BW33) as CSV: python -m tests.benchmarks --data FILE"
        )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if parts == ("queue",) else None) as runner:
        results, units, ends = runner.run(
            measure(data=asked.data, parts=parts, quick=asked.quick, grow=asked.growth, npm=asked.npm)
        )
    out = sys.stdout.write
    passed = all(result.passed for result in results)
    if asked.json:
        document = {
            "passed": passed,
            "orders": ends,
            "results": [{**asdict(result), "passed": result.passed} for result in results],
            "write_units": [
                dict(zip(("events", "commits", "bytes_mean", "units_mean", "units_max"), row, strict=True))
                for row in units
            ],
        }
        out(json.dumps(document, indent=2) + "\n")
    else:
        out(f"Orders: {ends}\n\n{table(results)}\n\n")
        if units:
            out(f"{'events of a commit':<58} {'commits':>8} {'bytes':>7} {'units':>6} {'most':>5}\n")
        for events, commits, size, mean, most in units:
            out(f"{events:<58} {commits:>8} {size:>7} {mean:>6.2f} {most:>5}\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
