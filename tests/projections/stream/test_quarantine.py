"""One key that cannot be applied is found, parked and passed; all others go on, and nothing that is not a key's own fault parks it."""

import itertools
from collections.abc import Sequence
from random import Random

import anyio
import pytest

from projections.stream.parking import Cause, Decision, LotUnavailable, Parked, decided
from projections.stream.parking.memory import MemoryParkingLot
from projections.stream.quarantine import NotParkedYet, ParkingStopped, Quarantine
from projections.stream.quarantine.known_keys import ParkedKeys
from projections.stream.quarantine.rules import QuarantineSettings
from projections.stream.source import Record
from tests.projections.stream.ledger import (
    PATIENCE_S,
    Down,
    Ledger,
    NewerPoison,
    ParkingWatch,
    Poison,
    judge,
    key_of,
    keys_of,
)
from tests.projections.stream.stream_state import wall_ms
from tests.virtual_time import run_virtual

SETTINGS = QuarantineSettings()


class World:
    """One subscription, with as many workers as a test wants."""

    def __init__(self, settings: QuarantineSettings = SETTINGS) -> None:
        self.ledger = Ledger()
        self.lot = MemoryParkingLot()
        self.watch = ParkingWatch()
        self.settings = settings
        self.seeds = itertools.count(5)

    def worker(self) -> Quarantine:
        return Quarantine(
            self.ledger,
            subscription="views",
            lot=self.lot,
            key_of=key_of,
            judge=judge,
            now_ms=wall_ms,
            random=Random(next(self.seeds)),
            settings=self.settings,
            observer=self.watch,
        )

    def page(self, keys: int, each: int = 1) -> list[Record]:
        """Records of so many keys, one after the other, the keys' own in order."""
        rows = [self.ledger.append(f"k{key:02}", each) for key in range(keys)]
        return [row[number] for number in range(each) for row in rows]

    async def row(self, key: str) -> Parked:
        row = await self.lot.get("views", key)
        assert row is not None
        return row


async def applied_in_the_end(worker: Quarantine, records: Sequence[Record], *, within_s: float = 3_600) -> int:
    """As the reader does it: the same records again until they are through; how often that was."""
    times = 0
    with anyio.fail_after(within_s):
        while True:
            times += 1
            try:
                await worker.apply(records)
            except (NotParkedYet, ParkingStopped, Down, LotUnavailable):
                await anyio.sleep(5)
            else:
                return times


def test_a_page_in_which_nothing_fails_is_one_call() -> None:
    """And asks for the parked keys once in a while, not once a page."""

    async def scenario() -> None:
        world = World()
        worker = world.worker()
        for _ in range(20):
            await worker.apply(world.page(10))
        assert world.ledger.calls == [10] * 20
        assert len(world.watch.stood) == 1
        await anyio.sleep(SETTINGS.known_kept_s + 0.1)
        await worker.apply(world.page(10))
        assert len(world.watch.stood) == 2

    run_virtual(scenario)


@pytest.mark.parametrize("place", [0, 17, 49])
def test_the_one_key_that_fails_is_parked_and_the_others_are_applied(place: int) -> None:
    """Fault 24: with its cause, from the record that failed on, the earlier ones applied, within a few dozen calls."""  # D26

    async def scenario() -> None:
        world = World()
        records = world.page(50, each=4)
        bad = f"k{place:02}"
        world.ledger.poison[bad, 2] = Poison

        await world.worker().apply(records)

        assert world.ledger.missing() == [f"{bad} {number}" for number in (2, 3, 4)]
        assert world.ledger.too_early == []
        row = await world.row(bad)
        assert (row.first, row.last, row.held, row.state) == (keys_of(bad, 2), keys_of(bad, 4), 2, "parked")
        assert row.failed == row.first
        assert (row.cause, row.attempts) == (Cause("Poison", "said so"), 3)
        assert world.watch.parkings == [(bad, "Poison")]
        assert len(world.ledger.calls) < 30

    run_virtual(scenario)


