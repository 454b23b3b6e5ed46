"""`python -m tests.load burst|year|hot|clients|soak [--orders N] [--seed N] [--json FILE]`: one run; exit 1 with what broke.

burst    10,000 orders at once while the workers are stopped; then they are started (E036)
year     the real year of orders, imported while the workers are stopped; --orders N: only the first so many sales; --batch N: so many
         at a time, drained before the next; --data: where it is
hot      2,000 orders of one article of which there is half as much
clients  2,000 connections (--orders) open at once that place, read and list
soak     twenty minutes (--minutes) at a steady rate while roles are killed and asked to stop

Each starts an emulator of its own and a process for each role, and takes minutes to hours.
"""

import argparse
import math
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from tests.load import burst, clients, hot, soak, year
from tests.load.asked import Asked, Scenario, Unable
from tests.load.machine import TooFewFiles, busy
from tests.load.report import Report
from tests.load.stage import emulator_in

SCENARIOS: Final[dict[str, Scenario]] = {
    "burst": burst.run,
    "year": year.run,
    "hot": hot.run,
    "clients": clients.run,
    "soak": soak.run,
}


def above(number: Callable[[str], float]) -> Callable[[str], float]:
    """Take a number above 0, which is no NaN and has an end."""

    def read(text: str) -> float:
        value = number(text)
        if not 0 < value < math.inf:
            raise ValueError(text)
        return value

    read.__name__ = "number above 0"  # argparse names it: invalid number above 0 value
    return read


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("scenario", choices=SCENARIOS)
    made.add_argument("--orders", type=above(int), help="how many orders, or clients")
    made.add_argument(
        "--batch", type=above(int), help="the year: so many sales are imported before the workers start again"
    )
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--minutes", type=above(float), default=20.0, help="how long the soak lasts")
    made.add_argument("--per-s", type=above(float), default=2.0, help="orders each second of the soak")
    made.add_argument(
        "--data",
        type=Path,
        help="the data set Online Retail, as CSV, plain or gzipped; else where the project keeps it",
    )
    made.add_argument("--json", type=Path, help="write the report there too")
    made.add_argument("--keep", type=Path, help="a folder for the processes' logs and what happened when")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run it, and say what came of it: 0, or 1 when anything broke, or 2 when it could not begin."""
    given = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(given)
    if options.json is not None and not options.json.parent.is_dir():
        parser().error(f"--json: there is no folder {options.json.parent}; nothing was begun")
    asked = Asked(
        seed=options.seed,
        orders=options.orders,
        batch=options.batch,
        minutes=options.minutes,
        per_s=options.per_s,
        data=options.data,
    )
    command = f"python -m tests.load {shlex.join(given)}"
    report = Report(scenario=options.scenario, command=command, began=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    report.figures["machine, at first"] = busy()
    try:
        perform(SCENARIOS[options.scenario], report, asked, keep=options.keep)
    except (Unable, TooFewFiles) as error:
        print(f"tests.load: {error}", file=sys.stderr)  # noqa: T201 - a command's output
        return 2
    report.figures["machine, at last"] = busy()
    if options.json is not None:
        report.write(options.json)
    print(report)  # noqa: T201 - a command's output
    return 0 if report.passed else 1


def perform(scenario: Scenario, report: Report, asked: Asked, *, keep: Path | None) -> None:
    """Run a scenario on an emulator of its own; whatever it raises becomes a trouble of the report. Raises Unable, TooFewFiles."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch) / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        with emulator_in(Path(scratch)) as emulator:
            try:
                anyio.run(partial(scenario, emulator, folder, report, asked), backend_options={"use_uvloop": True})
            except (Unable, TooFewFiles):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it was is shown whole, beside what was found until then
                report.troubles.append("".join(traceback.format_exception(error)))


if __name__ == "__main__":
    sys.exit(main())
