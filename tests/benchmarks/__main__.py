"""`python -m tests.benchmarks [--only PART] [--quick] [--growth] [--npm] [--json FILE] [--data FILE | --made-up]`

One table of all ratios; ends with 1 when one is below its floor, with 2 when something could not be measured at all.

--only     one part alone: queue (the consume loop), api (accepting an order), log (replay, append, step), views (stream to view, rebuild)
--quick    fewer orders and rounds: a wider spread, in a third of the time
--growth   also append and load at 1,000, 10,000 and 100,000 orders, and the rebuild at 5,000 and 20,000 (many minutes)
--npm      also measure npm's sqs-consumer on the same queues; it is installed with npm, beside the repository
--json     write the same as JSON to this file, beside the table
--data     the data set Online Retail as CSV, plain or gzipped (https://doi.org/10.24432/C5BW33); without it the orders are made up
--made-up  made-up orders although the data set is there
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import uvloop

from tests.benchmarks.measures import Result, seconds, table
from tests.benchmarks.parts import PARTS, Asked, Part
from tests.benchmarks.real_orders import WHOLE_FILE, Histories, made_up_histories, real_histories
from tests.benchmarks.replaying import mix, write_units

QUICK_ORDERS, ORDERS = 400, 1_200
UNIT_COLUMNS: Final = ("events", "commits", "bytes_mean", "units_mean", "units_max")


def run_parts(
    parts: tuple[Part, ...], asked: Asked, data: Path | None
) -> tuple[dict[str, list[Result]], dict[str, Any]]:
    """The results by part, and what the orders were. Each part has a loop of its own: what needs no orders production's (uvloop)."""
    results: dict[str, list[Result]] = {}
    histories: Histories = ()
    for part in parts:
        began = perf_counter()
        if part.needs_orders and not histories:
            histories = asyncio.run(_orders(QUICK_ORDERS if asked.quick else ORDERS, data))
        with asyncio.Runner(loop_factory=None if part.needs_orders else uvloop.new_event_loop) as runner:
            results[part.name] = runner.run(part.measure(asked, histories))
        sys.stderr.write(f"{part.name}: {perf_counter() - began:.0f} s\n")
    source = "none" if not histories else "Online Retail" if data is not None else "made up"
    return results, {
        "source": source,
        "ended": mix(histories) if histories else "",
        "write_units": write_units(histories),
    }


async def _orders(count: int, data: Path | None) -> Histories:
    return await made_up_histories(count) if data is None else await real_histories(count, data)


def machine() -> dict[str, object]:
    """What a ratio may hang on. The load is that of the minute before: of a busy machine believe the spread, not the median."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
    }


def arguments() -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for flag in ("--quick", "--growth", "--npm", "--made-up"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", choices=[part.name for part in PARTS])
    parser.add_argument("--data", type=Path, metavar="FILE")
    asked = parser.parse_args()
    if asked.json is not None and (asked.json.is_dir() or not asked.json.parent.is_dir()):
        parser.error(f"argument --json: {asked.json} cannot be written; nothing was measured")
    return asked


def data_for(asked: argparse.Namespace) -> Path | None:
    """The data set's file; None for orders that are made up. Exits with 2 when a file was named that is not there."""
    if asked.data is not None and not asked.data.is_file():
        sys.stderr.write(f"there is no file {asked.data}; nothing was measured\n")
        sys.exit(2)
    if asked.made_up:
        return None
    found: Path = asked.data or WHOLE_FILE
    return found if found.is_file() else None


def main() -> int:
    """Run and print."""
    said = arguments()
    here, data, began = machine(), data_for(said), perf_counter()
    parts = tuple(part for part in PARTS if said.only in (None, part.name))
    results, orders = run_parts(parts, Asked(quick=said.quick, grow=said.growth, npm=said.npm), data)
    took_s = perf_counter() - began
    every = [result for part in results.values() for result in part]
    passed = all(result.passed for result in every)
    command = " ".join(["python -m tests.benchmarks", *sys.argv[1:]])
    if said.json is not None:
        document = {
            "command": command,
            "machine": here,
            "took_s": round(took_s, 1),
            "passed": passed,
            "orders": {name: orders[name] for name in ("source", "ended")},
            "results": [
                {"part": name, **asdict(result), "passed": result.passed}
                for name, part in results.items()
                for result in part
            ],
            "write_units": [dict(zip(UNIT_COLUMNS, row, strict=True)) for row in orders["write_units"]],
        }
        said.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    out = sys.stdout.write
    out(f"{command}\n{', '.join(f'{name} {value}' for name, value in here.items())}; took {seconds(took_s)}\n")
    out(f"orders: {orders['source']}{': ' if orders['ended'] else ''}{orders['ended']}\n\n{table(results)}\n")
    if orders["write_units"]:
        out(f"\n{'events of a commit':<58} {'commits':>8} {'bytes':>7} {'units':>6} {'most':>5}\n")
    for events, commits, size, mean, most in orders["write_units"]:
        out(f"{events:<58} {commits:>8} {size:>7} {mean:>6.2f} {most:>5}\n")
    judged = [result for result in every if result.floor is not None]
    failed = [result.name.strip() for result in judged if not result.passed]
    out(
        f"\n{len(judged) - len(failed)} of {len(judged)} floors are met"
        + (f"; not: {'; '.join(failed)}" if failed else "")
        + "\n"
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
