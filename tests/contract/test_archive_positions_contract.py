"""One suite for the archive's positions, and for raising a series' counter: memory, moto, and the embedded environment."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Any

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from orderstore.archive.counters import DynamoSeriesCounters
from orderstore.archive.dynamo_positions import GET_ROUNDS_MAX, DynamoPositions
from orderstore.archive.positions import Applied, MemoryPositions, Position, Positions, Restoration
from orderstore.store.errors import Refused, Throttled, Unavailable
from tests.contract.event_logs import QUICK, Wire, refusal, time_out

MOTO = pytest.param("moto", marks=pytest.mark.moto)
EMULATOR = pytest.param("ministack", marks=pytest.mark.emulator)
everywhere = pytest.mark.parametrize("kind", ["memory", MOTO, EMULATOR])
over_a_wire = pytest.mark.parametrize("kind", [MOTO, EMULATOR])
_names = itertools.count(1)


@dataclass
class Place:
    positions: Positions
    wire: Wire | None = None
    raw: Any = None
    series: str = ""


@pytest.fixture
async def place(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if kind == "memory":
        yield Place(MemoryPositions())
        return
    url = request.getfixturevalue("moto_url") if kind == "moto" else request.getfixturevalue("emulator").endpoint_url
    table, series = (f"contract-{name}-{next(_names)}" for name in ("archive", "archive-series"))
    options: dict[str, Any] = {
        "endpoint_url": url,
        "region_name": "eu-west-1",
        "aws_access_key_id": "330000000001",
        "aws_secret_access_key": "secret",
        "config": AioConfig(retries={"total_max_attempts": 1}, max_pool_connections=64),
    }
    async with get_session().create_client("dynamodb", **options) as dynamodb:
        for name, key in ((table, "stream"), (series, "series")):
            await dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            )
        wire = Wire(dynamodb)
        positions = DynamoPositions(wire, table=table, random=Random(1), backoff=QUICK)  # type: ignore[arg-type]  # as it is called
        yield Place(positions, wire, dynamodb, series)
        for name in (table, series):
            await dynamodb.delete_table(TableName=name)


def at(through: int, manifest: int = 1) -> Position:
    return Position(through, bytes([through % 256]) * 32, manifest)


@everywhere
async def test_positions_come_back_as_they_were_put(place: Place) -> None:
    """More than one call takes; those that were never archived are absent."""
    wanted = {f"Größe/order-{number}": at(number + 1) for number in range(230)}
    await place.positions.advance(wanted)

    assert await place.positions.get([*wanted, "unknown"]) == wanted
    assert await place.positions.get([]) == {}
    await place.positions.advance({})


@everywhere
async def test_a_position_never_goes_back(place: Place) -> None:
    """A slow archiver applies an old manifest after a newer one: nothing of it is taken."""
    await place.positions.advance({"a": at(5, 2)})
    await place.positions.advance({"a": at(3, 1), "b": at(1, 1)})
    await place.positions.advance({"a": at(5, 9)})

    assert await place.positions.get(["a", "b"]) == {"a": at(5, 2), "b": at(1, 1)}


@everywhere
async def test_however_many_advance_at_once_the_furthest_stays(place: Place) -> None:
    """64 archivers, in any order."""
    numbers = list(range(1, 65))
    Random(3).shuffle(numbers)
    async with anyio.create_task_group() as tasks:
        for number in numbers:
            tasks.start_soon(place.positions.advance, {"a": at(number, number)})
            tasks.start_soon(place.positions.mark_applied, Applied(number, f"{number:064x}"))

    assert await place.positions.get(["a"]) == {"a": at(64, 64)}
    assert await place.positions.applied() == Applied(64, f"{64:064x}")


@everywhere
async def test_the_applied_manifest_only_moves_on(place: Place) -> None:
    """None at first; and an earlier one is not noted any more."""
    assert await place.positions.applied() is None
    await place.positions.mark_applied(Applied(2, "b" * 64))
    await place.positions.mark_applied(Applied(1, "a" * 64))

    assert await place.positions.applied() == Applied(2, "b" * 64)


@everywhere
async def test_a_restore_notes_how_far_it_has_come(place: Place) -> None:
    """Beside the positions and the mark, and never among them."""
    assert await place.positions.restoration() is None
    for manifest, state in ((0, "running"), (7, "running"), (7, "done")):
        noted = Restoration(archive="a" * 64, manifest=manifest, state=state)  # type: ignore[arg-type]  # a loop's texts
        await place.positions.note_restoration(noted)
        assert await place.positions.restoration() == noted
    assert await place.positions.applied() is None
    assert await place.positions.get(["a"]) == {}


@over_a_wire
async def test_a_time_out_that_wrote_is_no_second_write(place: Place) -> None:
    """The same is sent again and finds itself there."""
    assert place.wire is not None
    place.wire.fail_after("update_item", time_out(), time_out())
    await place.positions.advance({"a": at(5)})

    assert await place.positions.get(["a"]) == {"a": at(5)}


@over_a_wire
async def test_trouble_is_told_in_the_stores_words(place: Place) -> None:
    """Bounded tries; the caller's tree of errors has no AWS in it."""
    assert place.wire is not None
    for operation, call in (
        ("get_item", place.positions.applied),
        ("batch_get_item", lambda: place.positions.get(["a"])),
        ("update_item", lambda: place.positions.advance({"a": at(1)})),
        ("put_item", lambda: place.positions.note_restoration(Restoration(archive="a", manifest=1, state="done"))),
    ):
        place.wire.fail_before(operation, *[refusal("ThrottlingException")] * QUICK.tries_max)
        with pytest.raises(Throttled):
            await call()
        place.wire.fail_before(operation, *[refusal("InternalServerError", 500)] * QUICK.tries_max)
        with pytest.raises(Unavailable):
            await call()
        place.wire.fail_before(operation, refusal("AccessDeniedException"))
        with pytest.raises(Refused):
            await call()


