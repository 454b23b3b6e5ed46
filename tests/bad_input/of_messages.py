"""Messages: envelopes, hints, feedback, events of the bus, and dead letters."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from orderstore import contract
from orderstore.history import History
from tests.bad_input.decoder import Decoder, Shape, samples
from tests.bad_input.documents import plain, written
from tests.bad_input.mutations import of_json, of_json_text, of_plain, of_text, of_tree
from tests.bad_input.of_views import order
from tests.workers.intake.intake_world import BUCKET, TEA, created, event
from tests.workers.notification.test_mail_feedback import bounce, complaint
from workers.archive.hint import Hint, hint_of
from workers.dead_letters import letter as letters
from workers.dead_letters.errors import RecordUnreadable
from workers.dead_letters.records import Record, _loaded, _stored
from workers.envelope import MalformedMessage, parse_envelope
from workers.intake.bulk.files import FileName
from workers.intake.bulk.messages import RangeMessage, read_created, read_range
from workers.intake.queue.envelope import read_event
from workers.intake.queue.requests import traceparent_of_xray
from workers.logged import event_fields
from workers.notification.feedback import MalformedFeedback, parse_feedback
from workers.runtime.deadletter import dead_letter_attributes
from workers.runtime.queue import Message
from workers.tracing.consuming import _in_the_envelope
from workers.webhooks.handler import announced_of


def message(body: str, **attributes: str) -> Message:
    return Message(id="m", receipt="r", body=body, attributes=attributes, receive_count=1, sent_at_ms=7)


@samples
def envelopes() -> list[Any]:
    """Every event of an order that is published."""
    history = History(stream=order()[0].stream).then(*order())
    published = (contract.publish(recorded) for recorded in history.events)
    return [json.loads(public.body) for public in published if public is not None]


@samples
def bodies() -> list[str]:
    return [json.dumps(envelope) for envelope in envelopes()]


@samples
def webhook_messages() -> list[Any]:
    return [[{**envelope, "tenant": "main"}, {"commit": "3"}] for envelope in envelopes()]


def _webhook_message(given: Any) -> Message:
    body, attributes = given if isinstance(given, list | tuple) and len(given) == 2 else (given, {})
    found = plain(attributes)
    told = {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
    return message(written(body), **told)


def _announced(given: Message) -> object:
    parse_envelope(given.body)
    return announced_of(given).event


@samples
def bus_events() -> list[Any]:
    file = FileName(bucket=BUCKET, key="intake/x.ndjson", version="v1", etag="e")
    texts = (
        event(TEA, id="00000000-0000-4000-8000-000000000001"),
        event({**TEA, "idempotencyKey": "k", "traceparent": "x"}, id="00000000-0000-4000-8000-000000000002"),
        created(file),
        RangeMessage("f", 0, 10).body(),
    )
    return [{**json.loads(text), "id": f"e-{number}"} for number, text in enumerate(texts)]


def _file_of(body: str) -> object:
    return read_created(read_event(body))


@samples
def reports() -> list[Any]:
    """Raw, and in SNS's own envelope."""
    raw = [bounce(), complaint()]
    return [*raw, *({"Type": "Notification", "Message": json.dumps(one)} for one in raw)]


def _wrapped(text: str) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "1", "Message": text})


RECORD: Final = Record(
    act="redrive",
    at_ms=1_772_366_400_000,
    actor_type="operator",
    actor_id="ada",
    reason="INC-1042",
    queue="payment",
    letter="l-1",
    cause="MalformedMessage",
    body_sha256="0" * 64,
    number=1,
)


@samples
def letter_messages() -> list[Any]:
    original = message(bodies()[0], eventType="OrderCreated", commit="1")
    return [[bodies()[0], dead_letter_attributes(original, "MalformedMessage: no")], [bodies()[1], {}]]


def _read_letter(given: Any) -> object:
    body, attributes = given if isinstance(given, list) and len(given) == 2 else (given, {})
    told = {str(name): str(value) for name, value in attributes.items()} if isinstance(attributes, dict) else {}
    told["deadLetterMoreAttributes"] = told.get("deadLetterMoreAttributes", json.dumps({"a": "b"}))
    for queue in ("payment", "archive", "webhooks", "intake"):
        found = letters.read(queue, message(str(body), **told), receive_count_max=3)
        letters.shown_body(found)
        letters.sha256_of(str(body))
        if not found.identity or found.id not in found.ids:
            raise AssertionError("a letter without a name")
    return True


def _for_logs(body: str) -> object:
    event_fields(body)
    _in_the_envelope(body)
    return True


def _hint(given: Sequence[str]) -> Hint:
    body, commit = given
    return hint_of(message(body, commit=commit))


