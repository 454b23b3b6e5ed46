"""Results, and how a ratio is come by: both sides take turns, each round gives one ratio, and the median of the rounds counts."""

import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, process_time
from typing import Final

ROUNDS_ENOUGH: Final = 8
NARROW: Final = 0.04
"""From so many rounds on it is enough when the middle half of the ratios is within so much of their median. Nobody looks at the median
itself: rounds that end when it pleases would please more often than they are right."""
SECONDS_ENOUGH: Final = 12.0
ROUNDS_LEAST: Final = 3
SHORTEST_S: Final = 1e-6
"""No round begins after so many seconds of one comparison, once there are so many rounds: a busy machine must not take the evening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One line of the table. `floor` None: told, not judged. `at_most`: the floor is a ceiling."""

    name: str
    value: float
    floor: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is as it should be."""
        if self.floor is None:
            return True
        return self.value <= self.floor if self.at_most else self.value >= self.floor


@dataclass(frozen=True, slots=True)
class Side:
    """One of two that are compared: `prepare(round)` outside the clock makes the work, `run` does it."""

    prepare: Callable[[int], Awaitable[Callable[[], Awaitable[int]]]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rates (things done per second) of both sides, round by round."""

    ours: tuple[float, ...]
    bare: tuple[float, ...]
    processor: "Comparison | None" = field(default=None, compare=False)
    """The same rounds by this process's own processor time: what neighbours cannot take away, where it is this process that limits."""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours over bare, each round for itself."""
        return tuple(ours / bare for ours, bare in zip(self.ours, self.bare, strict=True))

    @property
    def ratio(self) -> float:
        """The median round."""
        return median(self.ratios)

    @property
    def spread(self) -> str:
        """The middle half of the rounds, and both rates."""
        low, high = quartiles(self.ratios)
        return (
            f"{len(self.ours)} rounds, half of them {low:.2f} to {high:.2f}; "
            f"{median(self.ours):.0f}/s against {median(self.bare):.0f}/s"
        )


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The medians of the lower and the upper half."""
    if not values:
        raise ValueError("there are no values")
    ordered = sorted(values)
    half = (len(ordered) + 1) // 2
    return median(ordered[:half]), median(ordered[-half:])


def is_enough(ratios: Sequence[float], *, took_s: float, enough_s: float = SECONDS_ENOUGH) -> bool:
    """Whether another round would tell nothing new, or would come too late."""
    if len(ratios) >= ROUNDS_LEAST and took_s >= enough_s:
        return True
    if len(ratios) < ROUNDS_ENOUGH:
        return False
    low, high = quartiles(ratios)
    return high - low <= NARROW * median(ratios)


async def compare(ours: Side, bare: Side, *, rounds: int, enough_s: float = SECONDS_ENOUGH) -> Comparison:
    """Let both take turns, the first changing from round to round, at most `rounds` times and until `is_enough`. One round before is for
    warming up and does not count. `enough_s`: more where a round is long and most of it is preparation.

    What is there before (thousands of histories, of which a service has none) is kept from the collector: it is not what is measured.
    """
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    processor: dict[str, list[float]] = {"ours": [], "bare": []}
    began = perf_counter()
    for number in range(rounds + 1):
        turns = [("ours", ours), ("bare", bare)]
        for name, side in turns if number % 2 else reversed(turns):
            work = await side.prepare(number)
            gc.collect()
            gc.freeze()
            started, process_s = perf_counter(), process_time()
            done = await work()
            if number > 0:
                rates[name].append(done / (perf_counter() - started))
                processor[name].append(done / max(process_time() - process_s, SHORTEST_S))
        ratios = [ours / bare for ours, bare in zip(rates["ours"], rates["bare"], strict=True)]
        if is_enough(ratios, took_s=perf_counter() - began, enough_s=enough_s):
            break
    by_processor = Comparison(tuple(processor["ours"]), tuple(processor["bare"]))
    return Comparison(tuple(rates["ours"]), tuple(rates["bare"]), by_processor)


def table(parts: Mapping[str, Sequence[Result]]) -> str:
    """As people read it, part by part."""
    lines = [f"{'what':<60} {'measured':>10} {'floor':>9}  verdict"]
    for part, results in parts.items():
        lines.append(f"[{part}]")
        for result in results:
            floor = "-" if result.floor is None else ("<= " if result.at_most else "") + number(result.floor)
            verdict = "told" if result.floor is None else "pass" if result.passed else "FAIL"
            lines.append(f"{result.name:<60} {number(result.value):>10} {floor:>9}  {verdict}")
            if result.note:
                lines.append(f"    {result.note}")
    return "\n".join(lines)


def seconds(value: float) -> str:
    """Minutes and seconds."""
    return f"{int(value // 60)} min {value % 60:.0f} s" if value >= 60 else f"{value:.0f} s"


def number(value: float) -> str:
    """Ratios with two digits, counts without."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
