"""Transactions against a scripted client: what is sent again, as what, what is an answer, what is an error, and how they are packed."""

from random import Random

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from orderstore.store.trouble import Backoff
from projections.projecting import contributions
from projections.view_store import (
    Addition,
    Conflict,
    ViewStoreRefused,
    ViewStoreThrottled,
    ViewStoreUnavailable,
    Write,
    Written,
)
from projections.view_store import items as view_items
from projections.view_store import transactions as view_transactions
from projections.view_store.dynamo import DynamoViewStore
from projections.view_store.items import SLOTS
from tests.virtual_time import run_virtual

NONE = {"Code": "None"}
STALE = {"Code": "ConditionalCheckFailed", "Item": {"last_commit": {"N": "7"}}}
MET = {"Code": "TransactionConflict", "Message": "another one"}
TIMED_OUT = ReadTimeoutError(endpoint_url="http://db")


class ScriptedClient:
    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.requests: list[dict] = []

    async def transact_write_items(self, **request):
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer


def cancelled(*reasons) -> ClientError:
    response = {
        "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        "CancellationReasons": list(reasons),
    }
    return ClientError(response, "TransactWriteItems")


def failure(code: str, status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "TransactWriteItems")


def store_over(client, tries_max: int = 4) -> DynamoViewStore:
    return DynamoViewStore(client, table="views", random=Random(1), backoff=Backoff(tries_max=tries_max))


def write(key: str, sums=None, document: bytes = b"{}") -> Write:
    sums = {"d": {"n": 1, "minor": 5}} if sums is None else sums
    return Write(
        key=key,
        expected_commit=None,
        commit=1,
        schema=1,
        document=document,
        contribution=contributions.written(sums),
        additions=tuple(Addition(bucket, amounts) for bucket, amounts in sums.items()),
    )


def keys_of(request) -> list[str]:
    return [item["Put"]["Item"]["key"]["S"] for item in request["TransactItems"] if "Put" in item]


def rows_of(request) -> dict[str, list[str]]:
    """Row -> what is added to it, in the order of the measures' names."""
    updates = [item["Update"] for item in request["TransactItems"] if "Update" in item]
    return {
        update["Key"]["key"]["S"]: [
            update["ExpressionAttributeValues"][f":{name[1:]}"]["N"]
            for name, _ in sorted(update["ExpressionAttributeNames"].items(), key=lambda entry: entry[1])
        ]
        for update in updates
    }


def test_documents_of_many_orders_add_to_a_row_once() -> None:
    """Ten documents and the sum of what they add: eleven items, one call."""
    client = ScriptedClient()

    assert run_virtual(store_over(client).write, [write(f"k/{n}") for n in range(10)]) == (Written(),) * 10

    [request] = client.requests
    assert keys_of(request) == [f"k/{n}" for n in range(10)]
    assert list(rows_of(request).values()) == [["50", "10"]]


def test_a_stale_document_leaves_and_the_others_go_again_without_what_it_adds() -> None:
    """Its commit is in the answer; the second transaction has a name of its own, for its contents are others."""
    client = ScriptedClient(cancelled(NONE, STALE, NONE, NONE))

    results = run_virtual(store_over(client).write, [write("k/0"), write("k/1"), write("k/2")])

    assert results == (Written(), Conflict(7), Written())
    first, second = client.requests
    assert keys_of(second) == ["k/0", "k/2"]
    assert list(rows_of(first).values()) == [["15", "3"]]
    assert list(rows_of(second).values()) == [["10", "2"]]
    assert first["ClientRequestToken"] != second["ClientRequestToken"]


def test_when_all_are_stale_nothing_is_sent_again() -> None:
    """And nothing is added, wherever else the transaction met another one."""
    client = ScriptedClient(cancelled(STALE, {"Code": "ConditionalCheckFailed"}, MET))

    assert run_virtual(store_over(client).write, [write("k/0"), write("k/1")]) == (Conflict(7), Conflict(None))
    assert len(client.requests) == 1


