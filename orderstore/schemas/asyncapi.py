"""The AsyncAPI 3.0 document of the topic and its queues: what is said, who says it, and who hears it.

Binding versions are those that the official schema of AsyncAPI 3.0.0 knows (SNS 0.1.0, SQS 0.2.0). Names carry the default prefix; there
is no account, region or host in it. The numbers of the queues are held to `deploy/data-plane.yaml` by a test.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from orderstore.registry import CONSUMERS, EVENT_TYPES, HEARS_EVERYTHING, EventType, consumed_by
from orderstore.schemas import envelopes as v
from orderstore.schemas.documents import Document, documents
from orderstore.tracing import TRACEPARENT

PREFIX: Final = "orderstore"
TOPIC: Final = "order-events"
VISIBILITY_TIMEOUT_S: Final = 120
RECEIVE_WAIT_S: Final = 20
RETENTION_S: Final = 345_600
DEAD_LETTER_RETENTION_S: Final = 1_209_600
RECEIVE_COUNT_MAX: Final = 3
SNS_BINDING: Final = "0.1.0"
SQS_BINDING: Final = "0.2.0"

CHANNEL: Final = "orderEvents"
# What a message says beside its body, as attributes: what filter policies see. `commit` is the number of the commit that it tells of.
ATTRIBUTES: Final = ("eventType", "eventVersion", "source", "orderId", "correlationId", "commit")
# Beside these, where there is a trace: the span in which the message was created, or, where that is not traced, its event's.
TRACE: Final = {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"}


def asyncapi() -> dict[str, Any]:
    """The whole document. Pure."""
    published = {entry.name: entry for entry in EVENT_TYPES if entry.published}
    schemas = {document.name: _component(document) for document in documents() if document.form == "published"}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:orderstore:order-events",
        "info": {
            "title": "orderstore: order events",
            "version": f"{v.ENVELOPE_VERSION}.0",
            "description": (
                "Everything that happens to an order and concerns others, at least once and in any order: drop a repeat by `eventId`, "
                "order by `version`. Ignore fields that are new; refuse a major version that you do not know."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {CHANNEL: _channel((*published, v.NOTICE))},
        "operations": {"publish": _publish(), **{queue: _receive(queue) for queue in CONSUMERS}},
        "components": {
            "messages": {name: _event(entry) for name, entry in published.items()} | {v.NOTICE: _notice()},
            "schemas": schemas,
        },
    }


def _component(document: Document) -> dict[str, Any]:
    """AsyncAPI names its components itself, and has a dialect of its own, of which our schemas use nothing that differs."""
    return {name: value for name, value in document.schema.items() if name not in ("$schema", "$id")}


def _channel(messages: Iterable[str]) -> dict[str, Any]:
    return {
        "address": f"{{resourcePrefix}}-{TOPIC}",
        "title": "Order events",
        "description": "One SNS topic. Each queue has its own subscription with a filter policy on the attribute `eventType`.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "parameters": {
            "resourcePrefix": {"default": PREFIX, "description": "First part of every resource name (resource_prefix)."}
        },
        "bindings": {
            "sns": {"name": f"{PREFIX}-{TOPIC}", "ordering": {"type": "standard"}, "bindingVersion": SNS_BINDING}
        },
    }


def _event(entry: EventType) -> dict[str, Any]:
    said = {
        "type": "object",
        "properties": {
            "eventType": {"type": "string", "const": entry.name},
            "eventVersion": {"type": "string", "const": entry.published_version},
            "data": {"$ref": f"#/components/schemas/{entry.name}"},
        },
    }
    payload = {"allOf": [{"$ref": f"#/components/schemas/{v.ENVELOPE}"}, said]}
    notes = {"x-owner": entry.owner, "x-compatibility": entry.compatibility}
    return {**_message(entry.name, entry.published_version, payload), **notes}


def _notice() -> dict[str, Any]:
    return _message(v.NOTICE, v.NOTICE_VERSION, {"$ref": f"#/components/schemas/{v.NOTICE}"})


def _message(name: str, version: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    headers: dict[str, Any] = {attribute: {"type": "string"} for attribute in ATTRIBUTES}
    headers["eventType"] = {"type": "string", "const": name}
    headers["eventVersion"] = {"type": "string", "const": version}
    headers[TRACEPARENT] = TRACE
    return {
        "name": name,
        "title": f"{name} {version}",
        "contentType": "application/json",
        "headers": {"type": "object", "properties": headers, "required": list(ATTRIBUTES)},
        "payload": payload,
        "correlationId": {"location": "$message.header#/correlationId"},
    }


def _publish() -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "summary": "The relay tells what the log holds, from the table's stream.",
        "bindings": {
            "sns": {"consumers": [_subscription(queue) for queue in CONSUMERS], "bindingVersion": SNS_BINDING}
        },
    }


def _receive(queue: str) -> dict[str, Any]:
    heard = consumed_by(queue)
    if queue == HEARS_EVERYTHING:
        heard = (*heard, v.NOTICE)
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "summary": f"What {queue} hears of.",
        "messages": [{"$ref": f"#/channels/{CHANNEL}/messages/{name}"} for name in heard],
        "bindings": {
            "sns": {"consumers": [_subscription(queue)], "bindingVersion": SNS_BINDING},
            "sqs": {"queues": _queues(queue), "bindingVersion": SQS_BINDING},
        },
    }


def _subscription(queue: str) -> dict[str, Any]:
    """The archive's has no filter: it is also told of commits without a public event."""
    policy = {"filterPolicy": {"eventType": list(consumed_by(queue))}, "filterPolicyScope": "MessageAttributes"}
    return {
        "protocol": "sqs",
        "endpoint": {"name": f"{PREFIX}-{queue}"},
        **({} if queue == HEARS_EVERYTHING else policy),
        "rawMessageDelivery": True,
        "redrivePolicy": {"deadLetterQueue": {"name": f"{PREFIX}-{queue}-dlq"}},
    }


def _queues(queue: str) -> list[dict[str, Any]]:
    dead_letters = f"{PREFIX}-{queue}-dlq"
    return [
        {
            "name": f"{PREFIX}-{queue}",
            "fifoQueue": False,
            "visibilityTimeout": VISIBILITY_TIMEOUT_S,
            "receiveMessageWaitTime": RECEIVE_WAIT_S,
            "messageRetentionPeriod": RETENTION_S,
            "redrivePolicy": {"deadLetterQueue": {"name": dead_letters}, "maxReceiveCount": RECEIVE_COUNT_MAX},
        },
        {"name": dead_letters, "fifoQueue": False, "messageRetentionPeriod": DEAD_LETTER_RETENTION_S},
    ]
