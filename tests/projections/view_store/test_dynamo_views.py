"""The DynamoDB adapter against a scripted client: what is tried again, what is an answer, what is an error, and how calls are cut."""

from random import Random

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from orderstore.store.trouble import Backoff
from projections.view_store import (
    Conflict,
    UnreadableDocument,
    ViewStoreRefused,
    ViewStoreThrottled,
    ViewStoreUnavailable,
    Write,
    Written,
)
from projections.view_store import items as view_items
from projections.view_store.dynamo import DynamoViewStore
from tests.virtual_time import run_virtual

THROTTLED = {"Code": "ProvisionedThroughputExceeded", "Message": "slow down"}
TIMED_OUT = ReadTimeoutError(endpoint_url="http://db")


class ScriptedClient:
    """Answers calls of one operation from a script; an exception in it is raised. Remembers the requests."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.requests: list[dict] = []

    async def _answer(self, **request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    batch_execute_statement = batch_get_item = query = scan = get_item = _answer


def store_over(client, tries_max: int = 4) -> DynamoViewStore:
    return DynamoViewStore(client, table="views", random=Random(1), backoff=Backoff(tries_max=tries_max))


def writes(count: int, size: int = 2) -> list[Write]:
    return [Write(key=f"k/{n}", expected_commit=None, commit=1, schema=1, document=b"x" * size) for n in range(count)]


def failure(code: str, status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "BatchExecuteStatement")


def keys_of(request) -> list[str]:
    return [statement["Parameters"][0]["S"] for statement in request["Statements"]]


def test_only_the_throttled_entries_are_sent_again() -> None:
    """Written, conflict, throttled, internal error: the second call carries the last two, and results keep their order."""
    client = ScriptedClient(
        {
            "Responses": [
                {},
                {"Error": {"Code": "DuplicateItem", "Message": "there"}},
                {"Error": THROTTLED},
                {"Error": {"Code": "InternalServerError", "Message": "oops"}},
            ]
        },
        {"Responses": [{"Error": THROTTLED}, {}]},
        {"Responses": [{"Error": {"Code": "ConditionalCheckFailed", "Item": {"last_commit": {"N": "7"}}}}]},
    )

    results = run_virtual(store_over(client).write, writes(4))

    assert results == (Written(), Conflict(None), Conflict(7), Written())
    assert [keys_of(request) for request in client.requests] == [
        ["k/0", "k/1", "k/2", "k/3"],
        ["k/2", "k/3"],
        ["k/2"],
    ]


def test_throttling_without_end_ends_as_an_error() -> None:
    """The bounded tries are used up, and what it is called says what to do: later."""
    client = ScriptedClient(*[{"Responses": [{"Error": THROTTLED}]}] * 4)
    with pytest.raises(ViewStoreThrottled):
        run_virtual(store_over(client).write, writes(1))
    assert len(client.requests) == 4


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (failure("ThrottlingException"), ViewStoreThrottled),
        (failure("InternalServerError", 500), ViewStoreUnavailable),
        (TIMED_OUT, ViewStoreUnavailable),
    ],
)
def test_a_call_that_fails_whole_is_repeated_whole_and_then_given_up(error, expected) -> None:
    """Twice and it works; four times and it is the caller's turn."""
    client = ScriptedClient(error, error, {"Responses": [{}]})
    assert run_virtual(store_over(client).write, writes(1)) == (Written(),)

    with pytest.raises(expected):
        run_virtual(store_over(ScriptedClient(*[error] * 4)).write, writes(1))


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException", "ValidationException"])
def test_what_will_never_work_is_not_tried_again(code: str) -> None:
    """Permissions, a missing table, a bug: told at once, whether of a call or of one entry in it."""
    client = ScriptedClient(failure(code))
    with pytest.raises(ViewStoreRefused):
        run_virtual(store_over(client).write, writes(1))
    assert len(client.requests) == 1

    entry = ScriptedClient({"Responses": [{"Error": {"Code": code, "Message": "no"}}]})
    with pytest.raises(ViewStoreRefused):
        run_virtual(store_over(entry).write, writes(1))


