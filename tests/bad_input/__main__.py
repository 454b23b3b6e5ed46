"""`python -m tests.bad_input`: many cases of every decoder, or one case again.

    --decoder NAME     only this one (as the table in docs/bad-input.md names it)
    --seed N           only this case, with its memory weighed, and what became of it
    --from N           the first seed (0)
    --cases N          how many cases of each decoder (1,000); heavy ones get fewer
    --list             the decoders

Ends with 1 when a promise was broken.
"""

import argparse
import sys
import time
import traceback

from tests.bad_input.decoder import Decoder
from tests.bad_input.registry import decoders
from tests.bad_input.running import broken_input, run_case, run_cases, shown

FAILURES_SHOWN = 5


def main() -> int:
    """The exit code."""
    asked = _asked()
    chosen = [decoder for decoder in decoders() if asked.decoder in (None, decoder.name)]
    if not chosen:
        sys.stderr.write(f"there is no decoder {asked.decoder!r}: see --list\n")
        return 2
    if asked.list:
        sys.stdout.write("".join(f"{decoder.name}\n" for decoder in chosen))
        return 0
    if asked.seed is not None:
        return max(_replay(decoder, asked.seed) for decoder in chosen)
    sys.stdout.write(f"seeds {asked.first} to {asked.first + asked.cases - 1}\n")
    return max([_run(decoder, asked.first, asked.cases) for decoder in chosen])


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bad_input", description="Bad input for every decoder.")
    parser.add_argument("--decoder", metavar="NAME", help="only this one, by its name in --list")
    parser.add_argument(
        "--seed", type=int, help="only this case, with what went in, what came out and its memory weighed"
    )
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="SEED", help="the first seed (0)")
    parser.add_argument("--cases", type=int, default=1_000, help="of each decoder (1,000); heavy ones get fewer")
    parser.add_argument("--list", action="store_true", help="the decoders' names")
    asked = parser.parse_args()
    if asked.cases < 1:
        parser.error("argument --cases: at least 1")
    return asked


def _run(decoder: Decoder, first: int, cases: int) -> int:
    count = max(1, cases // decoder.weight)
    begun = time.process_time()
    failures = 0
    for failures, broken in enumerate(run_cases(decoder, first, count), start=1):
        sys.stdout.write(f"{broken}\n")
        if failures == FAILURES_SHOWN:
            break
    told = f"{failures} broken promises" if failures else "kept"
    sys.stdout.write(f"{decoder.name:32} {count:8,} cases {time.process_time() - begun:8.1f} s  {told}\n")
    sys.stdout.flush()
    return 1 if failures else 0


def _replay(decoder: Decoder, seed: int) -> int:
    given = broken_input(decoder, seed)
    sys.stdout.write(f"{decoder.name}, seed {seed}\n  input: {shown(given)}\n")
    try:
        found = decoder.decode(given)
    except Exception as error:  # noqa: BLE001 - it is shown
        trace = "".join(traceback.format_exception(error)[-8:]).encode("ascii", "backslashreplace").decode()
        sys.stdout.write(f"  came out: {type(error).__qualname__}\n{trace}\n")
    else:
        sys.stdout.write(f"  came out: {shown(found)}\n")
    broken = run_case(decoder, seed, weighed=True)
    sys.stdout.write("  kept\n" if broken is None else f"  BROKEN: {broken.what}\n")
    return 0 if broken is None else 1


if __name__ == "__main__":
    sys.exit(main())
