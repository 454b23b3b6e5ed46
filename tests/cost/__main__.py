"""`python -m tests.cost`: count what orders cost, in an environment of its own.

python -m tests.cost                            # every scenario, by role and event
python -m tests.cost --scenario happy --calls   # one, with every kind of call
python -m tests.cost --json
python -m tests.cost --write                    # anew: workers/planning/counted.json and tests/cost/ceilings.json
python -m tests.cost --write --processor        # and the roles' processor time, best on an idle machine
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
from rich.console import Console
from rich.table import Table

from deploy.local.environment import Environment
from tests.cost import processor, table, telling, writing
from tests.cost.scenarios import REPEATS, SCENARIOS, Counted, count
from tests.emulator import fresh_settings, start_emulator, stop_emulator
from workers.planning import counted as planned
from workers.settings import ROLES

TABLE_WIDTH = 150
COLUMNS = ("calls", "write", "index", "read", "sqs", "sns", "s3_put", "s3_get", "kms", "mails", "streams")


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cost", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", action="append", choices=tuple(SCENARIOS), help="one of them; may be repeated")
    parser.add_argument("--calls", action="store_true", help="with every kind of call")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--write", action="store_true", help="write the table of counts and the ceilings anew")
    parser.add_argument("--processor", action="store_true", help="with --write: measure the roles' processor time too")
    parser.add_argument("--markdown", action="store_true", help="print the tables of docs/cost.md; counts nothing")
    options = parser.parse_args()
    if options.markdown:
        sys.stdout.write(telling.markdown() + "\n")
        return
    if options.write:
        write_anew(with_processor=options.processor)
        return
    found = measure(options.scenario or tuple(SCENARIOS))
    if options.json:
        sys.stdout.write(json.dumps([document(each) for each in found], indent=2) + "\n")
        return
    console = Console(emoji=False)
    # A narrow terminal wraps lines: cells that are cut would say nothing.
    console.width = max(console.width, TABLE_WIDTH)
    for each in found:
        show(each, console, with_calls=options.calls)


def measure(names: Sequence[str]) -> list[Counted]:
    """Start an emulator, count, and remove it."""
    with embedded() as emulator:
        return anyio.run(partial(count, fresh_settings(emulator), token=emulator.api_token, names=names))


def write_anew(*, with_processor: bool) -> None:
    """Count everything, the happy path several times, and write it down; processor time only if it is asked for."""
    others = [name for name in SCENARIOS if name != "happy"]
    with embedded() as emulator, tempfile.TemporaryDirectory() as folder:
        if with_processor:
            measured = partial(processor.measure, fresh_settings(emulator), token=emulator.api_token)
            used = anyio.run(partial(measured, roles=ROLES, folder=Path(folder)))
        else:
            used = json.loads(planned.TABLE.read_text(encoding="utf-8"))
        names = [*["happy"] * REPEATS, *others]
        counting = partial(count, fresh_settings(emulator), token=emulator.api_token, names=names, told=tell)
        found = anyio.run(counting)
    today = datetime.now(UTC).date().isoformat()
    writing.write(found, today=today, roles=ROLES, processor=used)


def tell(found: Counted) -> None:
    """One line on standard error: counting takes minutes."""
    units = table.whole(found.calls)
    sys.stderr.write(
        f"{found.name}: {found.seconds:.0f} s, {units.calls} calls, {units.write + units.index:g} write units\n"
    )


@contextmanager
def embedded() -> Iterator[Environment]:
    """An emulator of its own, removed in the end."""
    state = Path(tempfile.mkdtemp(prefix="orderstore-cost-"))
    try:
        yield start_emulator(state)
    finally:
        stop_emulator(state)
        shutil.rmtree(state, ignore_errors=True)


def document(found: Counted) -> dict[str, object]:
    """One scenario as JSON."""
    rows = table.summed(found.calls, lambda call: (call.role, call.cause or ""))
    return {
        "scenario": found.name,
        "orders": found.orders,
        "lines": found.lines,
        "status": found.status,
        "commits": found.commits,
        "seconds": round(found.seconds, 1),
        "all": table.whole(found.calls).numbers(),
        "rows": [
            {"role": role, "event": event, **sums.numbers(), "calls_by_kind": table.kinds(sums)}
            for (role, event), sums in rows.items()
        ],
        "standing": table.whole(found.standing).numbers(),
    }


def show(found: Counted, console: Console, *, with_calls: bool) -> None:
    """One scenario as a table."""
    what = f"{found.name}: {found.orders} order(s) of {found.lines} lines, {found.status}, {found.seconds:.0f} s"
    grid = Table(title=what, title_justify="left")
    grid.add_column("role")
    grid.add_column("event")
    for column in COLUMNS:
        grid.add_column(column, justify="right")
    calls = found.calls if found.orders else found.standing
    rows = table.summed(calls, lambda call: (call.role, call.cause or ""))
    for (role, event), sums in rows.items():
        grid.add_row(role, event, *[f"{getattr(sums, column):g}" for column in COLUMNS])
        if with_calls:
            for kind, number in table.kinds(sums).items():
                grid.add_row("", f"  {number} {kind}")
    total = table.whole(calls)
    grid.add_section()
    grid.add_row("all", "", *[f"{getattr(total, column):g}" for column in COLUMNS])
    console.print(grid)


if __name__ == "__main__":
    main()
