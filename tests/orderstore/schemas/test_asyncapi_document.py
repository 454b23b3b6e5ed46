"""The AsyncAPI document: whole in itself, and true to the registry and to the template that makes the queues."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from orderstore import codec
from orderstore.registry import CONSUMERS, EVENT_TYPES, HEARS_EVERYTHING, consumed_by
from orderstore.schemas import asyncapi as made
from orderstore.store.chain import seal
from projections.publishing.announcements import announcements
from tests.builders import NOON
from tests.cloudformation import template_of
from tests.ordering import cause
from tests.orderstore.golden_events import PRESENT

COMMITTED = Path(__file__).parents[3] / "docs" / "asyncapi.json"
PREFIX = f"{made.PREFIX}-"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(COMMITTED.read_text())
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def found_at(document: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/")
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


def test_it_has_what_asyncapi_3_requires(document) -> None:
    """The members that the specification calls required, and names that it allows."""  # domain.md section 7
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(document["info"])
    for channel in document["channels"].values():
        assert channel["address"]
        assert set(channel["parameters"]) == set(re.findall(r"\{(\w+)\}", channel["address"]))
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"] == {"$ref": f"#/channels/{made.CHANNEL}"}
    names = [*document["channels"], *document["operations"]]
    names += [name for section in document["components"].values() for name in section]
    assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in names)


def test_every_reference_leads_somewhere(document) -> None:
    """Within the document; an operation's messages are its channel's."""
    all_references = list(references(document))
    assert len(all_references) > 100
    for reference in all_references:
        assert found_at(document, reference)
    for operation in document["operations"].values():
        for message in operation.get("messages", []):
            assert message["$ref"].startswith(f"#/channels/{made.CHANNEL}/messages/")


def test_every_published_event_is_a_message(document) -> None:
    """And the notice; each with its version, owner, promise, schema and attributes."""  # E124
    published = {entry.name: entry for entry in EVENT_TYPES if entry.published}
    messages = document["components"]["messages"]

    assert set(messages) == {*published, "CommitRecorded"}
    assert set(document["channels"][made.CHANNEL]["messages"]) == set(messages)
    for name, entry in published.items():
        message = messages[name]
        assert (message["name"], message["x-owner"], message["x-compatibility"]) == (
            name,
            entry.owner,
            entry.compatibility,
        )
        assert message["headers"]["properties"]["eventType"]["const"] == name
        assert message["headers"]["properties"]["eventVersion"]["const"] == entry.published_version
        assert name in document["components"]["schemas"]


@pytest.mark.parametrize("name", [name for name in PRESENT if name.endswith("complete")])
def test_a_message_has_the_attributes_that_it_is_said_to_have(document, name: str) -> None:
    """What the relay really sends."""  # E049
    body = codec.encode([PRESENT[name]], cause=cause("test"), first_version=1, occurred_at=NOON)
    [said] = announcements(seal(stream="main/order-o", number=1, recorded_at_ms=1, body=body, previous=None))
    message = document["components"]["messages"][orjson.loads(said.body)["eventType"]]

    assert set(said.attributes) == set(message["headers"]["required"])
    for attribute, value in said.attributes.items():
        assert message["headers"]["properties"][attribute].get("const", value) == value


@pytest.mark.parametrize("queue", CONSUMERS)
def test_an_operation_hears_what_its_subscription_lets_through(document, queue: str) -> None:
    """Registry, document and template say the same of each queue, to the last number."""  # E047, E048, E049
    template = template_of(queue)
    operation = document["operations"][queue]
    [consumer] = operation["bindings"]["sns"]["consumers"]
    queues = {one["name"].removeprefix(PREFIX): one for one in operation["bindings"]["sqs"]["queues"]}
    made_queues = template.by_name("AWS::SQS::Queue", "QueueName")
    [subscription] = [
        one["Properties"]
        for one in template.of_type("AWS::SNS::Subscription").values()
        if one["Properties"]["Endpoint"] == f"<{queue.capitalize()}Queue.Arn>"
    ]
    heard = [reference.rpartition("/")[2] for reference in references(operation["messages"])]

    assert set(heard) - {"CommitRecorded"} == set(consumed_by(queue))
    assert ("CommitRecorded" in heard) is (queue == HEARS_EVERYTHING)
    assert consumer["rawMessageDelivery"] is subscription["RawMessageDelivery"] is True
    assert consumer["protocol"] == subscription["Protocol"] == "sqs"
    assert consumer["endpoint"] == {"name": f"{PREFIX}{queue}"}
    if queue == HEARS_EVERYTHING:
        assert "filterPolicy" not in consumer
        assert "FilterPolicy" not in subscription
    else:
        assert sorted(consumer["filterPolicy"]["eventType"]) == sorted(subscription["FilterPolicy"]["eventType"])
        assert consumer["filterPolicyScope"] == subscription["FilterPolicyScope"]
    assert set(queues) == {queue, f"{queue}-dlq"}
    timeout_s = template.content["Parameters"]["VisibilityTimeoutSeconds"]["Default"]
    assert queues[queue]["visibilityTimeout"] == timeout_s
    assert queues[queue]["receiveMessageWaitTime"] == made_queues[queue]["ReceiveMessageWaitTimeSeconds"]
    assert queues[queue]["redrivePolicy"]["maxReceiveCount"] == made_queues[queue]["RedrivePolicy"]["maxReceiveCount"]
    for name, one in queues.items():
        assert one["messageRetentionPeriod"] == made_queues[name]["MessageRetentionPeriod"]
    assert consumer["redrivePolicy"]["deadLetterQueue"] == {"name": f"{PREFIX}{queue}-dlq"}


def test_the_sender_names_every_subscription(document) -> None:
    """Who reads only the producer's side sees all that hear it."""  # E034
    consumers = document["operations"]["publish"]["bindings"]["sns"]["consumers"]

    assert [one["endpoint"]["name"].removeprefix(PREFIX) for one in consumers] == list(CONSUMERS)
