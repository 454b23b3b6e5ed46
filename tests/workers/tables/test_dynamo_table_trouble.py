"""What DynamoDB's refusals become, without DynamoDB."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.virtual_time import run_virtual
from workers.tables.attributes import decode, encode
from workers.tables.dynamo import DynamoTable
from workers.tables.errors import (
    ConditionRefused,
    TableContended,
    TableRefused,
    TableThrottled,
    TableUnavailable,
    TransactionRefused,
)
from workers.tables.port import Change, PutNew


def refusal(code: str, status: int = 400, **more: Any) -> ClientError:
    response: dict[str, Any] = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response | more, "Operation")


def cancelled(*codes: str) -> ClientError:
    return refusal("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


class Client:
    """Answers each call with what it was given."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        async def call(**request: Any) -> Any:
            self.requests.append(request)
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal("ProvisionedThroughputExceededException"), TableThrottled),
        (refusal("ThrottlingException"), TableThrottled),
        (refusal("TransactionConflictException"), TableContended),
        (refusal("InternalServerError", 500), TableUnavailable),
        (refusal("AccessDeniedException"), TableRefused),
        (refusal("ResourceNotFoundException"), TableRefused),
        (ReadTimeoutError(endpoint_url="x"), TableUnavailable),
        (cancelled("None", "TransactionConflict"), TableContended),
        (cancelled("ThrottlingError", "None"), TableThrottled),
        (cancelled("ValidationError"), TableRefused),
        (cancelled("TransactionConflict", "ConditionalCheckFailed"), TransactionRefused),
    ],
)
def test_each_refusal_has_its_name(error: Exception, expected: type[Exception]) -> None:
    """One table, at the adapter's edge."""  # E058
    table = DynamoTable(Client(*[error] * 100), "t")  # type: ignore[arg-type]

    with pytest.raises(expected):
        run_virtual(table.transact, [PutNew({"key": "a"}, {})])


async def ask(table: DynamoTable, operation: str) -> None:
    match operation:
        case "get":
            await table.get({"key": "a"})
        case "get_many":
            await table.get_many([{"key": "a"}])
        case "put_new":
            await table.put_new(PutNew({"key": "a"}, {}))
        case "change":
            await table.change(Change(key={"key": "a"}, assign={"x": 1}))
        case "transact":
            await table.transact([PutNew({"key": "a"}, {})])


ANSWER: dict[str, Any] = {"Responses": {}}
READS = ["get", "get_many"]
WRITES = ["put_new", "change", "transact"]


@pytest.mark.parametrize("operation", READS + WRITES)
def test_what_was_throttled_is_tried_again_a_bounded_number_of_times(operation: str) -> None:
    """A burst must not use up the message's receives, of which there are three: it was not carried out, so a repeat is harmless."""
    slower = refusal("ThrottlingException")
    client = Client(slower, slower, ANSWER)
    run_virtual(ask, DynamoTable(client, "t"), operation)  # type: ignore[arg-type]
    assert len(client.requests) == 3
    assert client.requests[0] == client.requests[2]

    client = Client(*[slower] * 100)
    with pytest.raises(TableThrottled):
        run_virtual(ask, DynamoTable(client, "t"), operation)  # type: ignore[arg-type]
    assert len(client.requests) < 20


@pytest.mark.parametrize("operation", READS)
def test_a_read_that_failed_is_tried_again(operation: str) -> None:
    """It changes nothing."""
    client = Client(ReadTimeoutError(endpoint_url="x"), refusal("InternalServerError", 500), ANSWER)
    run_virtual(ask, DynamoTable(client, "t"), operation)  # type: ignore[arg-type]
    assert len(client.requests) == 3


@pytest.mark.parametrize("operation", WRITES)
def test_a_write_in_doubt_is_not_repeated(operation: str) -> None:
    """It may have landed: the caller, who knows what that would mean, looks first."""
    client = Client(ReadTimeoutError(endpoint_url="x"), ANSWER)
    with pytest.raises(TableUnavailable):
        run_virtual(ask, DynamoTable(client, "t"), operation)  # type: ignore[arg-type]
    assert len(client.requests) == 1


async def test_a_failed_condition_carries_the_item() -> None:
    """`Item` of the error is what stands."""
    error = refusal("ConditionalCheckFailedException", Item={"key": {"S": "a"}, "left": {"N": "3"}})

    with pytest.raises(ConditionRefused) as refused:
        await DynamoTable(Client(error), "t").change(Change(key={"key": "a"}, equals={"x": 1}))  # type: ignore[arg-type]

    assert refused.value.existing == {"key": "a", "left": 3}


def test_unprocessed_keys_are_read_again_a_bounded_number_of_times() -> None:
    """A throttled batch answers part of what was asked."""
    rest = {"Responses": {"t": [{"key": {"S": "a"}}]}, "UnprocessedKeys": {"t": {"Keys": [{"key": {"S": "b"}}]}}}
    whole = {"Responses": {"t": [{"key": {"S": "b"}}]}, "UnprocessedKeys": {}}
    keys = [{"key": "a"}, {"key": "b"}]

    table = DynamoTable(Client(rest, whole), "t")  # type: ignore[arg-type]

    assert run_virtual(table.get_many, keys) == ({"key": "a"}, {"key": "b"})


def test_keys_that_stay_unprocessed_are_a_throttling() -> None:
    """After a bounded number of rounds."""
    rest = {"Responses": {"t": []}, "UnprocessedKeys": {"t": {"Keys": [{"key": {"S": "b"}}]}}}
    client = Client(*[rest] * 100)

    with pytest.raises(TableThrottled):
        run_virtual(DynamoTable(client, "t").get_many, [{"key": "b"}])  # type: ignore[arg-type]
    assert len(client.requests) < 20


@pytest.mark.parametrize("value", [1.5, None, b"x", object()])
def test_what_would_not_come_back_is_refused(value: object) -> None:
    """No binary floats, above all."""
    with pytest.raises(TypeError):
        encode(value)
    with pytest.raises(ValueError, match="not written by this service"):
        decode({"B": b"x"})
