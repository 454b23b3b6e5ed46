"""What every parking lot promises: the one in memory, and the table on moto and in the embedded environment."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from projections.stream.parking import (
    DECISIONS_MAX,
    MESSAGE_CHARACTERS_MAX,
    Cause,
    Decision,
    LotUnavailable,
    Parked,
    ParkedChanged,
    ParkingLot,
    Standing,
    decided,
    every_row,
    failed_again,
)
from projections.stream.parking.dynamo import DynamoParkingLot
from projections.stream.parking.memory import MemoryParkingLot
from tests.contract.event_logs import Wire, refusal, time_out

MOTO = pytest.param("moto", marks=pytest.mark.moto)
EMULATOR = pytest.param("ministack", marks=pytest.mark.emulator)
everywhere = pytest.mark.parametrize("kind", ["memory", MOTO, EMULATOR])
over_a_wire = pytest.mark.parametrize("kind", [MOTO, EMULATOR])
# moto's transactions and conditions do not hold under concurrency.
where_conditions_hold = pytest.mark.parametrize("kind", ["memory", EMULATOR])
_names = itertools.count(1)
TRIES = 5


def keys(number: int, stream: str = "shop/order-1") -> dict[str, Any]:
    return {"stream": {"S": stream}, "commit": {"N": str(number)}}


ROW = Parked(
    subscription="views",
    key="shop/order-1",
    episode="e1",
    first=keys(3),
    last=keys(5),
    cause=Cause("CorruptCommit", "commit 3 is not as it was written"),
    attempts=3,
    parked_at_ms=1_800_000_000_000,
    held=2,
    failed=keys(3),
)
RETRY = Decision(what="retry", actor="ann", reason="the upcaster is out", at_ms=1_800_000_001_000)


@dataclass
class Place:
    lot: ParkingLot
    wire: Wire | None = None
    table: str = ""


@pytest.fixture
async def place(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if kind == "memory":
        yield Place(MemoryParkingLot())
        return
    url = request.getfixturevalue("moto_url") if kind == "moto" else request.getfixturevalue("emulator").endpoint_url
    table = f"contract-parked-{next(_names)}"
    options: dict[str, Any] = {
        "endpoint_url": url,
        "region_name": "eu-west-1",
        "aws_access_key_id": "340000000001",
        "aws_secret_access_key": "secret",
        "config": AioConfig(retries={"total_max_attempts": 1}, max_pool_connections=64),
    }
    async with get_session().create_client("dynamodb", **options) as dynamodb:
        await dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "subscription", "AttributeType": "S"},
                {"AttributeName": "key", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "subscription", "KeyType": "HASH"},
                {"AttributeName": "key", "KeyType": "RANGE"},
            ],
        )
        wire = Wire(dynamodb)
        lot = DynamoParkingLot(wire, table, random=Random(1), backoff_initial_s=0.001, backoff_max_s=0.002)  # type: ignore[arg-type]  # as it is called
        yield Place(lot, wire, table)
        await dynamodb.delete_table(TableName=table)


@everywhere
async def test_rows_come_back_as_they_were_stored(place: Place) -> None:
    """Every field, those that are missing too, and no row of another subscription."""
    full = replace(
        ROW, key="shop/Größe", state="skipped", owed_since_ms=0, version=9, decisions=(RETRY, RETRY), passed=(2, 10)
    )
    bare = replace(ROW, key="shop/bare", first=None, last=None, failed=None, held=0)
    for row in (ROW, full, bare, replace(ROW, subscription="relay")):
        assert await place.lot.park(row)

    for row in (ROW, full, bare):
        assert await place.lot.get("views", row.key) == row
    assert await place.lot.get("views", "shop/nobody") is None
    assert await place.lot.standings("views") == {
        row.key: Standing(row.state, row.parked_at_ms) for row in (ROW, full, bare)
    }
    assert await every_row(place.lot, "views") == (full, bare, ROW)
    assert await place.lot.standings("nobody") == {}
    assert await every_row(place.lot, "nobody") == ()


@everywhere
async def test_a_key_is_parked_once(place: Place) -> None:
    """The second to come is told so, and changes nothing; the same episode again is the write whose answer was lost."""
    assert await place.lot.park(ROW)
    assert not await place.lot.park(replace(ROW, episode="e2", held=9))
    assert await place.lot.park(ROW)
    assert await place.lot.get("views", ROW.key) == ROW


@everywhere
async def test_a_held_record_moves_the_row_on(place: Place) -> None:
    """It is counted, it is the last, and who saw the row before cannot release it any more."""
    await place.lot.park(ROW)
    assert await place.lot.hold("views", ROW.key, first=keys(6), last=keys(7), records=2)

    held = replace(ROW, last=keys(7), held=4, version=2)
    assert await place.lot.get("views", ROW.key) == held
    with pytest.raises(ParkedChanged) as changed:
        await place.lot.release(ROW)
    assert changed.value.winner == held
    assert await place.lot.get("views", ROW.key) == held
    await place.lot.release(held)


@everywhere
async def test_a_row_without_a_record_takes_the_first_that_is_held(place: Place) -> None:
    """A back-fill parks a key without knowing a record; what comes later through the stream is owed from its first on."""
    await place.lot.park(replace(ROW, first=None, last=None, held=0))
    await place.lot.hold("views", ROW.key, first=keys(4), last=keys(5), records=2)
    await place.lot.hold("views", ROW.key, first=keys(6), last=keys(6), records=1)

    row = await place.lot.get("views", ROW.key)
    assert row is not None
    assert (row.first, row.last, row.held, row.version) == (keys(4), keys(6), 3, 3)


@everywhere
async def test_an_earlier_record_that_comes_later_is_owed_first(place: Place) -> None:
    """The stream can bring commit 10, which is refused, in front of 9 and of 2: numbers are compared, not their digits."""
    await place.lot.park(replace(ROW, first=keys(10), last=keys(10), held=0, failed=keys(10)))
    seen = []
    for number in (9, 11, 9, 2, 10):
        assert await place.lot.hold("views", ROW.key, first=keys(number), last=keys(number), records=1)
        row = await place.lot.get("views", ROW.key)
        assert row is not None
        seen.append((row.first, row.version, row.held))
    assert seen == [(keys(9), 2, 1), (keys(9), 3, 2), (keys(9), 4, 3), (keys(2), 5, 4), (keys(2), 6, 5)]
    assert row.failed == keys(10)


@everywhere
async def test_what_was_passed_is_kept_beside_the_parked_rows_when_the_key_goes_on(place: Place) -> None:
    """For good, of all its parkings together, and only for who asks: the key is not parked, and can be."""
    for number, episode in ((3, "e1"), (12, "e2"), (None, "e3")):
        row = replace(ROW, episode=episode, parked_at_ms=ROW.parked_at_ms + (number or 99))
        assert await place.lot.park(row)
        noted = decided(row, RETRY, passed=number)
        await place.lot.replace(row, noted)
        await place.lot.release(noted)
        await place.lot.release(noted)  # its answer was lost
    other = replace(ROW, key="shop/order-2")
    assert await place.lot.park(other)

    assert await place.lot.get("views", ROW.key) is None
    assert set(await place.lot.standings("views")) == {other.key}
    assert await every_row(place.lot, "views") == (other,)
    assert not await place.lot.hold("views", ROW.key, first=keys(9), last=keys(9), records=1)
    [_, kept] = await every_row(place.lot, "views", passed=True)
    assert (kept.key, kept.state, kept.passed, kept.decisions) == (ROW.key, "passed", (3, 12), (RETRY,))
    assert (kept.subscription, kept.first, kept.held, kept.owed_since_ms) == ("views", None, 0, None)
    assert [row.passed for row in await place.lot.released("views", ROW.key)] == [(3,), (12,), ()]
    assert await place.lot.park(replace(ROW, episode="e4"))
    assert [row.state for row in await every_row(place.lot, "views", passed=True)].count("parked") == 2


@everywhere
async def test_rows_of_what_was_passed_come_in_the_same_pages(place: Place) -> None:
    """Each once, whatever the page's size."""
    for number in range(7):
        row = replace(ROW, key=f"k{number}", passed=(number,))
        await place.lot.park(row)
        if number % 2:
            await place.lot.release(row)
            await place.lot.park(replace(row, episode="e2", passed=()))
    for limit in (1, 2, 3, 200):
        seen, after = [], None
        while True:
            page = await place.lot.page("views", after=after, limit=limit)
            seen += [(row.key, row.state) for row in page.rows]
            if (after := page.next) is None:
                break
        assert sorted(seen) == sorted(
            (f"k{number}", state) for number in range(7) for state in ("parked", "passed")[: 1 + number % 2]
        )


