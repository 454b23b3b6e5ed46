"""The DynamoDB adapter against a client that answers from a script, on virtual time."""

from collections import deque
from collections.abc import Mapping
from random import Random
from typing import Any

import anyio
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)

from orderstore.store import items
from orderstore.store.blobs import MemoryBlobStore
from orderstore.store.chain import seal
from orderstore.store.dynamo import DynamoEventStore
from orderstore.store.dynamo_reader import READ_BYTES_MAX
from orderstore.store.errors import CounterConflict, Refused, StreamTooLong, Throttled, Unavailable
from orderstore.store.trouble import Backoff, Trouble, classify
from tests.virtual_time import run_virtual

FIRST = seal(stream="a/order-1", number=1, recorded_at_ms=1, body=b"1", previous=None)
READ_TIMEOUT = ReadTimeoutError(endpoint_url="http://x")


def answer(code: str, status: int = 400, **more: Any) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(response, "Operation")


class Script:
    """A client whose answers are written down."""

    def __init__(self, *answers: Any) -> None:
        self.answers = deque(answers)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        async def call(**request: Any) -> Any:
            await anyio.lowlevel.checkpoint()
            self.asked.append((operation, request))
            reply = self.answers.popleft()
            if isinstance(reply, Exception):
                raise reply
            return reply

        return call


def store_over(script: Script) -> DynamoEventStore:
    client: Any = script
    return DynamoEventStore(client, table="e", counters_table="c", blobs=MemoryBlobStore(), random=Random(3))


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (answer("ProvisionedThroughputExceededException"), Trouble.THROTTLED),
        (answer("ThrottlingException"), Trouble.THROTTLED),
        (answer("SlowDown", 503), Trouble.THROTTLED),
        (answer("TransactionInProgressException"), Trouble.THROTTLED),
        (answer("InternalServerError", 500), Trouble.TRANSIENT),
        (answer("SomethingNew", 502), Trouble.TRANSIENT),
        (answer("KMSInternalException", 500), Trouble.TRANSIENT),
        (answer("ValidationException"), Trouble.REFUSED),
        (answer("ResourceNotFoundException"), Trouble.REFUSED),
        (answer("AccessDeniedException"), Trouble.REFUSED),
        (READ_TIMEOUT, Trouble.TRANSIENT),
        (ConnectTimeoutError(endpoint_url="x"), Trouble.TRANSIENT),
        (EndpointConnectionError(endpoint_url="x"), Trouble.TRANSIENT),
        (CredentialRetrievalError(provider="container-role", error_msg="x"), Trouble.TRANSIENT),
        (ParamValidationError(report="x"), Trouble.REFUSED),
    ],
    ids=lambda value: value.name if isinstance(value, Trouble) else str(value)[:40],
)
def test_each_failure_has_one_meaning(error: Any, trouble: Trouble) -> None:
    """One table decides what is tried again."""
    assert classify(error) is trouble


def test_the_back_off_is_bounded_in_tries_and_in_time() -> None:
    """A database that is away for good is given up in seconds, after so many tries and no more."""
    script = Script(*(answer("ThrottlingException") for _ in range(100)))

    async def scenario() -> None:
        with pytest.raises(Throttled):
            await store_over(script).append(FIRST)
        assert 0 < anyio.current_time() - began < 5

    async def timed() -> None:
        nonlocal began
        began = anyio.current_time()
        await scenario()

    began = 0.0
    run_virtual(timed)

    assert len(script.asked) == Backoff().tries_max


def test_sleeps_are_spread_and_never_longer_than_the_ceiling() -> None:
    """Full jitter: no two waiting clients come back together, and none waits for minutes."""
    backoff, random = Backoff(base_s=0.1, ceiling_s=1.0), Random(4)
    sleeps = [backoff.sleep_s(failures, random) for failures in range(1, 30) for _ in range(20)]

    assert all(0 <= sleep <= 1.0 for sleep in sleeps)
    assert all(backoff.sleep_s(1, random) <= 0.1 for _ in range(100))
    assert len(set(sleeps)) == len(sleeps)


@pytest.mark.parametrize("bounds", [{"tries_max": 0}, {"base_s": 0.0}, {"base_s": 2.0, "ceiling_s": 1.0}], ids=repr)
def test_a_back_off_without_bounds_cannot_be(bounds: dict[str, Any]) -> None:
    """Zero tries or no sleep is a mistake in the settings."""
    with pytest.raises(ValueError, match="back-off"):
        Backoff(**bounds)


