"""What comes from AWS is read as botocore reads it, in less time."""

import base64
import json
import math
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session
import pytest
from aiobotocore.parsers import create_parser
from botocore.model import ListShape, MapShape, Shape, ShapeResolver, StructureShape
from botocore.parsers import ResponseParserError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.aws_calls import Wire, clients
from workers.aws_parsing import QuickJSONParser, moment

OPERATIONS = {
    "dynamodb": (
        "Query",
        "Scan",
        "GetItem",
        "BatchGetItem",
        "PutItem",
        "UpdateItem",
        "TransactWriteItems",
        "BatchWriteItem",
        "DescribeTable",
    ),
    "dynamodbstreams": ("GetRecords", "DescribeStream", "GetShardIterator", "ListStreams"),
    "sqs": (
        "ReceiveMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibilityBatch",
        "SendMessageBatch",
        "GetQueueAttributes",
    ),
    "kms": ("GenerateDataKey", "Decrypt", "Sign", "GetPublicKey"),
    "events": ("PutEvents",),
}
DEPTH_MAX = 4


def stock() -> Any:
    """botocore's own parser, of which the stubs know little."""
    return create_parser("json")


@cache
def _shape(service: str, operation: str) -> Shape:
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).output_shape
    assert shape is not None
    return shape


def _answers(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """JSON that fits a shape, and now and then a member that is null, or that the model does not know."""
    if isinstance(shape, StructureShape):
        if depth > DEPTH_MAX:
            return st.just({}) if not shape.is_tagged_union else st.just({"S": "deep"})
        members = {
            member.serialization.get("name", name): st.none() | _answers(member, depth + 1)
            for name, member in shape.members.items()
        }
        if shape.is_tagged_union or shape.name == "AttributeValue":
            return st.sampled_from(sorted(members)).flatmap(
                lambda name: st.fixed_dictionaries({name: members[name].filter(lambda value: value is not None)})
            )
        return st.fixed_dictionaries({}, optional={**members, "SomethingNew": st.just({"S": "x"})})
    if isinstance(shape, ListShape):
        return st.lists(_answers(shape.member, depth + 1), max_size=2)
    if isinstance(shape, MapShape):
        return st.dictionaries(st.text(max_size=3), _answers(shape.value, depth + 1), max_size=3)
    match shape.type_name:
        case "blob":
            return st.binary(max_size=8).map(lambda data: base64.b64encode(data).decode())
        case "timestamp":
            return st.integers(0, 4_000_000_000) | st.floats(0, 4e9).map(lambda value: round(value, 3))
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            return st.integers(-(2**53), 2**53)
        case "double" | "float":
            return st.floats(allow_nan=False, allow_infinity=False)
        case _:
            return st.text(max_size=5)


@pytest.mark.thorough
@pytest.mark.parametrize(("service", "operation"), [(name, one) for name, all_ in OPERATIONS.items() for one in all_])
def test_every_operation_is_read_as_botocore_reads_it(service: str, operation: str) -> None:
    shape, quick, slow = _shape(service, operation), QuickJSONParser(moment), stock()

    @settings(max_examples=30)
    @given(answer=_answers(shape))
    def same(answer: Any) -> None:
        body = json.dumps(answer).encode()
        assert quick._handle_json_body(body, shape) == slow._handle_json_body(body, shape)

    same()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"not JSON",
        b'{"Item": null}',
        b'{"Item": {"a": {"S": "\\ud800"}}}',
        b'{"Item": {"a": {"B": "AAA"}}}',
        b'{"Item": {"a": {}}}',
        b'{"Item": {"a": {"S": "1", "N": "2"}}}',
        b'{"Item": {"a": {"X": "1"}}}',
        b'{"Item": {"a": {"__type": "AttributeValue", "S": "1"}}}',
        b'{"Item": {"a": {"NULL": true}, "b": {"L": [{"M": {"c": {"BS": ["AAAA", "BBBB"]}}}]}}}',
        b'{"ConsumedCapacity": {"CapacityUnits": 1e2}}',
        b'{"Item": {"a": {"L": [null, {"S": "1"}]}, "b": {"SS": [null, "1"]}}}',
    ],
)
def test_an_odd_answer_is_as_odd_as_botocore_says(body: bytes) -> None:
    """Nothing at all, half a character, base64 that is none, a union of none, of two, or of something new."""
    shape, results = _shape("dynamodb", "GetItem"), []
    for parser in (QuickJSONParser(moment), stock()):
        try:
            results.append(repr(parser._handle_json_body(body, shape)))
        except Exception as error:  # noqa: BLE001 - whatever it is, both say it
            results.append(type(error).__name__)

    assert results[0] == results[1]


@pytest.mark.parametrize(
    "value", [{"a": "AAEC"}, {"a": "AAEC", "b": "1"}, {}, {"c": 1}, {"a": None, "b": "1"}, {"__type": "U", "b": "1"}]
)
def test_a_union_has_one_member_or_botocores_complaint(value: dict[str, Any]) -> None:
    members = {"a": {"shape": "Blob"}, "b": {"shape": "Text"}}
    shapes = {
        "U": {"type": "structure", "union": True, "members": members},
        "Blob": {"type": "blob"},
        "Text": {"type": "string"},
    }
    model: Any = shapes
    shape, results = ShapeResolver(model).get_shape_by_name("U"), []
    for parser in (QuickJSONParser(moment), stock()):
        try:
            results.append(repr(parser._handle_json_body(json.dumps(value).encode(), shape)))
        except ResponseParserError as error:
            results.append(str(error))

    assert results[0] == results[1]


@given(seconds=st.integers(-(10**10), 10**11) | st.floats(-1e10, 1e11))
def test_a_moment_is_botocores_moment_in_utc(seconds: float) -> None:
    told = stock()._timestamp_parser(seconds)

    assert abs((moment(seconds) - told).total_seconds()) < 1e-5


def test_a_moment_that_is_text_is_read_too() -> None:
    assert moment("2026-03-01T12:00:00Z") == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert moment(math.floor(1e9)).tzinfo is UTC


async def test_the_services_clients_read_this_way() -> None:
    """Including what comes around an answer: the request's id, and the status."""
    async with clients() as opened:
        wire = Wire(opened.dynamodb, "dynamodb")
        wire.body = b'{"Item": {"hash": {"B": "AAEC"}, "stream": {"S": "acme/order-1"}}}'
        answer = await opened.dynamodb.get_item(TableName="t", Key={"stream": {"S": "acme/order-1"}})
        parser = opened.dynamodb._endpoint._response_parser_factory.create_parser("json")  # type: ignore[attr-defined] # the stubs leave it out

    assert isinstance(parser, QuickJSONParser)
    assert [shape.name for shape in parser._readers] == ["GetItemOutput"], "the parser's own way was not taken"
    assert answer["Item"] == {"hash": {"B": b"\0\1\2"}, "stream": {"S": "acme/order-1"}}
    assert answer["ResponseMetadata"]["RequestId"] == "1"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
