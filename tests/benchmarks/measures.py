"""Results, and how a ratio is come by: both sides take turns, each round gives one ratio, and the median of the rounds counts."""

import gc
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter


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


async def compare(ours: Side, bare: Side, *, rounds: int) -> Comparison:
    """Let both take turns, the first changing from round to round. One round before is for warming up and does not count.

    What is there before (thousands of histories, of which a service has none) is kept from the collector: it is not what is measured.
    """
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(rounds + 1):
        turns = [("ours", ours), ("bare", bare)]
        for name, side in turns if number % 2 else reversed(turns):
            work = await side.prepare(number)
            gc.collect()
            gc.freeze()
            started = perf_counter()
            done = await work()
            if number > 0:
                rates[name].append(done / (perf_counter() - started))
    return Comparison(tuple(rates["ours"]), tuple(rates["bare"]))


def table(results: Sequence[Result]) -> str:
    """As people read it."""
    lines = [f"{'what':<58} {'measured':>10} {'floor':>9}  verdict"]
    for result in results:
        floor = "-" if result.floor is None else ("<= " if result.at_most else "") + number(result.floor)
        verdict = "told" if result.floor is None else "pass" if result.passed else "FAIL"
        lines.append(f"{result.name:<58} {number(result.value):>10} {floor:>9}  {verdict}")
        if result.note:
            lines.append(f"    {result.note}")
    return "\n".join(lines)


def number(value: float) -> str:
    """Ratios with two digits, counts without."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