@everywhere
async def test_what_a_back_fill_left_out_is_owed_from_the_earliest_on(place: Place) -> None:
    """The version moves on every time, also when no more is owed than before: a release that began before must not end."""
    await place.lot.park(ROW)
    owed = []
    for since_ms in (500, 700, 500, 300):
        assert await place.lot.owe("views", ROW.key, since_ms)
        row = await place.lot.get("views", ROW.key)
        assert row is not None
        owed.append((row.owed_since_ms, row.version))

    assert owed == [(500, 2), (500, 3), (500, 4), (300, 5)]


@everywhere
async def test_nothing_is_noted_of_a_key_that_is_not_parked(place: Place) -> None:
    """The worker learns from that answer that the key was released: a held record must never make a row."""
    assert not await place.lot.hold("views", ROW.key, first=keys(1), last=keys(1), records=1)
    assert not await place.lot.owe("views", ROW.key, 5)
    await place.lot.park(ROW)
    await place.lot.release(ROW)
    assert not await place.lot.hold("views", ROW.key, first=keys(6), last=keys(6), records=1)
    assert not await place.lot.owe("views", ROW.key, 5)
    assert await place.lot.get("views", ROW.key) is None
    assert await place.lot.standings("views") == {}


@everywhere
async def test_a_released_key_is_remembered_and_may_be_parked_again(place: Place) -> None:
    """Each episode stands by itself, oldest first; a release of the former one does not touch the next."""
    first = decided(ROW, RETRY)
    await place.lot.park(ROW)
    await place.lot.replace(ROW, first)
    await place.lot.release(first)
    second = replace(ROW, episode="e2", parked_at_ms=ROW.parked_at_ms + 1)
    assert await place.lot.park(second)
    await place.lot.park(replace(ROW, key=f"{ROW.key}#b"))
    await place.lot.release(replace(ROW, key=f"{ROW.key}#b"))

    await place.lot.release(first)  # its answer was lost, and it is sent again
    with pytest.raises(ParkedChanged):
        await place.lot.release(replace(second, version=7))
    assert await place.lot.get("views", ROW.key) == second
    await place.lot.release(second)

    assert await place.lot.released("views", ROW.key) == (
        replace(first, state="released"),
        replace(second, state="released"),
    )
    assert await place.lot.released("relay", ROW.key) == ()


