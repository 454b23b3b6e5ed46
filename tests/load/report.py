"""What a run came to: figures, processes, limits, and what broke. Written as text and as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.load.figures import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A figure that is judged."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def kept(self) -> bool:
        """Whether it is as it should be."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    def __str__(self) -> str:
        wanted = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        return f"{'kept  ' if self.kept else 'BROKEN'}  {self.name}: {shown(self.value)} ({wanted})"


@dataclass(eq=False, kw_only=True)
class Report:
    """Filled while the run goes on, so that a run that breaks off tells what it found until then."""

    scenario: str
    command: str
    began: str
    figures: dict[str, Any] = field(default_factory=dict)
    processes: list[Usage] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    """What broke, in words."""
    events_per_order: float | None = None
    """As the books have it."""

    @property
    def passed(self) -> bool:
        """Whether nothing broke and every limit was kept."""
        return not self.troubles and all(limit.kept for limit in self.limits)

    def judge(self, name: str, value: float, *, at_least: float | None = None, at_most: float | None = None) -> None:
        """Add a limit."""
        self.limits.append(Limit(name=name, value=value, at_least=at_least, at_most=at_most))

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"passed": self.passed} | asdict(self)

    def write(self, file: Path) -> None:
        """Write the JSON."""
        file.write_text(json.dumps(self.document(), indent=2) + "\n", encoding="utf-8")

    def __str__(self) -> str:
        lines = [f"{self.scenario}: {self.command}", f"began {self.began}", ""]
        lines += [f"{name:<44} {shown(value)}" for name, value in flat(self.figures)]
        if self.processes:
            lines += ["", HEADER, *map(_line, self.processes)]
        lines += ["", *map(str, self.limits)]
        if not self.passed:
            broken = [*(str(limit) for limit in self.limits if not limit.kept), *self.troubles]
            lines += ["", "What broke:", *broken, "", f"Again with: {self.command}"]
        return "\n".join(lines)


HEADER = f"{'process':<22}{'s':>7}{'CPU s':>8}{'MiB first':>10}{'peak':>7}{'last':>7}{'MiB/1000':>10}{'fds':>11}{'tasks':>11}"


def _line(used: Usage) -> str:
    grown = "-" if used.growth_mib_per_1000 is None else f"{used.growth_mib_per_1000:+.2f}"
    tasks = "-" if used.tasks_peak is None else f"{used.tasks_peak} > {used.tasks_last}"
    return (
        f"{used.name:<22}{used.lived_s:>7.0f}{used.processor_s:>8.0f}{used.resident_first_mib:>10.0f}{used.resident_peak_mib:>7.0f}"
        f"{used.resident_last_mib:>7.0f}{grown:>10}{f'{used.descriptors_peak} > {used.descriptors_last}':>11}{tasks:>11}"
    )


def flat(figures: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Nested figures as one list, names joined."""
    found: list[tuple[str, Any]] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{before}{name}, ")
        else:
            found.append((f"{before}{name}", value))
    return found


def shown(value: object) -> str:
    """Few digits for small numbers, none behind the point for large ones."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
