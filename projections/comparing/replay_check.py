"""The gate before a deploy: folds all stored history with this build, and compares what comes out with what is served.

It takes every order through decoding (with the upcasters), the domain's own `evolve` and every view's fold, against any environment, and
writes nothing. It finds what a test with made-up events cannot: an event that this build does not know, a commit that it cannot decode,
a transition that it holds for impossible, a fold that comes to another end than the build that runs.

A document that was folded by another schema of its view is no difference: this build would fold it anew. It is counted by itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from orderstore.domain import state as s
from orderstore.recorded import Recorded
from orderstore.store.port import EventStore
from projections.comparing.agreeing import of_state, of_view
from projections.comparing.compare import (
    LOOK_AGAIN_AFTER_S,
    LOOKS_MAX,
    Report,
    compare,
)
from projections.comparing.differences import OF_THE_ORDER, Difference, FieldDifference
from projections.projecting.folding import NOTHING, Log, step
from projections.projecting.targets import Target
from projections.view_store import ViewStore
from projections.views import order_status

EXAMPLES_MAX: Final = 100


@dataclass(slots=True)
class Group:
    """Orders with the same trouble: all counted, the first EXAMPLES_MAX kept."""

    count: int = 0
    examples: list[Difference] = field(default_factory=list)


@dataclass(slots=True)
class ReplayReport(Report):
    """What was replayed, and what was found, by cause. `equal` is the gate: documents that will be rebuilt do not close it."""

    groups: dict[str, Group] = field(default_factory=dict)
    rebuilds: dict[str, int] = field(default_factory=dict)
    """Documents of another schema, by view."""

    def add(self, difference: Difference) -> None:
        """Count a difference under its cause."""
        if difference.kind == "other_schema":
            self.rebuilds[difference.view] = self.rebuilds.get(difference.view, 0) + 1
            return
        self.differences_count += 1
        group = self.groups.setdefault(cause_of(difference), Group())
        group.count += 1
        if len(group.examples) < EXAMPLES_MAX:
            group.examples.append(difference)


async def replay_check(
    store: EventStore,
    view_store: ViewStore,
    targets: Sequence[Target],
    *,
    progress: Callable[[ReplayReport], None] = lambda _: None,
    looks_max: int = LOOKS_MAX,
    look_again_after_s: float = LOOK_AGAIN_AFTER_S,
) -> ReplayReport:
    """Replay everything; memory is bounded by batches of orders. Views that are only late are looked at again.

    Raises StoreError, ViewStoreError.
    """
    report = ReplayReport()
    await compare(
        store,
        view_store,
        targets,
        progress=lambda _: progress(report),
        looks_max=looks_max,
        look_again_after_s=look_again_after_s,
        examine=examine,
        into=report,
    )
    return report


def cause_of(difference: Difference) -> str:
    """What the difference is counted under."""
    if difference.kind == "unreadable_order":
        return f"cannot be read: {difference.cause}"
    if difference.kind == "unfoldable_order":
        return f"cannot be folded: {difference.cause}"
    if difference.kind == "disagreement":
        return f"{difference.view} and the order's own state disagree"
    return f"{difference.view} is {difference.kind.replace('_', ' ')}"


def examine(stream: str, log: Log) -> Iterator[Difference]:
    """Fold the order as the write side does, and hold the status view's fold to it: they share no rule. Pure."""
    state: s.State = s.INITIAL
    for recorded in _in_order(log):
        try:
            state = s.evolve(state, recorded.event)
        except Exception as error:  # noqa: BLE001 - whatever `evolve` raises: the finding names the event that it raised it for
            said = f"{recorded.name} {recorded.event_version}, event {recorded.version}: {error}"
            yield Difference(
                stream=stream,
                view=OF_THE_ORDER,
                kind="unfoldable_order",
                commit=recorded.commit,
                log_commit=max(log),
                cause=type(error).__name__,
                detail=said,
            )
            return
    view = step(order_status.VIEW, NOTHING, log).state
    if view is None or isinstance(state, s.NotPlaced):
        return
    expected, found = of_state(state), of_view(view)
    fields = tuple(
        FieldDifference(field=name, expected=expected[name], found=found[name], commit=max(log))
        for name in expected
        if expected[name] != found[name]
    )
    if fields:
        yield Difference(
            stream=stream,
            view=order_status.NAME,
            kind="disagreement",
            commit=max(log),
            log_commit=max(log),
            fields=fields,
        )


def _in_order(log: Log) -> Iterator[Recorded]:
    for number in sorted(log):
        yield from log[number]
