"""Taking a parked order up again: in order, complete, and never over the head of a worker that holds more meanwhile."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest

from projections.parked_orders.unparking import (
    ROUNDS_MAX,
    GrownTooFast,
    NotLocated,
    Outcome,
    Released,
    StillParked,
    TakenByOthers,
    Unparking,
)
from projections.stream.parking import Cause, Decision, Parked, ParkedChanged, every_row
from projections.stream.parking.memory import MemoryParkingLot
from tests.projections.stream.ledger import BY_ANN, Down, Ledger, Poison, judge, keys_of
from tests.virtual_time import run_virtual

KEY = "main/order-1"
SKIP = replace(BY_ANN, what="skip commit 3")


class World:
    """One order of eight commits, parked at the third."""

    def __init__(
        self, *, failed: int | None = 3, owed_since_ms: int | None = None, subscription: str = "relay"
    ) -> None:
        self.ledger = Ledger()
        self.ledger.append(KEY, 8)
        self.ledger.applied[KEY] = [1, 2]
        self.lot = MemoryParkingLot()
        keys = None if failed is None else keys_of(KEY, failed)
        self.row = Parked(
            subscription=subscription,
            key=KEY,
            episode="e1",
            first=keys,
            last=keys_of(KEY, 8),
            cause=Cause("Poison", "said so"),
            attempts=3,
            parked_at_ms=1,
            held=5,
            failed=keys,
            owed_since_ms=owed_since_ms,
        )
        self.unparking = Unparking(self.lot, self.ledger, self.ledger, judge=judge)

    async def park(self) -> None:
        assert await self.lot.park(self.row)

    async def hold(self) -> None:
        """What a worker does when another record of the order comes."""
        [one] = self.ledger.append(KEY)
        assert await self.lot.hold("relay", KEY, first=one.keys, last=one.keys, records=1)

    def run(self, scenario: Callable[["World"], Awaitable[None]]) -> None:
        async def parked() -> None:
            await self.park()
            await scenario(self)

        run_virtual(parked)


def test_a_retry_applies_what_was_held_in_order_and_lets_the_order_go() -> None:
    """Once each; the decision and its reason stay with the released row."""

    async def scenario(world: World) -> None:
        assert await world.unparking.retry(world.row, BY_ANN) == Released(8, 1)
        assert world.ledger.applied[KEY] == list(range(1, 9))
        assert await world.lot.get("relay", KEY) is None
        [released] = await world.lot.released("relay", KEY)
        assert released.decisions == (BY_ANN,)

    World().run(scenario)


def test_what_is_held_while_a_retry_runs_is_made_up_for_before_the_order_goes() -> None:
    """The release on the version that was read before the log fails as often as more has come."""

    async def scenario(world: World) -> None:
        resume, left = world.ledger.resume, 3

        async def while_more_comes(key: str, *, first: object) -> None:
            nonlocal left
            await resume(key, first=first)  # type: ignore[arg-type]  # as it came
            if left:
                left -= 1
                await world.hold()

        world.ledger.resume = while_more_comes  # type: ignore[method-assign]
        assert await world.unparking.retry(world.row, BY_ANN) == Released(11, 4)
        assert world.ledger.applied[KEY] == list(range(1, 12))
        assert world.ledger.too_early == []

    World().run(scenario)


def test_an_order_that_never_stops_growing_stays_parked() -> None:
    """A bounded number of rounds; nothing is lost."""

    async def scenario(world: World) -> None:
        head = world.ledger.head

        async def and_more(stream: str) -> int:
            number = await head(stream)
            await world.hold()
            return number

        world.ledger.head = and_more  # type: ignore[method-assign]
        assert await world.unparking.retry(world.row, BY_ANN) == GrownTooFast(ROUNDS_MAX)
        assert await world.lot.get("relay", KEY) is not None
        assert world.ledger.too_early == []

    World().run(scenario)


def test_a_retry_that_fails_further_on_writes_down_where_and_keeps_what_it_did() -> None:
    """The next retry begins there; a hold that came between is kept."""

    async def scenario(world: World) -> None:
        world.ledger.poison[KEY, 6] = Poison
        outcome = await world.unparking.retry(world.row, BY_ANN)
        assert isinstance(outcome, StillParked)
        assert outcome.located
        row = await world.lot.get("relay", KEY)
        assert row == outcome.row
        assert row is not None
        assert (row.first, row.failed, row.attempts, row.held) == (keys_of(KEY, 6), keys_of(KEY, 6), 4, 5)
        assert max(world.ledger.applied[KEY]) == 5
        world.ledger.poison.clear()
        assert isinstance(await world.unparking.retry(row, BY_ANN), Released)
        assert world.ledger.missing() == []
        assert world.ledger.too_early == []

    World().run(scenario)


def test_trouble_elsewhere_leaves_the_order_as_it_was() -> None:
    """It says nothing of the order: raised, and the row still has its old cause."""

    async def scenario(world: World) -> None:
        world.ledger.down = 1.0
        with pytest.raises(Down):
            await world.unparking.retry(world.row, BY_ANN)
        row = await world.lot.get("relay", KEY)
        assert row is not None
        assert (row.cause, row.first, row.attempts) == (world.row.cause, world.row.first, 3)

    World().run(scenario)


def test_a_commit_that_is_passed_over_is_never_applied_and_the_later_ones_are() -> None:
    """In order, and written down with who decided it."""

    async def scenario(world: World) -> None:
        world.ledger.poison[KEY, 3] = Poison
        world.ledger.applied[KEY].append(3)  # as far as the check of the order goes
        assert await world.unparking.pass_over(world.row, SKIP) == Released(8, 1)
        assert world.ledger.applied[KEY] == [1, 2, 3, 4, 5, 6, 7, 8]
        [released] = await world.lot.released("relay", KEY)
        assert released.decisions == (SKIP,)

    World().run(scenario)


def test_behind_the_last_commit_there_is_nothing_to_apply() -> None:
    """The failing one is passed over, and the order goes on with what comes."""

    async def scenario(world: World) -> None:
        world.ledger.poison[KEY, 8] = Poison
        assert await world.unparking.pass_over(world.row, SKIP) == Released(8, 1)
        assert world.ledger.calls == []

    World(failed=8).run(scenario)


def test_the_next_failure_behind_a_commit_that_is_passed_over_parks_again() -> None:
    """At its own place, with its own cause."""

    async def scenario(world: World) -> None:
        world.ledger.poison |= {(KEY, 3): Poison, (KEY, 5): Poison}
        world.ledger.applied[KEY].append(3)
        outcome = await world.unparking.pass_over(world.row, SKIP)
        assert isinstance(outcome, StillParked)
        assert outcome.row.failed == keys_of(KEY, 5)
        assert max(world.ledger.applied[KEY]) == 4

    World().run(scenario)


def test_what_back_fills_left_out_is_made_up_for_around_the_commit_that_is_passed_over() -> None:
    """A repair would meet it again: so commit by commit."""

    async def scenario(world: World) -> None:
        world.ledger.poison[KEY, 3] = Poison
        world.ledger.applied[KEY] = [3]
        assert isinstance(await world.unparking.pass_over(world.row, SKIP), Released)
        assert set(world.ledger.applied[KEY]) == set(range(1, 9))
        assert world.ledger.applied[KEY].count(3) == 1

    World(owed_since_ms=0).run(scenario)


def test_an_order_that_a_back_fill_parked_is_repaired_or_located() -> None:
    """Nothing is passed over that nobody has located."""

    async def scenario(world: World) -> None:
        world.ledger.applied.clear()
        with pytest.raises(NotLocated):
            await world.unparking.pass_over(world.row, SKIP)
        world.ledger.poison[KEY, 4] = Poison
        outcome = await world.unparking.retry(world.row, BY_ANN)
        assert isinstance(outcome, StillParked)
        assert outcome.row.failed == keys_of(KEY, 4)
        world.ledger.poison.clear()
        assert isinstance(await world.unparking.retry(outcome.row, BY_ANN), Released)
        assert world.ledger.missing() == []
        assert world.ledger.too_early == []

    World(failed=None, owed_since_ms=0).run(scenario)


def test_a_missing_commit_is_where_it_fails() -> None:
    """What follows it is not applied over the hole."""

    async def scenario(world: World) -> None:
        world.ledger.poison[KEY, 5] = Poison
        item = world.ledger.item

        async def without(stream: str, number: int) -> object:
            return None if number == 5 else await item(stream, number)

        world.ledger.item = without  # type: ignore[method-assign,assignment]
        judged: list[type] = []

        def judge_both(error: Exception):
            judged.append(type(error))
            return judge(Poison())

        unparking = Unparking(world.lot, world.ledger, world.ledger, judge=judge_both)
        outcome = await unparking.retry(world.row, BY_ANN)
        assert isinstance(outcome, StillParked)
        assert outcome.row.failed == keys_of(KEY, 5)
        assert max(world.ledger.applied[KEY]) == 4

    World().run(scenario)


@pytest.mark.parametrize("verb", ["retry", "skip", "aside"])
def test_who_comes_second_is_told_so(verb: str) -> None:
    """The order was released, or parked anew, under another's hand: nothing is decided over it."""

    async def scenario(world: World) -> None:
        await world.lot.release(world.row)
        calls: dict[str, Callable[[Parked, Decision], Awaitable[Outcome | Parked | None]]] = {
            "retry": world.unparking.retry,
            "skip": world.unparking.pass_over,
            "aside": world.unparking.set_aside,
        }
        assert await calls[verb](world.row, BY_ANN) in (TakenByOthers(None), None)
        anew = replace(world.row, episode="e2")
        await world.lot.park(anew)
        assert await calls[verb](world.row, BY_ANN) in (TakenByOthers(anew), None)
        assert await world.lot.get("relay", KEY) == anew

    World().run(scenario)


