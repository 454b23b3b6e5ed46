"""Fifty ask at once while a table is slow, throttled or not there: the reads are few, and nobody waits for many of them."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from projections.answers.current_generations import CurrentGenerations
from projections.answers.publication import RecentPublication
from projections.projecting.targets import LiveTargets
from projections.stream.parking import LotUnavailable, ParkedPage, Standing
from projections.stream.parking.memory import MemoryParkingLot
from projections.stream.quarantine.known_keys import ParkedKeys
from projections.stream.quarantine.observe import SilentParkingObserver
from projections.view_store import ViewStoreThrottled, ViewStoreUnavailable
from projections.view_store.memory import MemoryViewStore
from projections.views import VIEWS
from projections.views.view import Generations
from tests.projections.histories import TENANT
from tests.virtual_time import run_virtual

CROWD = 50
Ask = Callable[[], Coroutine[Any, Any, object]]


@dataclass
class Trouble:
    """How long a read takes, and how it ends; how many there were."""

    takes_s: float = 0.0
    error: Exception | None = None
    reads: int = 0

    async def meet(self) -> None:
        self.reads += 1
        await anyio.sleep(self.takes_s)
        if self.error is not None:
            raise self.error


class Views(MemoryViewStore):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self._trouble = trouble

    async def generations(self, views: Sequence[str]) -> Mapping[str, Generations]:
        await self._trouble.meet()
        return await super().generations(views)


class Lot(MemoryParkingLot):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self._trouble = trouble

    async def page(self, subscription: str, *, after: str | None = None, limit: int = 200) -> ParkedPage:
        await self._trouble.meet()
        return await super().page(subscription, after=after, limit=limit)

    async def standings(self, subscription: str) -> Mapping[str, Standing]:
        await self._trouble.meet()
        return await super().standings(subscription)


async def no_mark() -> int | None:
    return None


def generations(trouble: Trouble) -> Ask:
    return CurrentGenerations(Views(trouble), ["order_status"]).now


def publication(trouble: Trouble) -> Ask:
    return RecentPublication(no_mark, Lot(trouble), subscription="relay", tenant=TENANT).get


def targets(trouble: Trouble) -> Ask:
    return LiveTargets(Views(trouble), VIEWS).now


def parked_keys(trouble: Trouble) -> Ask:
    lot = Lot(trouble)
    return ParkedKeys(lot, "views", kept_s=2.0, now_ms=lambda: 0, observer=SilentParkingObserver()).now


READERS = {"generations": generations, "publication": publication, "targets": targets, "parked keys": parked_keys}
VIEWS_DOWN = (ViewStoreThrottled("throttled"), ViewStoreUnavailable("no such table"))
LOT_DOWN = (LotUnavailable("throttled"), LotUnavailable("no such table"))


def troubles(reader: str) -> dict[str, Trouble]:
    throttled, absent = VIEWS_DOWN if reader in {"generations", "targets"} else LOT_DOWN
    return {
        "slow": Trouble(takes_s=1.2),
        "slower than anything is kept": Trouble(takes_s=7.0),
        "throttled": Trouble(takes_s=2.5, error=throttled),
        "absent": Trouble(takes_s=0.0, error=absent),
    }


async def crowd(ask: Ask, *, apart_s: float = 0.0) -> list[float]:
    """How long each of fifty waited who asked one after the other, so far apart."""
    waits_s: list[float] = []

    async def one(number: int) -> None:
        await anyio.sleep(number * apart_s)
        asked_at_s = anyio.current_time()
        with suppress(ViewStoreThrottled, ViewStoreUnavailable, LotUnavailable):
            await ask()
        waits_s.append(anyio.current_time() - asked_at_s)

    async with anyio.create_task_group() as tasks:
        for number in range(CROWD):
            tasks.start_soon(one, number)
    return waits_s


@pytest.mark.parametrize("trouble", ["slow", "slower than anything is kept", "throttled", "absent"])
@pytest.mark.parametrize("reader", READERS)
def test_fifty_at_once_cost_one_read_and_wait_for_one(reader: str, trouble: str) -> None:
    """Whether it ends well or not: its failure is the answer of all who waited for it."""

    async def scenario() -> None:
        met = troubles(reader)[trouble]
        waits_s = await crowd(READERS[reader](met))
        assert met.reads == 1
        assert max(waits_s) == pytest.approx(met.takes_s)

    run_virtual(scenario)


@pytest.mark.parametrize("trouble", ["slow", "slower than anything is kept", "throttled"])
@pytest.mark.parametrize("reader", READERS)
def test_fifty_one_after_the_other_wait_for_two_reads_at_most(reader: str, trouble: str) -> None:
    """Whoever may not go by the read that is on its way, because it began too long ago, shares the next with all others of that kind."""

    async def scenario() -> None:
        met = troubles(reader)[trouble]
        waits_s = await crowd(READERS[reader](met), apart_s=0.1)
        assert max(waits_s) <= 2 * met.takes_s + 1e-6
        assert met.reads <= 5.0 / met.takes_s + 2

    run_virtual(scenario)


@pytest.mark.parametrize("reader", ["generations", "publication"])
def test_a_table_that_is_not_there_is_asked_for_once_a_second(reader: str) -> None:
    """It refuses at once; the answers to requests remember that for as long as they would have kept an answer."""

    async def scenario() -> None:
        met = troubles(reader)["absent"]
        await crowd(READERS[reader](met), apart_s=0.1)
        assert 4 <= met.reads <= 6

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("reader", "reads"), [("targets", 2), ("parked keys", 2), ("generations", 1), ("publication", 1)]
)
def test_what_a_worker_acts_on_ages_from_before_it_was_read(reader: str, reads: int) -> None:
    """A read of seven seconds: who asks three seconds after it began may have missed what happened meanwhile, and reads again."""

    async def scenario() -> None:
        met = troubles(reader)["slower than anything is kept"]
        ask = READERS[reader](met)

        async def later() -> None:
            await anyio.sleep(3)
            await ask()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(later)
        assert met.reads == reads

    run_virtual(scenario)