def test_a_call_carries_at_most_25_statements_and_less_than_a_mebibyte() -> None:
    """Both limits cut; no statement is left out or sent twice."""

    def all_written(request):
        return {"Responses": [{} for _ in request["Statements"]]}

    small = ScriptedClient(*[all_written] * 3)
    run_virtual(store_over(small).write, writes(60))
    assert sorted(len(request["Statements"]) for request in small.requests) == [10, 25, 25]

    noise = [
        Write(key=f"k/{n}", expected_commit=3, commit=4, schema=1, document=Random(n).randbytes(150_000).hex().encode())
        for n in range(9)
    ]
    large = ScriptedClient(*[all_written] * 9)
    run_virtual(store_over(large).write, noise)
    sent = [statement for request in large.requests for statement in request["Statements"]]
    assert len(sent) == 9
    for request in large.requests:
        assert sum(view_items.statement_bytes(statement) for statement in request["Statements"]) <= 900_000


def test_unprocessed_keys_are_asked_for_again() -> None:
    """A read that was answered in part goes on with the rest; one that makes no progress is bounded."""
    item = {"key": {"S": "k/0"}, "last_commit": {"N": "1"}, "schema": {"N": "1"}, "document": {"S": "{}"}}
    other = {**item, "key": {"S": "k/1"}}
    left = {"UnprocessedKeys": {"views": {"Keys": [{"key": {"S": "k/1"}}]}}}
    client = ScriptedClient(
        {"Responses": {"views": [item]}, **left}, {"Responses": {}, **left}, {"Responses": {"views": [other]}}
    )

    found = run_virtual(store_over(client).get, ["k/0", "k/1", "k/0"])

    assert set(found) == {"k/0", "k/1"}
    assert all(request["RequestItems"]["views"]["ConsistentRead"] for request in client.requests)
    stuck = ScriptedClient(*[{"Responses": {}, **left}] * 5)
    with pytest.raises(ViewStoreThrottled):
        run_virtual(store_over(stuck).get, ["k/1"])


def test_a_page_that_ends_early_says_where_it_goes_on() -> None:
    """A query stops at 1 MB with fewer documents than asked for: there is more, and the cursor leads to it."""
    item = {
        "key": {"S": "k/0"},
        "last_commit": {"N": "1"},
        "schema": {"N": "1"},
        "document": {"S": "{}"},
        "list_key": {"S": "list"},
        "list_sort": {"S": "a"},
    }
    client = ScriptedClient({"Items": [item], "LastEvaluatedKey": {"key": {"S": "k/0"}}})

    async def scenario():
        return await store_over(client).listed("list", after=None, limit=10, newest_first=True)

    assert run_virtual(scenario).next == ("a", "k/0")


def test_documents_are_compressed_only_when_that_saves_a_write_unit() -> None:
    """Small documents stay readable in the console; long ones cost a fraction."""

    def stored_as(document: bytes) -> str:
        [write] = writes(1)
        statement = view_items.statement_for(
            "views", Write(key=write.key, expected_commit=None, commit=1, schema=1, document=document)
        )
        return next(iter(statement["Parameters"][3]))

    assert stored_as(b"x" * 1_024) == "S"
    assert stored_as(b"x" * 1_025) == "B"
    assert stored_as(Random(1).randbytes(700).hex().encode()) == "B"
    assert stored_as(bytes(Random(1).choices(range(33, 127), k=1_500))) == "S"


@pytest.mark.parametrize("item", [{}, {"key": {"S": "pointer/v"}, "generation": {"N": "1"}}])
def test_an_item_that_is_no_document_is_not_read_as_one(item) -> None:
    """Half a document is not shown to anybody."""
    with pytest.raises(UnreadableDocument, match="no document"):
        view_items.stored_from(item)


def test_a_walk_tells_of_each_page_what_aws_counted_before_it_reads_the_next() -> None:
    """Also of a page that holds nothing of what is looked for."""
    told: list[float] = []

    async def consumed(units: float) -> None:
        told.append(units)

    def page(*names: str, units: float, more: bool):
        after = {"LastEvaluatedKey": {"key": {"S": "somewhere"}}} if more else {}
        found = [{view_items.TOTAL_OF: {"S": name}, "key": {"S": name}} for name in names]

        def answer(request) -> dict:
            assert request["ReturnConsumedCapacity"] == "TOTAL"
            assert len(told) == len(client.requests) - 1, "told before it goes on"
            return {"Items": found, "ConsumedCapacity": {"CapacityUnits": units}, **after}

        return answer

    client = ScriptedClient()

    async def scenario() -> None:
        store = store_over(client)
        for walk in (store.keys, store.sum_keys):
            told.clear()
            client.requests.clear()
            client.answers = [page(units=128.5, more=True), page("g1/a", units=3.0, more=False)]
            assert [name async for name in walk("g1/", consumed=consumed)] == ["g1/a"]
            assert told == [128.5, 3.0]

    run_virtual(scenario)