def test_what_came_behind_the_failing_record_and_was_written_before_it_is_owed_as_well() -> None:
    """The stream promises no order across a key's items: 3, which cannot be read, in front of 2, in one call or in two."""

    async def scenario() -> None:
        for together in (True, False):
            world = World()
            one, two, three, four = world.ledger.append("k00", 4)
            world.ledger.poison["k00", 3] = Poison
            worker = world.worker()
            await worker.apply([one])
            for records in [[three, two, four]] if together else [[three], [two], [four]]:
                await worker.apply(records)
            row = await world.row("k00")
            assert (row.first, row.failed, row.last) == (keys_of("k00", 2), keys_of("k00", 3), keys_of("k00", 4))
            assert world.ledger.applied == {"k00": [1]}

    run_virtual(scenario)


def test_several_keys_that_fail_are_each_parked() -> None:
    """In one page, whatever their places."""

    async def scenario() -> None:
        world = World()
        records = world.page(40, each=2)
        for key in ("k00", "k01", "k20", "k39"):
            world.ledger.poison[key, 1] = Poison
        await world.worker().apply(records)
        assert set(await world.lot.standings("views")) == {"k00", "k01", "k20", "k39"}
        assert len(world.ledger.missing()) == 8

    run_virtual(scenario)


def test_later_records_of_a_parked_key_wait_and_others_go_on() -> None:
    """In the same worker and in another one that begins after it."""

    async def scenario() -> None:
        world = World()
        world.ledger.poison["k01", 1] = Poison
        worker = world.worker()
        await worker.apply(world.page(3))
        await worker.apply(world.page(3))
        await world.worker().apply(world.page(3, each=2))
        row = await world.row("k01")
        assert (row.first, row.last, row.held) == (keys_of("k01", 1), keys_of("k01", 4), 3)
        assert world.ledger.missing() == [f"k01 {number}" for number in (1, 2, 3, 4)]

    run_virtual(scenario)


def test_what_lies_elsewhere_is_raised_for_ever_and_nothing_is_parked() -> None:
    """A day of an unreachable table, tried again and again."""

    async def scenario() -> None:
        world = World()
        worker = world.worker()
        records = world.page(5)
        world.ledger.down = 1.0
        for _ in range(300):
            with pytest.raises(Down):
                await worker.apply(records)
            await anyio.sleep(300)
        assert world.watch.parkings == []
        assert await world.lot.standings("views") == {}
        world.ledger.down = 0.0
        await worker.apply(records)
        assert world.ledger.missing() == []

    run_virtual(scenario)


def test_a_failure_that_passes_parks_nothing() -> None:
    """The record fails twice, then it works."""

    async def scenario() -> None:
        world = World()
        records = world.page(8)
        world.ledger.poison["k03", 1] = Poison

        async def mend() -> None:
            await anyio.sleep(0.3)
            world.ledger.mend("k03")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(mend)
            await world.worker().apply(records)
        assert world.ledger.missing() == []
        assert world.watch.parkings == []

    run_virtual(scenario)


def test_patience_is_kept_before_parking_and_nothing_else_is_repeated() -> None:
    """A newer event during a deployment: its lane waits for minutes; the lane's other records are durable, and not applied again."""

    async def scenario() -> None:
        world = World()
        records = world.page(20)
        world.ledger.poison["k07", 1] = NewerPoison
        worker, began_s = world.worker(), anyio.current_time()
        times = await applied_in_the_end(worker, records)
        assert times > 10
        assert anyio.current_time() - began_s >= PATIENCE_S
        assert set(await world.lot.standings("views")) == {"k07"}
        repeated = {key: len(numbers) for key, numbers in world.ledger.applied.items() if len(numbers) > 6}
        assert repeated == {}, "only the search itself may repeat"

        world.ledger.poison["k08", 2] = NewerPoison
        records = world.page(20)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(applied_in_the_end, worker, records)
            await anyio.sleep(PATIENCE_S / 2)
            assert world.ledger.missing() == ["k07 1", "k07 2", "k08 2"]
            world.ledger.mend("k08")  # the newer build is out
        assert "k08" not in await world.lot.standings("views")

    run_virtual(scenario)


