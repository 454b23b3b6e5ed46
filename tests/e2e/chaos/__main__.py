"""`python -m tests.e2e.chaos --seed N [--long] [--large] [--churn]`: one run over an emulator of its own; exit 1 when it fails."""

import argparse
import sys
import tempfile
import traceback
from functools import partial
from pathlib import Path

import anyio

from tests.e2e.chaos.fleet import large_fleet, small_fleet
from tests.e2e.chaos.run import Result, run_chaos
from tests.e2e.chaos.shapes import shape_of
from tests.emulator import start_emulator, stop_emulator


def main() -> int:
    """Run it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--shape", choices=("short", "long", "churn"), default="short")
    parser.add_argument("--large", action="store_true", help="one process for each two roles")
    parser.add_argument("--keep", type=Path, help="a folder for the processes' logs")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch) / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        state_dir = Path(scratch) / "emulator"
        emulator = start_emulator(state_dir)
        try:
            run = partial(
                run_chaos,
                asked.seed,
                shape_of(asked.shape),
                large_fleet() if asked.large else small_fleet(),
                emulator=emulator,
                folder=folder,
                replay=f"python -m tests.e2e.chaos {' '.join(sys.argv[1:])}",
            )
            result: Result = anyio.run(run)
        except Exception:  # noqa: BLE001 - whatever it was is shown whole, with its notes
            traceback.print_exc()
            return 1
        finally:
            stop_emulator(state_dir)
    print(result)  # noqa: T201 - a command's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
