"""The static check of the upcaster chains: every version that history holds has a way to the present one, and no step is wrong.

It reads tables only, so it runs in the build, before anybody meets an event that cannot be read. What a step does to the fields of an
event is held by the golden files.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from orderstore.registry import EVENT_TYPES, EventType
from orderstore.upcasters import UPCASTERS, Upcaster, gaps

_VERSION: Final = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")


class FaultKind(StrEnum):
    """What is wrong with a chain. The values are printed and may be matched by scripts: they do not change."""

    BAD_VERSION = "bad_version"
    """A version that is not `major.minor`."""
    DISORDER = "disorder"
    """`earlier` does not ascend to the present version."""
    UNKNOWN_EVENT = "unknown_event"
    """A step of an event that the registry does not have."""
    UNKNOWN_VERSION = "unknown_version"
    """A step from or to a version that the registry does not name."""
    DUPLICATE = "duplicate"
    """Two steps from the same version: which one would be taken?"""
    DOWNGRADE = "downgrade"
    """A step to an older version, or to its own."""
    LOOP = "loop"
    """Steps that lead back to where they began."""
    SKIP = "skip"
    """A step that passes over a major version which has a form of its own."""
    NEVER_RUNS = "never_runs"
    """A step within the present major version: what is only newer by a minor version is read as it is."""
    GAP = "gap"
    """A version that history holds, without a way to the present one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, by event and version."""

    kind: FaultKind
    event: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.event} {self.detail}"


def faults(entries: Iterable[EventType] = EVENT_TYPES, upcasters: Iterable[Upcaster] = UPCASTERS) -> tuple[Fault, ...]:
    """Everything that is wrong; `()` when every stored version can be read. Pure."""
    known = {entry.name: entry for entry in entries}
    steps = tuple(upcasters)
    found = [fault for entry in known.values() for fault in _of_entry(entry)]
    sound: list[Upcaster] = []
    for step in steps:
        wrong = tuple(_of_step(step, known))
        found += wrong
        if not wrong:
            sound.append(step)
    found += _duplicates(steps)
    for name in dict.fromkeys(step.name for step in steps):
        found += _loops(name, [step for step in steps if step.name == name])
    readable = [entry for entry in known.values() if not any(_of_entry(entry))]
    for gap in gaps(readable, sound):
        name, _, version = gap.partition(" ")
        found.append(Fault(FaultKind.GAP, name, f"{version} has no way to {known[name].version}"))
    return tuple(found)


def _of_entry(entry: EventType) -> Iterator[Fault]:
    versions = (*entry.earlier, entry.version)
    bad = [version for version in (*versions, entry.published_version) if _parsed(version) is None]
    yield from (Fault(FaultKind.BAD_VERSION, entry.name, version) for version in bad)
    if not bad:
        for before, after in pairwise(versions):
            if not _below(before, after):
                yield Fault(FaultKind.DISORDER, entry.name, f"names {before} before {after}")


def _of_step(step: Upcaster, known: Mapping[str, EventType]) -> Iterator[Fault]:
    route = f"{step.from_version} -> {step.to_version}"
    entry = known.get(step.name)
    if entry is None:
        yield Fault(FaultKind.UNKNOWN_EVENT, step.name, route)
        return
    if any(_parsed(version) is None for version in (step.from_version, step.to_version)):
        yield Fault(FaultKind.BAD_VERSION, step.name, route)
        return
    versions = (*entry.earlier, entry.version)
    for version in (step.from_version, step.to_version):
        if version not in versions:
            yield Fault(FaultKind.UNKNOWN_VERSION, step.name, f"{route}: the registry has no {version}")
    if not _below(step.from_version, step.to_version):
        yield Fault(FaultKind.DOWNGRADE, step.name, route)
        return
    first, last = _major(step.from_version), _major(step.to_version)
    passed = [version for version in versions if first < _major(version) < last]
    if passed:
        yield Fault(FaultKind.SKIP, step.name, f"{route} passes over {', '.join(passed)}")
    if first == _major(entry.version):
        yield Fault(FaultKind.NEVER_RUNS, step.name, route)


def _duplicates(steps: Iterable[Upcaster]) -> Iterator[Fault]:
    counted = Counter((step.name, step.from_version) for step in steps)
    for (name, version), count in counted.items():
        if count > 1:
            yield Fault(FaultKind.DUPLICATE, name, f"has {count} steps from {version}")


def _loops(name: str, steps: list[Upcaster]) -> Iterator[Fault]:
    """Each loop once, from its smallest version on."""
    following = {step.from_version: step.to_version for step in steps}
    for start in sorted(following):
        route = [start]
        while route[-1] in following and following[route[-1]] not in route:
            route.append(following[route[-1]])
        if following.get(route[-1]) == start and start == min(route):
            yield Fault(FaultKind.LOOP, name, " -> ".join([*route, start]))


def _parsed(version: str) -> tuple[int, int] | None:
    match = _VERSION.fullmatch(version)
    return None if match is None else (int(match[1]), int(match[2]))


def _below(first: str, second: str) -> bool:
    before, after = _parsed(first), _parsed(second)
    return before is not None and after is not None and before < after


def _major(version: str) -> int:
    parsed = _parsed(version)
    return -1 if parsed is None else parsed[0]