def test_the_call_that_parks_returns_only_when_every_worker_knows() -> None:
    """Before that the checkpoint may not pass the record: another worker might go on with the next one, not knowing."""

    async def scenario() -> None:
        world = World()
        world.ledger.poison["k00", 1] = Poison
        first, second = world.worker(), world.worker()
        records = world.page(2)
        following = world.page(2)
        await second.apply([])  # it knows of no parked key
        returned = anyio.Event()

        async def apply() -> None:
            await first.apply(records)
            returned.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(apply)
            await anyio.sleep(1.9)  # the list of the other is as old as it may be
            assert await world.lot.standings("views")
            await second.apply([])
            await returned.wait()
            await second.apply(following)
        assert world.ledger.too_early == []
        assert world.ledger.applied == {"k01": [1, 1, 2]}

    run_virtual(scenario)


@pytest.mark.parametrize("cancelled_after_s", [1.0, 2.0, 3.0])
def test_a_call_that_ends_while_it_waits_for_the_others_waits_again(cancelled_after_s: float) -> None:
    """What it has made durable is remembered, and so is the time before which nobody may pass it."""

    async def scenario() -> None:
        world = World()
        world.ledger.poison["k00", 1] = Poison
        worker = world.worker()
        records = world.page(3)
        with anyio.move_on_after(cancelled_after_s):
            await worker.apply(records)
            raise AssertionError("it returned too early")
        row = await world.row("k00")
        await worker.apply(records)
        assert wall_ms() >= row.parked_at_ms + SETTINGS.settle_s * 1_000
        assert world.ledger.missing() == ["k00 1"]
        assert (await world.row("k00")).held == 0

    run_virtual(scenario)


def test_a_worker_that_first_hears_of_a_parked_key_waits_as_well() -> None:
    """It may have learned of it before somebody else with an older list: after that, holding costs no time."""

    async def scenario() -> None:
        world = World()
        world.ledger.poison["k00", 1] = Poison
        await world.worker().apply(world.page(1))
        worker, began_s = world.worker(), anyio.current_time()
        await worker.apply(world.page(1))
        assert anyio.current_time() == began_s + SETTINGS.settle_s
        await worker.apply(world.page(1))
        assert anyio.current_time() == began_s + SETTINGS.settle_s

    run_virtual(scenario)


def test_a_released_key_goes_on_with_its_next_record() -> None:
    """The worker learns of it from the row that is not there, however old its list is."""

    async def scenario() -> None:
        world = World()
        world.ledger.poison["k00", 1] = Poison
        worker = world.worker()
        await worker.apply(world.page(2))
        world.ledger.mend("k00")
        await world.ledger.resume("k00", first=keys_of("k00", 1))
        await world.lot.release(await world.row("k00"))

        await worker.apply(world.page(2))
        assert world.ledger.missing() == []
        assert world.ledger.too_early == []
        world.ledger.poison["k00", 3] = Poison
        await worker.apply(world.page(2))
        assert (await world.row("k00")).first == keys_of("k00", 3)
        assert len(await world.lot.released("views", "k00")) == 1

    run_virtual(scenario)


def test_a_key_that_somebody_else_has_parked_meanwhile_is_not_parked_twice() -> None:
    """Two workers with the same records, as when a lease has just changed hands: one row, and what both hold waits behind it."""

    async def scenario() -> None:
        world = World()
        world.ledger.poison["k00", 1] = Poison
        records = world.page(2, each=2)
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(world.worker().apply, records)
        row = await world.row("k00")
        assert row.first == keys_of("k00", 1)
        assert len(world.watch.parkings) == 1
        assert row.held >= 2
        assert world.ledger.too_early == []

    run_virtual(scenario)


def test_skipped_keys_are_held_silently() -> None:
    """They count for no alarm, not for the brake either, and wait until somebody retries them."""

    async def scenario() -> None:
        world = World(QuarantineSettings(parked_max=1))
        world.ledger.poison |= {("k00", 1): Poison, ("k01", 2): Poison}
        worker = world.worker()
        await worker.apply(world.page(3))
        row = await world.row("k00")
        await world.lot.replace(row, decided(row, DECISION, state="skipped"))
        await anyio.sleep(SETTINGS.known_kept_s + 1)
        await worker.apply(world.page(3))
        assert {key: one.state for key, one in (await world.lot.standings("views")).items()} == {
            "k00": "skipped",
            "k01": "parked",
        }
        assert (await world.row("k00")).held == 1
        await worker.apply(world.page(1))
        assert world.watch.stood[-1][:2] == (1, 1)

    run_virtual(scenario)