@over_a_wire
async def test_keys_that_were_left_unread_are_asked_for_again(place: Place) -> None:
    """A throttled BatchGetItem answers with what it has; a bounded number of rounds."""
    await place.positions.advance({"a": at(1), "b": at(2)})
    real = place.raw.batch_get_item
    rounds = 0

    async def one_at_a_time(**request: Any) -> Any:
        nonlocal rounds
        rounds += 1
        [(table, asked)] = request["RequestItems"].items()
        first, *rest = asked["Keys"]
        answer = await real(RequestItems={table: {**asked, "Keys": [first]}})
        return {**answer, "UnprocessedKeys": {table: {**asked, "Keys": rest}} if rest else {}}

    place.wire.batch_get_item = one_at_a_time  # type: ignore[union-attr]
    assert await place.positions.get(["a", "b", "c"]) == {"a": at(1), "b": at(2)}
    assert rounds == 3
    with pytest.raises(Throttled):
        await place.positions.get([f"order-{number}" for number in range(GET_ROUNDS_MAX + 1)])


@over_a_wire
async def test_a_series_counter_is_raised_and_never_lowered(place: Place) -> None:
    """The item is the one that the log's own transaction makes."""
    counters = DynamoSeriesCounters(place.wire, table=place.series, random=Random(1), backoff=QUICK)  # type: ignore[arg-type]  # as it is called
    for taken in (5, 9, 7, 9):
        await counters.raise_to("INV-2026", taken)
    found = await place.raw.get_item(TableName=place.series, Key={"series": {"S": "INV-2026"}}, ConsistentRead=True)
    assert found["Item"] == {"series": {"S": "INV-2026"}, "taken": {"N": "9"}}
    with pytest.raises(ValueError, match="numbers from 1"):
        await counters.raise_to("INV-2026", 0)
    assert place.wire is not None
    place.wire.fail_before("update_item", refusal("AccessDeniedException"))
    with pytest.raises(Refused):
        await counters.raise_to("INV-2026", 10)