def _of_hints(random: Random, given: Sequence[Any]) -> Any:
    body, commit = given[0]
    if random.random() < 0.5:
        return of_json_text(random, [json.loads(body)]), commit
    return body, of_text(random, [commit])


_HINT: Final = (json.dumps({"orderId": "1", "tenant": "main"}), "3")


_XRAY: Final = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


DECODERS: Final = (
    Decoder(
        name="event's envelope",
        covers=("workers.envelope:parse_envelope",),
        decode=parse_envelope,
        errors=(MalformedMessage,),
        valid=lambda: [(body, parse_envelope(body)) for body in bodies()],
        shapes=(Shape(mutate=of_json_text, samples=envelopes), Shape(mutate=of_text, samples=bodies)),
    ),
    Decoder(
        name="envelope for logs",
        covers=("workers.logged:event_fields", "workers.tracing.consuming:_in_the_envelope"),
        decode=_for_logs,
        valid=lambda: [(bodies()[0], True)],
        shapes=(Shape(mutate=of_json_text, samples=envelopes), Shape(mutate=of_text, samples=bodies)),
    ),
    Decoder(
        name="archive's hint",
        covers=("workers.archive.hint:hint_of",),
        decode=_hint,
        errors=(MalformedMessage,),
        valid=lambda: [(_HINT, Hint("main/order-1", 3, 7))],
        shapes=(Shape(mutate=_of_hints, samples=lambda: [_HINT]),),
    ),
    Decoder(
        name="webhook announcement",
        covers=("workers.webhooks.handler:announced_of",),
        decode=_announced,
        errors=(MalformedMessage,),
        valid=lambda: [(_webhook_message(webhook_messages()[0]), envelopes()[0]["eventId"])],
        shapes=(Shape(mutate=of_tree, samples=webhook_messages, finish=_webhook_message),),
    ),
    Decoder(
        name="event of the bus",
        covers=("workers.intake.queue.envelope:read_event", "workers.intake.queue.envelope:_leniently"),
        decode=read_event,
        errors=(MalformedMessage,),
        valid=lambda: [(json.dumps(one), read_event(json.dumps(one))) for one in bus_events()],
        shapes=(Shape(mutate=of_json_text, samples=bus_events),),
    ),
    Decoder(
        name="S3's event",
        covers=("workers.intake.bulk.messages:read_created",),
        decode=_file_of,
        errors=(MalformedMessage,),
        valid=lambda: [
            (json.dumps(bus_events()[2]), FileName(bucket=BUCKET, key="intake/x.ndjson", version="v1", etag="e"))
        ],
        shapes=(Shape(mutate=of_json_text, samples=lambda: [bus_events()[2]]),),
    ),
    Decoder(
        name="range of a file",
        covers=("workers.intake.bulk.messages:read_range",),
        decode=lambda body: read_range(read_event(body)),
        errors=(MalformedMessage,),
        valid=lambda: [(RangeMessage("f", 0, 10).body(), RangeMessage("f", 0, 10))],
        shapes=(Shape(mutate=of_json_text, samples=lambda: [bus_events()[3]]),),
    ),
    Decoder(
        name="X-Ray header",
        covers=(),
        decode=traceparent_of_xray,
        valid=lambda: [(None, None)],
        shapes=(Shape(mutate=of_text, samples=lambda: [_XRAY]),),
    ),
    Decoder(
        name="mail feedback",
        covers=("workers.notification.feedback:_json", "workers.notification.feedback:_moment"),
        decode=parse_feedback,
        errors=(MalformedFeedback,),
        valid=lambda: [(json.dumps(one), parse_feedback(json.dumps(one))) for one in reports()],
        shapes=(
            Shape(mutate=of_json_text, samples=reports),
            Shape(mutate=of_json_text, samples=lambda: reports()[:2], finish=_wrapped),
        ),
    ),
    Decoder(
        name="dead letter",
        covers=(
            "workers.dead_letters.letter:read",
            "workers.dead_letters.letter:_names",
            "workers.dead_letters.letter:shown_body",
            "workers.dead_letters.letter:shown",
            "workers.runtime.deadletter:original_attributes",
        ),
        decode=_read_letter,
        valid=lambda: [(given, True) for given in letter_messages()],
        shapes=(Shape(mutate=of_plain, samples=letter_messages),),
    ),
    Decoder(
        name="record of a dead letter",
        covers=("workers.dead_letters.records:_loaded",),
        decode=_loaded,
        errors=(RecordUnreadable,),
        valid=lambda: [(_stored(RECORD), RECORD)],
        shapes=(Shape(mutate=of_json, samples=lambda: [json.loads(_stored(RECORD))]),),
    ),
)