def test_an_answer_that_was_lost_is_asked_for_with_the_very_same_request() -> None:
    """The database knows by the token whether it carried it out; an internal error is no other case."""
    client = ScriptedClient(TIMED_OUT, failure("InternalServerError", 500), failure("TransactionInProgressException"))

    assert run_virtual(store_over(client).write, [write("k/0"), write("k/1")]) == (Written(), Written())

    assert len(client.requests) == 4
    assert all(request == client.requests[0] for request in client.requests)


def test_a_transaction_that_met_another_one_goes_to_other_rows() -> None:
    """After a pause; slots are drawn anew, so that two who met do not meet for ever."""
    client = ScriptedClient(*[cancelled(NONE, MET)] * 11)

    assert run_virtual(store_over(client, tries_max=20).write, [write("k/0")]) == (Written(),)

    rows = [next(iter(rows_of(request))) for request in client.requests]
    assert len(set(rows)) > 3
    assert set(rows) <= {f"d#{slot}" for slot in range(SLOTS)}
    assert len({request["ClientRequestToken"] for request in client.requests}) == 12


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (cancelled(NONE, MET), ViewStoreThrottled),
        (cancelled({"Code": "ThrottlingError"}, NONE), ViewStoreThrottled),
        (cancelled({"Code": "ProvisionedThroughputExceeded"}, NONE), ViewStoreThrottled),
        (failure("ThrottlingException"), ViewStoreThrottled),
        (failure("InternalServerError", 500), ViewStoreUnavailable),
        (TIMED_OUT, ViewStoreUnavailable),
    ],
)
def test_trouble_without_end_ends_as_an_error(answer, expected) -> None:
    """The bounded tries are used up; what to do is in the name."""
    client = ScriptedClient(*[answer] * 9)
    with pytest.raises(expected):
        run_virtual(store_over(client).write, [write("k/0")])
    assert len(client.requests) == 4


@pytest.mark.parametrize(
    "answer",
    [
        cancelled({"Code": "ValidationError", "Message": "no"}, NONE),
        cancelled(STALE, NONE, {"Code": "ItemCollectionSizeLimitExceeded"}),
        cancelled(NONE, NONE, {"Code": "ConditionalCheckFailed"}),  # of a row of totals, which has no condition
        failure("TransactionCanceledException"),
        failure("AccessDeniedException"),
        failure("IdempotentParameterMismatchException"),
    ],
)
def test_what_will_never_work_is_not_tried_again(answer) -> None:
    """Told at once; least of all is it taken for done."""
    client = ScriptedClient(answer)
    with pytest.raises(ViewStoreRefused):
        run_virtual(store_over(client).write, [write("k/0"), write("k/1")])
    assert len(client.requests) == 1


@pytest.mark.thorough
def test_transactions_pass_no_limit_and_leave_nobody_out() -> None:
    """At most 25 documents, 100 items and 900,000 bytes each."""
    random = Random(3)
    writes = [
        write(
            f"k/{n}",
            {f"d{random.randrange(200)}": {"n": 1} for _ in range(random.randrange(1, 90))},
            document=random.randbytes(random.choice((2, 2, 2, 150_000))).hex().encode(),
        )
        for n in range(120)
    ]

    packs = view_transactions.packed(list(enumerate(writes)))

    assert [entry for pack in packs for entry in pack] == list(enumerate(writes))
    for pack in packs:
        request = view_transactions.request("views", [one for _, one in pack], slot=0, token="t")
        assert len(pack) <= 25
        assert len(request["TransactItems"]) <= 100
        assert sum(view_items.item_bytes(view_items.item_of(one)) for _, one in pack) <= 900_000
    assert len(view_transactions.packed(list(enumerate([write(f"k/{n}") for n in range(60)])))) == 3


def test_transactions_of_one_call_keep_out_of_each_other_s_way() -> None:
    """Each adds to rows of its own."""
    client = ScriptedClient()

    run_virtual(store_over(client).write, [write(f"k/{n}") for n in range(100)])

    assert len({next(iter(rows_of(request))) for request in client.requests}) == len(client.requests) == 4


def test_what_comes_to_nothing_is_not_added() -> None:
    """One order's gain is another's loss: the row is left alone."""
    client = ScriptedClient()

    run_virtual(store_over(client).write, [write("k/0", {"d": {"n": 4}}), write("k/1", {"d": {"n": -4}})])

    assert rows_of(client.requests[0]) == {}