def test_two_retries_side_by_side_apply_everything_and_release_once() -> None:
    """Both resume; whoever comes second finds it done."""

    async def scenario(world: World) -> None:
        world.ledger.pause_s = 0.1
        outcomes: list[Outcome] = []

        async def retry(actor: str) -> None:
            outcomes.append(await world.unparking.retry(world.row, replace(BY_ANN, actor=actor)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(retry, "ann")
            tasks.start_soon(retry, "bob")
        assert [type(outcome) for outcome in outcomes] == [Released, Released]
        assert world.ledger.missing() == []
        assert world.ledger.too_early == []
        assert len(await world.lot.released("relay", KEY)) == 1

    World().run(scenario)


def test_setting_aside_survives_what_workers_hold_meanwhile() -> None:
    """The decision is made on the row as it stands, whatever was added to it."""

    async def scenario(world: World) -> None:
        seen = await world.lot.get("relay", KEY)
        assert seen is not None
        await world.hold()
        with pytest.raises(ParkedChanged):
            await world.lot.release(seen)
        aside = await world.unparking.set_aside(seen, replace(BY_ANN, what="skip"))
        assert aside is not None
        assert (aside.state, aside.held, aside.decisions[-1].what) == ("skipped", 6, "skip")
        assert await world.unparking.retry(aside, BY_ANN) == Released(9, 1)

    World().run(scenario)


@pytest.mark.parametrize("verb", ["retry", "skip"])
def test_what_came_later_and_was_written_earlier_is_taken_in_first(verb: str) -> None:
    """The stream brought 3 in front of 2: 3 is what failed, 2 is what is owed."""

    async def scenario(world: World) -> None:
        world.ledger.applied[KEY] = [1]
        if verb == "skip":
            world.ledger.poison[KEY, 3] = Poison
        assert await world.lot.hold("relay", KEY, first=keys_of(KEY, 2), last=keys_of(KEY, 2), records=1)
        row = await world.lot.get("relay", KEY)
        assert row is not None
        assert (row.first, row.failed) == (keys_of(KEY, 2), keys_of(KEY, 3))
        call = world.unparking.retry if verb == "retry" else world.unparking.pass_over
        assert isinstance(await call(row, BY_ANN), Released)
        assert world.ledger.applied[KEY] == ([1, 2, 3, 4, 5, 6, 7, 8] if verb == "retry" else [1, 2, 4, 5, 6, 7, 8])

    World().run(scenario)


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_held_during_a_retry_and_was_written_earlier_is_taken_in_as_well(fails: bool) -> None:
    """In the next round; or, when this one fails, in the next retry."""

    async def scenario(world: World) -> None:
        world.ledger.applied[KEY] = [1]
        resume, held = world.ledger.resume, False
        if fails:
            world.ledger.poison[KEY, 6] = Poison

        async def while_an_earlier_one_comes(key: str, **options: Any) -> None:
            nonlocal held
            if not held:
                held = True
                await world.lot.hold("relay", KEY, first=keys_of(KEY, 2), last=keys_of(KEY, 2), records=1)
            await resume(key, **options)

        world.ledger.resume = while_an_earlier_one_comes  # type: ignore[method-assign]
        outcome = await world.unparking.retry(world.row, BY_ANN)
        if fails:
            assert isinstance(outcome, StillParked)
            assert (outcome.row.first, outcome.row.failed) == (keys_of(KEY, 2), keys_of(KEY, 6))
            world.ledger.poison.clear()
            outcome = await world.unparking.retry(outcome.row, BY_ANN)
        assert isinstance(outcome, Released)
        assert world.ledger.missing() == []

    World().run(scenario)


def test_what_was_passed_over_is_passed_over_by_every_later_retry_of_the_parking() -> None:
    """It was for good: also where it could be applied by then. Both are kept when the order goes on."""

    async def scenario(world: World) -> None:
        world.ledger.poison |= {(KEY, 3): Poison, (KEY, 5): Poison}
        outcome = await world.unparking.pass_over(world.row, SKIP)
        assert isinstance(outcome, StillParked)
        assert (outcome.row.passed, outcome.row.failed) == ((3,), keys_of(KEY, 5))
        world.ledger.poison = {(KEY, 5): Poison}
        outcome = await world.unparking.retry(outcome.row, BY_ANN)
        assert isinstance(outcome, StillParked)
        world.ledger.poison.clear()
        assert isinstance(await world.unparking.pass_over(outcome.row, SKIP), Released)
        assert world.ledger.missing() == [f"{KEY} 3", f"{KEY} 5"]
        [row] = await every_row(world.lot, "relay", passed=True)
        assert (row.state, row.passed) == ("passed", (3, 5))
        assert await every_row(world.lot, "relay") == ()

    World().run(scenario)


def test_a_decision_to_pass_outlives_trouble_elsewhere() -> None:
    """The retry after it goes around the commit."""

    async def scenario(world: World) -> None:
        world.ledger.down = 1.0
        with pytest.raises(Down):
            await world.unparking.pass_over(world.row, SKIP)
        world.ledger.down = 0.0
        row = await world.lot.get("relay", KEY)
        assert row is not None
        assert row.passed == (3,)
        assert isinstance(await world.unparking.retry(row, BY_ANN), Released)
        assert world.ledger.missing() == [f"{KEY} 3"]

    World().run(scenario)
