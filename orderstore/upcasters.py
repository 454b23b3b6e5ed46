"""From what an older build stored to what this one reads: one small step per version, applied in a chain.

A step takes the fields of one version and returns those of the next; it is pure, and history itself is never rewritten. A minor
version needs none: it only adds optional fields. `gaps` is the static check: it names every version in the registry that has no way
to the present one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orderstore.registry import EVENT_TYPES, EventType

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Upcaster:
    """One step of one event type."""

    name: str
    from_version: str
    to_version: str
    step: Callable[[Data], Data]


def _plain_text(field: str) -> Callable[[Data], Data]:
    """A text that was a bare string becomes a `FreeText` that says it is readable; an empty one was none."""

    def step(data: Data) -> Data:
        text = data.get(field, "")
        present = {name: value for name, value in data.items() if name != field}
        return {**present, field: {"plain": text}} if text else present

    return step


UPCASTERS: Final[tuple[Upcaster, ...]] = (
    Upcaster("OrderCancellationRequested", "1.0", "2.0", _plain_text("note")),
    Upcaster("RefundRequested", "1.0", "2.0", _plain_text("reason")),
)


class NoUpcaster(Exception):
    """There is no way from a stored version to the present one."""


def upcast(entry: EventType, version: str, data: Data, upcasters: Iterable[Upcaster] = UPCASTERS) -> Data:
    """The fields as the present version has them. A newer minor version is read as it is. Raises NoUpcaster."""
    steps = {known.from_version: known for known in upcasters if known.name == entry.name}
    while major(version) != major(entry.version):
        step = steps.get(version)
        if step is None or _order(step.to_version) <= _order(version):
            raise NoUpcaster(f"there is no way from {entry.name} {version} to {entry.version}")
        version, data = step.to_version, step.step(data)
    return data


def gaps(entries: Iterable[EventType] = EVENT_TYPES, upcasters: Iterable[Upcaster] = UPCASTERS) -> tuple[str, ...]:
    """Every stored version without a way to the present one, as `name version`; `()` when history can be read whole."""
    known = tuple(upcasters)
    found = []
    for entry in entries:
        steps = {step.from_version: step.to_version for step in known if step.name == entry.name}
        for earlier in entry.earlier:
            version = earlier
            while major(version) != major(entry.version) and _order(steps.get(version, "0.0")) > _order(version):
                version = steps[version]
            if major(version) != major(entry.version):
                found.append(f"{entry.name} {earlier}")
    return tuple(found)


def major(version: str) -> str:
    """What changes when old readers could not read it."""
    return version.partition(".")[0]


def _order(version: str) -> tuple[int, int]:
    first, _, second = version.partition(".")
    return int(first), int(second)
