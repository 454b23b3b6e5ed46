"""A page of a thousand small records may stand for gigabytes: commits are compressed, or lie elsewhere."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from orderstore.contract import PublicEvent
from orderstore.domain.events import OrderLine
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from projections.commits import BODY_BYTES_AT_ONCE
from projections.projecting.projector import ViewProjector
from projections.publishing.publisher import Failed, MemoryPublisher
from projections.publishing.relay import Relay
from projections.view_store import Write, WriteResult
from projections.view_store.memory import MemoryViewStore
from tests.builders import line
from tests.projections.histories import START_MS, happy_commits, order_number, records_of
from tests.projections.read_side import TARGETS
from tests.virtual_time import run_virtual

ORDERS = 8


def wide_orders() -> list[Commit]:
    """Orders of 3 MB each, which compress to almost nothing."""
    plain = line()
    wide = OrderLine(sku=plain.sku, quantity=plain.quantity, unit_price=plain.unit_price, description="wide " * 600_000)
    return [commit for index in range(ORDERS) for commit in happy_commits(order_number(index), lines=(wide,))[:1]]


class MeasuredStore(MemoryEventStore):
    """Adds up the bodies that were handed out since the last time that something was finished with."""

    def __init__(self) -> None:
        super().__init__()
        self.held_bytes = 0
        self.most_bytes = 0
        self.reads = 0

    def hand_out(self, commits: Sequence[Commit]) -> None:
        self.held_bytes += sum(len(commit.body) for commit in commits)
        self.most_bytes = max(self.most_bytes, self.held_bytes)
        self.reads += 1

    async def from_image(self, image: Mapping[str, Any]) -> Commit:
        commit = await super().from_image(image)
        self.hand_out([commit])
        return commit

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        commits = await super().read(stream, after=after)
        self.hand_out(commits)
        return commits


class Topic(MemoryPublisher):
    def __init__(self, store: MeasuredStore) -> None:
        super().__init__()
        self._store = store

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        self._store.held_bytes = 0
        return await super().publish(batch)


class Views(MemoryViewStore):
    def __init__(self, store: MeasuredStore) -> None:
        super().__init__()
        self._store = store

    async def write(self, writes: Sequence[Write]) -> tuple[WriteResult, ...]:
        self._store.held_bytes = 0
        return await super().write(writes)


def relay_of(store: MeasuredStore, topic: Topic) -> Relay:
    return Relay(store, topic, now_ms=lambda: START_MS, random=Random(1))


def test_the_relay_holds_a_bounded_part_of_a_page() -> None:
    """Every order is published; never more than the bound, and the commit that reached it, is in memory."""
    store = MeasuredStore()
    topic, commits = Topic(store), wide_orders()

    run_virtual(relay_of(store, topic).apply, records_of(commits))

    assert [event.order_id for event in topic.published] == [order_number(index) for index in range(ORDERS)]
    assert store.most_bytes < BODY_BYTES_AT_ONCE + max(len(commit.body) for commit in commits)


def test_the_relays_back_fill_holds_a_bounded_part_of_its_orders() -> None:
    """The same when it reads the log itself."""

    async def scenario() -> None:
        store = MeasuredStore()
        topic, commits = Topic(store), wide_orders()
        for commit in commits:
            await store.append(commit)

        await relay_of(store, topic).backfill(0)

        assert {event.order_id for event in topic.published} == {order_number(index) for index in range(ORDERS)}
        assert store.most_bytes < BODY_BYTES_AT_ONCE + max(len(commit.body) for commit in commits)

    run_virtual(scenario)


@pytest.mark.thorough
def test_the_views_hold_a_bounded_part_of_a_page() -> None:
    """Every order has its documents all the same."""

    async def scenario() -> None:
        store = MeasuredStore()
        views, commits = Views(store), wide_orders()
        for commit in commits:
            await store.append(commit)

        await ViewProjector(store, views, TARGETS).apply(records_of(commits))

        assert len([key async for key in views.keys(TARGETS[0].generation.prefix)]) == ORDERS
        assert store.most_bytes < BODY_BYTES_AT_ONCE + max(len(commit.body) for commit in commits)

    run_virtual(scenario)