def test_a_doubtful_transaction_whose_counter_moved_was_its_own() -> None:
    """After a time-out the counter alone is told to have moved: the commit is there, so both had landed."""
    moved = answer(
        "TransactionCanceledException",
        CancellationReasons=[{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": {"taken": {"N": "1"}}}],
    )
    landed = Script(READ_TIMEOUT, moved, {"Item": items.encode(FIRST).item})
    taken_by_others = Script(READ_TIMEOUT, moved, {})
    no_doubt = Script(moved)

    async def scenario() -> None:
        await store_over(landed).append_numbered(FIRST, counter="n", taken=1)
        for script in (taken_by_others, no_doubt):
            with pytest.raises(CounterConflict) as conflict:
                await store_over(script).append_numbered(FIRST, counter="n", taken=1)
            assert conflict.value.current == 1

    run_virtual(scenario)

    assert [operation for operation, _ in landed.asked] == ["transact_write_items", "transact_write_items", "get_item"]
    assert len(no_doubt.asked) == 1
    tokens = {request["ClientRequestToken"] for operation, request in landed.asked if operation != "get_item"}
    assert len(tokens) == 1


def test_a_transaction_that_met_another_one_is_tried_again() -> None:
    """TransactionConflict means "busy", not "taken"."""
    busy = answer(
        "TransactionCanceledException", CancellationReasons=[{"Code": "None"}, {"Code": "TransactionConflict"}]
    )
    slow = answer("TransactionCanceledException", CancellationReasons=[{"Code": "ThrottlingError"}, {"Code": "None"}])
    script = Script(busy, slow, busy, {})

    run_virtual(lambda: store_over(script).append_numbered(FIRST, counter="n", taken=1))

    assert len(script.asked) == 4


def test_a_transaction_refused_for_good_is_not_tried_again() -> None:
    """A reason that does not pass away ends it at once."""
    reasons = [{"Code": "ValidationError"}, {"Code": "None"}]
    script = Script(answer("TransactionCanceledException", CancellationReasons=reasons))

    async def scenario() -> None:
        with pytest.raises(Refused):
            await store_over(script).append_numbered(FIRST, counter="n", taken=1)

    run_virtual(scenario)

    assert len(script.asked) == 1


def test_a_refusal_after_a_time_out_does_not_claim_that_nothing_was_stored() -> None:
    """The first try may have landed: that is said."""
    script = Script(READ_TIMEOUT, answer("ExpiredTokenException"))

    async def scenario() -> None:
        with pytest.raises(Unavailable) as doubt:
            await store_over(script).append(FIRST)
        assert doubt.value.ambiguous

    run_virtual(scenario)


def test_a_read_that_fails_is_never_ambiguous() -> None:
    """Nothing can have been stored by reading."""
    script = Script(*(READ_TIMEOUT for _ in range(Backoff().tries_max)))

    async def scenario() -> None:
        with pytest.raises(Unavailable) as away:
            await store_over(script).read("a/order-1")
        assert not away.value.ambiguous

    run_virtual(scenario)


def test_an_endpoint_that_does_not_say_who_won_is_asked() -> None:
    """Older DynamoDB Local knows no ALL_OLD: one consistent read finds the winner."""
    script = Script(answer("ConditionalCheckFailedException"), {"Item": items.encode(FIRST).item})

    run_virtual(lambda: store_over(script).append(FIRST))

    assert [operation for operation, _ in script.asked] == ["put_item", "get_item"]
    assert script.asked[1][1]["ConsistentRead"] is True


@pytest.mark.thorough
def test_a_read_is_bounded_in_bytes() -> None:
    """A stream whose bodies would fill the memory is refused, not loaded."""
    body = bytes(15 * 1024 * 1024)
    page, previous = [], None
    for number in range(1, READ_BYTES_MAX // len(body) + 2):
        previous = seal(stream="a/order-1", number=number, recorded_at_ms=1, body=body, previous=previous)
        page.append(items.encode(previous).item)
    script = Script({"Items": page})

    async def scenario() -> None:
        with pytest.raises(StreamTooLong):
            await store_over(script).read("a/order-1")

    run_virtual(scenario)


def test_reads_are_strongly_consistent() -> None:
    """Whatever reads the log says so in its request."""
    script = Script({"Items": []}, {"Items": []}, {}, {"Items": []})

    async def scenario() -> None:
        store = store_over(script)
        await store.read("a/order-1")
        assert [stream async for stream in store.streams()] == []
        assert await store.counter("n") == 0
        assert [found async for found in store.stored("a/order-1")] == []

    run_virtual(scenario)

    assert [request["ConsistentRead"] for _, request in script.asked] == [True] * 4