@everywhere
async def test_a_change_counts_only_on_the_row_that_was_seen(place: Place) -> None:
    """Version and episode both: a later parking may have come to the same version."""
    await place.lot.park(replace(ROW, version=4))
    for stale in (replace(ROW, version=3), replace(ROW, episode="e0", version=4)):
        with pytest.raises(ParkedChanged) as changed:
            await place.lot.replace(stale, decided(stale, RETRY))
        assert changed.value.winner == replace(ROW, version=4)
    skipped = decided(replace(ROW, version=4), RETRY, state="skipped")
    await place.lot.replace(replace(ROW, version=4), skipped)
    await place.lot.replace(replace(ROW, version=4), skipped)  # again: the answer was lost

    assert await place.lot.get("views", ROW.key) == skipped
    assert (await place.lot.standings("views"))[ROW.key].state == "skipped"
    with pytest.raises(ParkedChanged) as gone:
        await place.lot.replace(replace(ROW, key="gone"), decided(replace(ROW, key="gone"), RETRY))
    assert gone.value.winner is None


@everywhere
async def test_rows_are_read_page_by_page(place: Place) -> None:
    """Each once, whatever the page's size; and all of them oldest first, which is not the order of their keys."""
    count = 23
    for number in range(count):
        await place.lot.park(replace(ROW, key=f"k{number:02}", parked_at_ms=100 - number))
    for limit in (1, 5, 23, 200):
        seen: list[str] = []
        after = None
        while True:
            page = await place.lot.page("views", after=after, limit=limit)
            assert len(page.rows) <= limit
            seen += [row.key for row in page.rows]
            if page.next is None:
                break
            after = page.next
        assert seen == [f"k{number:02}" for number in range(count)]
    assert [row.parked_at_ms for row in await every_row(place.lot, "views")] == sorted(100 - n for n in range(count))