DECISION = Decision(what="skip", actor="ann", reason="the customer was told", at_ms=1)


@pytest.mark.parametrize("bound", ["at once", "within the window"])
def test_too_many_failures_are_no_keys_fault(bound: str) -> None:
    """A broken deployment parks a few and then waits; when it is mended, everything else is applied."""

    async def scenario() -> None:
        bounds = {"parked_max": 5} if bound == "at once" else {"parkings_max": 5}
        world = World(QuarantineSettings(**bounds))
        worker = world.worker()
        records = world.page(30)
        for key in range(30):
            world.ledger.poison[f"k{key:02}", 1] = Poison
        for _ in range(20):
            with pytest.raises(ParkingStopped):
                await worker.apply(records)
            await anyio.sleep(20)
        assert len(await world.lot.standings("views")) == 5
        assert world.watch.refused
        world.ledger.poison.clear()
        await worker.apply(records)
        assert len(world.ledger.missing()) == 5

    run_virtual(scenario)


def test_the_brake_lets_go_when_the_window_is_over() -> None:
    """Ten bad orders of one import are not a broken deployment for ever."""

    async def scenario() -> None:
        world = World(QuarantineSettings(parkings_max=3, window_s=600))
        records = world.page(8)
        for key in range(8):
            world.ledger.poison[f"k{key:02}", 1] = Poison
        began_s = anyio.current_time()
        await applied_in_the_end(world.worker(), records)
        assert len(await world.lot.standings("views")) == 8
        assert 1_200 <= anyio.current_time() - began_s <= 1_300

    run_virtual(scenario)


def test_the_lot_out_of_reach_stops_what_needs_it() -> None:
    """Nothing is applied on a list that is too old; nothing is passed that could not be parked."""

    async def scenario() -> None:
        world = World()
        worker = world.worker()
        world.ledger.poison["k00", 1] = Poison
        working = world.lot.park, world.lot.standings

        async def out_of_reach(*_: object) -> bool:
            raise LotUnavailable("out of reach")

        world.lot.park = out_of_reach  # type: ignore[method-assign]
        first = world.page(2)
        for _ in range(5):
            with pytest.raises(LotUnavailable):
                await worker.apply(first)
        world.lot.park = working[0]  # type: ignore[method-assign]
        await worker.apply(first)
        await anyio.sleep(SETTINGS.known_kept_s + 1)
        world.lot.standings = out_of_reach  # type: ignore[method-assign,assignment]
        with pytest.raises(LotUnavailable):
            await worker.apply(world.page(2))
        assert world.ledger.missing() == ["k00 1", "k00 2", "k01 2"]

    run_virtual(scenario)


def test_a_watch_reports_what_stands_also_without_traffic() -> None:
    """The age of the oldest parked key; and it outlives a lot that does not answer."""

    async def scenario() -> None:
        world = World()
        world.ledger.poison["k00", 1] = Poison
        worker = world.worker()
        await worker.apply(world.page(1))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ParkedKeys(world.lot, "views", kept_s=0, now_ms=wall_ms, observer=world.watch).watch)
            await anyio.sleep(100)
            assert world.watch.stood[-1][:2] == (1, 0)
            assert 80_000 <= world.watch.stood[-1][2] <= 110_000
            working = world.lot.standings

            async def out_of_reach(*_: object) -> object:
                raise LotUnavailable("out of reach")

            world.lot.standings = out_of_reach  # type: ignore[method-assign,assignment]
            await anyio.sleep(100)
            assert world.watch.unavailable > 3
            world.lot.standings = working  # type: ignore[method-assign]
            await world.lot.release(await world.row("k00"))
            await anyio.sleep(20)
            assert world.watch.stood[-1] == (0, 0, 0)
            tasks.cancel_scope.cancel()

    run_virtual(scenario)


def test_settings_that_would_let_a_record_pass_are_refused() -> None:
    """A list may not be older than what the parking waits for."""
    for wrong in ({"settle_s": 1.0}, {"parked_max": 0}, {"retry_max_s": 0}, {"repair_keys": 0}):
        with pytest.raises(ValueError, match=r"must"):
            QuarantineSettings(**wrong)
