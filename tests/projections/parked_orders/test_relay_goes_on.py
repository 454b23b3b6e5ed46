"""The relay around an order that it had to park: whatever came in which order, nothing but what was passed over is never published."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import anyio
import pytest

from orderstore.contract import PublicEvent
from orderstore.store.memory import MemoryEventStore
from projections.commits import order_of_record
from projections.parked_orders.judging import judge
from projections.parked_orders.unparking import Released, StillParked, Unparking, keys_of
from projections.publishing.announcements import announcements
from projections.publishing.publisher import Failed, MemoryPublisher
from projections.publishing.relay import Relay
from projections.publishing.sequence import REMEMBERED_S
from projections.stream.parking import Decision, every_row
from projections.stream.parking.memory import MemoryParkingLot
from projections.stream.quarantine import Quarantine
from tests.projections.histories import START_MS, happy_commits, record_of
from tests.virtual_time import run_virtual

LOG = happy_commits()
STREAM = LOG[0].stream
BY_ANN = Decision(what="as told", actor="ann", reason="OPS-7", at_ms=0)


def ids_of(*commits: int) -> set[str]:
    return {event.event_id for number in commits for event in announcements(LOG[number - 1])}


class Choosy(MemoryPublisher):
    """A topic that will not take the events of some commits."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()

    async def publish(self, batch: Sequence[PublicEvent]) -> tuple[Failed, ...]:
        taken = [event for event in batch if event.event_id not in self.refused]
        if taken:
            await super().publish(taken)
        return tuple(
            Failed(place, "InvalidParameter", sender_fault=True)
            for place, event in enumerate(batch)
            if event.event_id in self.refused
        )


class Items:
    """The log's items."""

    async def head(self, stream: str) -> int:
        return len(LOG)

    async def item(self, stream: str, number: int) -> Mapping[str, Any] | None:
        return record_of(LOG[number - 1]).image


class World:
    """One order, whose third commit the topic refuses."""

    def __init__(self) -> None:
        self.topic = Choosy()
        self.topic.refused = ids_of(3)
        self.store = MemoryEventStore()
        self.lot = MemoryParkingLot()

    def relay(self) -> Relay:
        return Relay(self.store, self.topic, now_ms=lambda: START_MS, random=Random(3))

    def worker(self) -> Quarantine:
        return Quarantine(
            self.relay(),
            subscription="relay",
            lot=self.lot,
            key_of=order_of_record,
            judge=judge,
            now_ms=lambda: START_MS,
            random=Random(1),
        )

    def unparking(self) -> Unparking:
        """As a command does it: in a process of its own."""
        return Unparking(self.lot, self.relay(), Items(), judge=judge)

    def unpublished(self) -> list[int]:
        published = {event.event_id for event in self.topic.published}
        return [commit.number for commit in LOG if not ids_of(commit.number) <= published]

    async def deliver(self, *calls: Sequence[int]) -> None:
        for commit in LOG:
            await self.store.append(commit)
        worker = self.worker()
        for numbers in calls:
            await worker.apply([record_of(LOG[number - 1]) for number in numbers])
            if numbers == [1]:
                await anyio.sleep(REMEMBERED_S + 1)  # it knows of no commit in front of what comes


REST = list(range(4, len(LOG) + 1))
DELIVERIES = {
    "in order": [[1], [2], [3], REST],
    "the failing one first": [[1], [3], [2], REST],
    "the failing one first, in one call": [[1], [3, 2], REST],
    "all at once": [[1, 3, 2, *REST]],
}


@pytest.mark.parametrize("skipped", [False, True], ids=["retry", "skip"])
@pytest.mark.parametrize("calls", DELIVERIES.values(), ids=DELIVERIES)
def test_nothing_is_lost_of_an_order_whose_commits_came_in_another_order(calls: list[list[int]], skipped: bool) -> None:
    """A refused commit 3 may come in front of 2: 2 is owed as well, whether 3 is mended or left out."""

    async def scenario() -> None:
        world = World()
        await world.deliver(*calls)
        row = await world.lot.get("relay", STREAM)
        assert row is not None
        if skipped:
            assert row.failed == keys_of(STREAM, 3)
            assert isinstance(await world.unparking().pass_over(row, BY_ANN), Released)
            assert world.unpublished() == [3]
            [kept] = await every_row(world.lot, "relay", passed=True)
            assert (kept.key, kept.passed) == (STREAM, (3,))
        else:
            world.topic.refused = set()
            assert isinstance(await world.unparking().retry(row, BY_ANN), Released)
            assert world.unpublished() == []

    run_virtual(scenario)


def test_what_is_passed_over_is_not_published_after_all_by_a_build_that_could() -> None:
    """Commits on both sides of it are published without the relay looking for the one between them."""

    async def scenario() -> None:
        world = World()
        await world.deliver([1], [3], [2], REST)
        world.topic.refused = set()
        row = await world.lot.get("relay", STREAM)
        assert row is not None
        assert await world.lot.owe("relay", STREAM, 0)
        assert isinstance(await world.unparking().pass_over(row, BY_ANN), Released)
        assert world.unpublished() == [3]

    run_virtual(scenario)


def test_nor_while_the_next_commit_that_fails_is_looked_for() -> None:
    """One commit after the other is tried, around the one that is passed over."""

    async def scenario() -> None:
        world = World()
        await world.deliver([1], [3], [2], REST)
        world.topic.refused = ids_of(5)
        row = await world.lot.get("relay", STREAM)
        assert row is not None
        outcome = await world.unparking().pass_over(row, BY_ANN)
        assert isinstance(outcome, StillParked)
        assert (outcome.row.failed, outcome.row.passed) == (keys_of(STREAM, 5), (3,))
        assert world.unpublished() == [3, *REST[1:]]

    run_virtual(scenario)
