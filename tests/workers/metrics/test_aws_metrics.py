"""Each call of AWS is counted where it leaves the process, whatever becomes of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError, EndpointConnectionError
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from workers.metrics.aws import AwsMetrics
from workers.metrics.table import Metrics
from workers.parts import running_part
from workers.service import Cancellable, HttpServer, Service, listen

ENDPOINT = "http://127.0.0.1:1"
ONCE = AioConfig(retries={"total_max_attempts": 1})
ARN = "arn:aws:sns:eu-west-1:111122223333:shop-order-events"


@asynccontextmanager
async def client(service: str, metrics: Metrics, *, answer: tuple[int, Mapping[str, Any]] | None) -> AsyncIterator[Any]:
    """A client that is counted; nothing goes over the network but where there is no `answer`."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "config": ONCE}
    async with AioSession().create_client(service, region_name="eu-west-1", endpoint_url=ENDPOINT, **keys) as made:
        if answer is not None:
            response = SimpleNamespace(status_code=answer[0]), answer[1]
            made.meta.events.register("before-call", lambda **_: response)
        clients = SimpleNamespace(__dataclass_fields__={"one": None}, one=made)
        AwsMetrics(metrics, prefix="shop").watch(clients)
        yield made


def shown(metrics: Metrics) -> list[tuple[str, ...]]:
    """Operation, resource, outcome, and how often."""
    (family,) = metrics._counters["orderstore_aws_requests"].collect()
    totals = [sample for sample in family.samples if sample.name.endswith("_total")]
    names = ("operation", "resource", "outcome")
    return [(*(sample.labels[name] for name in names), f"{sample.value:g}") for sample in totals]


@pytest.mark.parametrize(
    ("service", "method", "request_", "expected"),
    [
        ("dynamodb", "put_item", {"TableName": "shop-events", "Item": {}}, ("PutItem", "events")),
        (
            "dynamodb",
            "transact_write_items",
            {
                "TransactItems": [
                    {"Put": {"TableName": "shop-series", "Item": {}}},
                    {"Put": {"TableName": "shop-events", "Item": {}}},
                ]
            },
            ("TransactWriteItems", "events+series"),
        ),
        (
            "dynamodb",
            "batch_get_item",
            {"RequestItems": {"shop-views": {"Keys": [{"key": {"S": "k"}}]}}},
            ("BatchGetItem", "views"),
        ),
        (
            "dynamodb",
            "batch_execute_statement",
            {"Statements": [{"Statement": """INSERT INTO "shop-views" VALUE {'key': ?}"""}]},
            ("BatchExecuteStatement", "views"),
        ),
        (
            "sqs",
            "receive_message",
            {"QueueUrl": f"{ENDPOINT}/111122223333/shop-payment"},
            ("ReceiveMessage", "payment"),
        ),
        ("sns", "publish", {"TopicArn": ARN, "Message": "m"}, ("Publish", "order-events")),
        ("s3", "get_object", {"Bucket": "shop-blobs-1", "Key": "a/b"}, ("GetObject", "blobs-1")),
        ("kms", "generate_random", {}, ("GenerateRandom", "")),
    ],
)
async def test_a_call_is_counted_under_what_it_is_made_of(
    service: str, method: str, request_: Mapping[str, Any], expected: tuple[str, str]
) -> None:
    """By service, operation and the table, queue, topic or bucket; the prefix that all share is left out."""
    metrics = Metrics()
    async with client(service, metrics, answer=(200, {})) as made:
        for _ in range(2):
            await getattr(made, method)(**request_)
    assert shown(metrics) == [(*expected, "ok", "2")]


async def test_a_refusal_and_a_lost_answer_are_counted_with_their_cause() -> None:
    """A throttled call costs a request too, and one that never came back may have landed."""
    metrics = Metrics()
    refused = 400, {"Error": {"Code": "ThrottlingException"}}
    request = {"TableName": "shop-events", "Item": {}}
    async with client("dynamodb", metrics, answer=refused) as made:
        with pytest.raises(ClientError):
            await made.put_item(**request)
    async with client("dynamodb", metrics, answer=None) as made:
        with pytest.raises(EndpointConnectionError):
            await made.put_item(**request)
    outcomes = {outcome for _, _, outcome, _ in shown(metrics)}
    assert outcomes == {"ThrottlingException", "EndpointConnectionError"}


async def test_what_a_part_starts_knows_its_part() -> None:
    """Its own tasks, those that they start, and what serves a request; nobody else does."""
    seen: dict[str, str] = {}

    async def work(*, task_status: Any) -> None:
        async def inner() -> None:
            seen["inner"] = running_part.get()

        async with anyio.create_task_group() as group:
            group.start_soon(inner)
        seen["own"] = running_part.get()
        task_status.started()
        await anyio.sleep_forever()

    async def served(_: Any) -> PlainTextResponse:
        return PlainTextResponse(running_part.get())

    server = HttpServer(
        Starlette(routes=[Route("/", served)]), name="api", listener=(listener := listen("127.0.0.1", 0))
    )
    stop = anyio.Event()
    async with anyio.create_task_group() as group:
        await group.start(Service([Cancellable("relay reader", work), server]).run, stop)
        async with httpx.AsyncClient(trust_env=False) as asking:
            seen["request"] = (await asking.get(f"http://127.0.0.1:{listener.getsockname()[1]}/")).text
        seen["outside"] = running_part.get()
        stop.set()
    assert seen == {"inner": "relay reader", "own": "relay reader", "request": "api", "outside": ""}
