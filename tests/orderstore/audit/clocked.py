"""Logs whose clocks say whatever a test wants: also that an event is older than what it follows from."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import orjson
from hypothesis import strategies as st

from orderstore.codec import decode, encode, timestamp
from orderstore.domain.ids import stream_of
from orderstore.recorded import Actor, Cause, Recorded
from orderstore.store.chain import seal
from orderstore.store.port import Commit
from tests.projections.histories import Groups, histories

TENANT = "main"
ORDER = "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
START_MS = 1_772_366_400_000
ACTORS = (Actor("customer", "shop"), Actor("service", "payment"), Actor("operator", "alice"), Actor("provider", "bank"))

Clocks = Sequence[tuple[int, Sequence[int]]]
"""For each commit: when it was recorded, and when its events occurred (the last one stands for the rest), in ms after START."""


def at(ms: float) -> datetime:
    """So many milliseconds after the start."""
    return START + timedelta(milliseconds=ms)


def commits_of(groups: Groups, clocks: Clocks, *, order_id: str = ORDER, tenant: str = TENANT) -> list[Commit]:
    """The log of one order, a group of events a commit, with these clocks; actors take turns."""
    commits: list[Commit] = []
    version = 1
    for number, (events, (recorded_ms, occurred_ms)) in enumerate(zip(groups, clocks, strict=True), start=1):
        actor = ACTORS[(number - 1) % len(ACTORS)]
        cause = Cause(
            causation_id=f"cause-{number}",
            purpose="test",
            correlation_id=order_id,
            actor=actor,
            source=f"{actor.id}-service",
        )
        body = orjson.loads(encode(events, cause=cause, first_version=version, occurred_at=START))
        for position, stored in enumerate(body["events"]):
            stored["occurredAt"] = timestamp(at(occurred_ms[min(position, len(occurred_ms) - 1)]))
        commits.append(
            seal(
                stream=stream_of(tenant, order_id),
                number=number,
                recorded_at_ms=START_MS + recorded_ms,
                body=orjson.dumps(body),
                previous=commits[-1] if commits else None,
            )
        )
        version += len(events)
    return commits


def events_of(commits: Sequence[Commit]) -> tuple[Recorded, ...]:
    return tuple(recorded for commit in commits for recorded in decode(commit))


def pasts() -> st.SearchStrategy[list[Commit]]:
    """Any legal history with clocks from a narrow range: equal ones, and ones that run backwards, are common."""
    moment = st.integers(0, 9)
    commit = st.tuples(moment, st.lists(moment, min_size=1, max_size=3))
    return histories().flatmap(
        lambda groups: st.lists(commit, min_size=len(groups), max_size=len(groups)).map(
            lambda clocks: commits_of(groups, clocks)
        )
    )