@where_conditions_hold
async def test_of_a_release_and_records_that_are_held_one_comes_first(place: Place) -> None:
    """32 times side by side: either the record is noted and the release is refused, or the key is free and nothing is noted."""
    for number in range(32):
        row = replace(ROW, key=f"k{number}")
        await place.lot.park(row)
        outcome: dict[str, bool] = {}

        async def hold(row: Parked = row, outcome: dict[str, bool] = outcome) -> None:
            outcome["held"] = await place.lot.hold("views", row.key, first=keys(6), last=keys(6), records=1)

        async def release(row: Parked = row, outcome: dict[str, bool] = outcome) -> None:
            try:
                await place.lot.release(row)
            except ParkedChanged:
                outcome["released"] = False
            else:
                outcome["released"] = True

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(*((hold,) if number % 2 else (release,)))
            tasks.start_soon(*((release,) if number % 2 else (hold,)))

        assert outcome["held"] is not outcome["released"], number
        assert (await place.lot.get("views", row.key) is None) is outcome["released"]


@where_conditions_hold
async def test_of_many_that_park_a_key_at_once_one_does(place: Place) -> None:
    """Two workers in the moment of a change of hands."""
    parked: list[str] = []

    async def park(episode: str) -> None:
        if await place.lot.park(replace(ROW, episode=episode)):
            parked.append(episode)

    async with anyio.create_task_group() as tasks:
        for number in range(16):
            tasks.start_soon(park, f"e{number}")
    row = await place.lot.get("views", ROW.key)
    assert row is not None
    assert parked == [row.episode]


@over_a_wire
async def test_a_write_whose_answer_was_lost_is_carried_out_once(place: Place) -> None:
    """Each is sent again, and finds itself there."""
    assert place.wire is not None
    place.wire.fail_after("put_item", time_out())
    assert await place.lot.park(ROW)
    retried = decided(ROW, RETRY)
    place.wire.fail_after("put_item", time_out())
    await place.lot.replace(ROW, retried)
    place.wire.fail_after("transact_write_items", time_out())
    await place.lot.release(retried)

    assert await place.lot.get("views", ROW.key) is None
    assert await place.lot.released("views", ROW.key) == (replace(retried, state="released"),)


@over_a_wire
async def test_trouble_with_the_table_is_told_in_the_lots_words(place: Place) -> None:
    """After bounded tries where a second one may help, at once where not."""
    assert place.wire is not None
    calls = {
        "put_item": lambda: place.lot.park(ROW),
        "update_item": lambda: place.lot.hold("views", "a", first=keys(1), last=keys(1), records=1),
        "query": lambda: place.lot.standings("views"),
        "get_item": lambda: place.lot.get("views", "a"),
        "transact_write_items": lambda: place.lot.release(ROW),
    }
    for operation, call in calls.items():
        for trouble in (refusal("ThrottlingException"), refusal("InternalServerError", 500), time_out()):
            place.wire.calls.clear()
            place.wire.fail_before(operation, *[trouble] * TRIES)
            with pytest.raises(LotUnavailable):
                await call()
            assert place.wire.calls[operation] == TRIES
        place.wire.calls.clear()
        place.wire.fail_before(operation, refusal("AccessDeniedException"))
        with pytest.raises(LotUnavailable):
            await call()
        assert place.wire.calls[operation] == 1


def test_a_row_has_bounds() -> None:
    """A cause is cut, decisions are the last ones, and nobody decides without a name and a reason."""
    row = replace(ROW, cause=Cause("E" * 500, "x" * 5_000))
    assert len(row.cause.message) == MESSAGE_CHARACTERS_MAX
    for number in range(50):
        row = decided(row, replace(RETRY, at_ms=number))
    assert [decision.at_ms for decision in row.decisions] == list(range(50 - DECISIONS_MAX, 50))
    assert row.version == 51
    for nobody in ({"actor": " "}, {"reason": ""}, {"reason": "x" * 301}):
        with pytest.raises(ValueError, match="actor and"):
            replace(RETRY, **nobody)


def test_a_retry_that_failed_keeps_what_is_held() -> None:
    """The first that is owed moves on to the record that failed now; a skipped key is parked again."""
    skipped = decided(ROW, RETRY, state="skipped")
    again = failed_again(skipped, Cause("KeyError", "x"), first=keys(4))
    assert (again.state, again.first, again.failed) == ("parked", keys(4), keys(4))
    assert (again.held, again.attempts, again.version) == (2, 4, 3)
    assert failed_again(skipped, Cause("KeyError", "x"), first=None).first == ROW.first
