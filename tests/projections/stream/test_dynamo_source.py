"""The adapter to DynamoDB Streams, against a client that answers as the service does."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from projections.stream import (
    TRIM_HORIZON,
    After,
    IteratorExpired,
    PositionTrimmed,
    Record,
    ShardGone,
    StreamRefused,
    StreamThrottled,
    StreamUnavailable,
    dynamo_source,
)
from projections.stream.dynamo_source import DynamoStreamSource


class Client:
    """Two streams of a table, listed one a page; the newer has 250 shards, listed 100 a page."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict]] = []
        self.error: Exception | None = None
        self.status = "ENABLED"
        self.gone: set[str] = set()
        self.streams = ["2026-01-01T00:00:00.000", "2026-02-01T00:00:00.000", "2025-01-01T00:00:00.000"]

    def _called(self, name: str, arguments: dict) -> None:
        self.calls.append((name, arguments))
        if self.error is not None:
            raise self.error

    async def list_streams(self, **arguments):
        self._called("list_streams", arguments)
        assert arguments["TableName"] == "events"
        if not self.streams:
            return {"Streams": []}
        arns = [f"arn/{label}" for label in self.streams]
        after = arguments.get("ExclusiveStartStreamArn")
        index = 0 if after is None else arns.index(after) + 1
        answer = {"Streams": [{"StreamArn": arns[index], "StreamLabel": self.streams[index]}]}
        return answer if index == len(arns) - 1 else answer | {"LastEvaluatedStreamArn": arns[index]}

    async def describe_stream(self, **arguments):
        self._called("describe_stream", arguments)
        if arguments["StreamArn"] in self.gone:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}, "DescribeStream")
        if "ShardFilter" in arguments:
            return {"StreamDescription": {"Shards": [self._child("7", of="5"), self._child("8", of="6")]}}
        after = arguments.get("ExclusiveStartShardId")
        begin = 0 if after is None else int(after) + 1
        shards = [
            {
                "ShardId": str(number),
                "SequenceNumberRange": {"StartingSequenceNumber": str(number)}
                | ({"EndingSequenceNumber": "9"} if number else {}),
            }
            | ({"ParentShardId": str(number - 1)} if number else {})
            for number in range(begin, min(begin + 100, 250))
        ]
        description = {"Shards": shards, "StreamStatus": self.status}
        if begin + 100 < 250:
            description["LastEvaluatedShardId"] = shards[-1]["ShardId"]
        return {"StreamDescription": description}

    def _child(self, number: str, *, of: str) -> dict:
        return {"ShardId": number, "ParentShardId": of, "SequenceNumberRange": {"StartingSequenceNumber": number}}

    async def get_shard_iterator(self, **arguments):
        self._called("get_shard_iterator", arguments)
        return {"ShardIterator": "iterator"}

    async def get_records(self, **arguments):
        self._called("get_records", arguments)
        return {
            "Records": [
                {
                    "eventName": "INSERT",
                    "dynamodb": {
                        "ApproximateCreationDateTime": datetime(2026, 2, 1, 12, tzinfo=UTC),
                        "Keys": {"stream": {"S": "a"}, "commit": {"N": "1"}},
                        "NewImage": {"stream": {"S": "a"}, "commit": {"N": "1"}, "body": {"B": b"\x00\xff"}},
                        "SequenceNumber": "100000000000000000001",
                    },
                },
                {
                    "eventName": "REMOVE",
                    "dynamodb": {
                        "ApproximateCreationDateTime": datetime(2026, 2, 1, 12, tzinfo=UTC),
                        "Keys": {"stream": {"S": "a"}, "commit": {"N": "1"}},
                        "SequenceNumber": "100000000000000000002",
                    },
                },
            ],
            "NextShardIterator": "next",
        }


async def test_the_newest_stream_is_listed_over_all_pages() -> None:
    """One page would lose every shard behind the hundredth, and every stream behind the first."""
    client = Client()
    listing = await DynamoStreamSource(client, "events").listing()
    assert listing.stream == "arn/2026-02-01T00:00:00.000"
    assert [shard.id for shard in listing.shards] == [str(number) for number in range(250)]
    assert listing.shards[0].parents == ()
    assert listing.shards[7].parents == ("6",)
    assert (listing.shards[7].starting_sequence, listing.shards[7].ending_sequence) == ("7", "9")


@pytest.mark.parametrize("how", ["disabled", "gone", "late"])
async def test_a_new_stream_is_found_at_the_next_listing(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream was switched off and on: the known one is not enabled, or not there, or says nothing of it and its time is over."""
    client = Client()
    source = DynamoStreamSource(client, "events")
    await source.listing()
    client.streams.insert(0, "2026-03-01T00:00:00.000")
    match how:
        case "disabled":
            client.status = "DISABLED"
        case "gone":
            client.gone = {"arn/2026-02-01T00:00:00.000"}
        case _:
            monkeypatch.setattr(dynamo_source, "STREAMS_LISTED_EVERY_S", 0.0)
    assert (await source.listing()).stream == "arn/2026-03-01T00:00:00.000"
    await source.iterator("1", TRIM_HORIZON)
    assert client.calls[-1][1]["StreamArn"] == "arn/2026-03-01T00:00:00.000"


async def test_while_the_known_stream_is_enabled_the_streams_are_not_listed_again() -> None:
    """ListStreams allows 5 calls a second to everybody in the account."""
    client = Client()
    source = DynamoStreamSource(client, "events")
    for _ in range(5):
        await source.listing()
    assert [name for name, _ in client.calls].count("list_streams") == len(client.streams)  # the pages of one listing


async def test_children_are_asked_for_by_the_filter_and_checked() -> None:
    """What a service shows beside them, that does not know the filter, is left out."""
    client = Client()
    source = DynamoStreamSource(client, "events")
    await source.listing()
    client.calls.clear()
    assert [(shard.id, shard.parents) for shard in await source.children("6")] == [("8", ("6",))]
    ((_, arguments),) = client.calls
    assert arguments["ShardFilter"] == {"Type": "CHILD_SHARDS", "ShardId": "6"}


async def test_positions_are_asked_for_as_the_service_names_them() -> None:
    """Behind a record, or from the oldest one; never from the latest."""
    client = Client()
    source = DynamoStreamSource(client, "events")
    assert await source.iterator("1", After("77")) == "iterator"
    assert client.calls[-1][1]["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"
    assert client.calls[-1][1]["SequenceNumber"] == "77"
    await source.iterator("1", TRIM_HORIZON)
    assert client.calls[-1][1]["ShardIteratorType"] == "TRIM_HORIZON"
    assert "SequenceNumber" not in client.calls[-1][1]


async def test_records_keep_their_low_level_values() -> None:
    """Binary stays binary, numbers stay strings, a removed item has no image."""
    page = await DynamoStreamSource(Client(), "events").read("iterator", 100)
    assert page.next_iterator == "next"
    assert page.records[0] == Record(
        sequence_number="100000000000000000001",
        event_name="INSERT",
        keys={"stream": {"S": "a"}, "commit": {"N": "1"}},
        image={"stream": {"S": "a"}, "commit": {"N": "1"}, "body": {"B": b"\x00\xff"}},
        created_at_ms=1_769_947_200_000,
    )
    assert page.records[1].image is None


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ExpiredIteratorException", 400, IteratorExpired),
        ("TrimmedDataAccessException", 400, PositionTrimmed),
        ("ResourceNotFoundException", 400, ShardGone),
        ("LimitExceededException", 400, StreamThrottled),
        ("ThrottlingException", 400, StreamThrottled),
        ("InternalServerError", 500, StreamUnavailable),
        ("SomethingNew", 503, StreamUnavailable),
        ("AccessDeniedException", 400, StreamRefused),
        ("ValidationException", 400, StreamRefused),
    ],
)
async def test_the_service_s_errors_become_the_port_s(code: str, status: int, expected: type[Exception]) -> None:
    """Once, with the cause kept."""
    client = Client()
    answer = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    client.error = ClientError(answer, "GetRecords")
    source = DynamoStreamSource(client, "events")
    for call in (source.listing(), source.iterator("1", TRIM_HORIZON), source.read("iterator", 1)):
        with pytest.raises(expected) as raised:
            await call
        assert raised.value.__cause__ is client.error


async def test_an_unanswered_call_is_unavailability() -> None:
    """Time-outs and broken connections."""
    client = Client()
    source = DynamoStreamSource(client, "events")
    for error in (ReadTimeoutError(endpoint_url="http://x"), ConnectionResetError("reset"), TimeoutError()):
        client.error = error
        with pytest.raises(StreamUnavailable):
            await source.read("iterator", 1)


async def test_a_table_without_a_stream_is_unavailable() -> None:
    """Not an empty listing, which would look like a stream whose shards are all gone."""
    client = Client()
    client.streams = []
    with pytest.raises(StreamUnavailable):
        await DynamoStreamSource(client, "events").listing()
