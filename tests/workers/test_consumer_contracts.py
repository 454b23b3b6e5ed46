"""What is published and what the workers read fit together: every example, through every queue that hears it."""

import orjson
import pytest

from orderstore import codec
from orderstore.contract import PublicEvent
from orderstore.domain import events as e
from orderstore.registry import BY_NAME, CONSUMERS, EVENT_TYPES, HEARS_EVERYTHING, consumed_by
from orderstore.schemas.documents import documents
from orderstore.store.chain import seal
from projections.publishing.announcements import announcements
from tests.builders import NOON
from tests.cloudformation import template_of
from tests.ordering import cause
from tests.orderstore.golden_events import PRESENT
from workers.envelope import UnknownEventType, parse_envelope

DEPARTMENTS = tuple(queue for queue in CONSUMERS if queue != HEARS_EVERYTHING)


def said(event: e.Event) -> tuple[PublicEvent, ...]:
    body = codec.encode([event], cause=cause("test"), first_version=1, occurred_at=NOON)
    return announcements(seal(stream="main/order-o-1", number=1, recorded_at_ms=1, body=body, previous=None))


EXAMPLES = [public for event in PRESENT.values() for public in said(event)]


def lets_through(policy: dict[str, list[str]], public: PublicEvent) -> bool:
    """What SNS does with a filter policy of exact strings on message attributes: all keys, any of the values."""
    return all(public.attributes.get(name) in values for name, values in policy.items())


@pytest.mark.parametrize("queue", DEPARTMENTS)
def test_a_department_is_sent_what_it_asks_for_and_understands_all_of_it(queue: str) -> None:
    """Through the template's own filter policy, into the workers' own reader."""  # E047, E048, E124
    [policy] = [
        one["Properties"]["FilterPolicy"]
        for one in template_of(queue).of_type("AWS::SNS::Subscription").values()
        if one["Properties"]["Endpoint"] == f"<{queue.capitalize()}Queue.Arn>"
    ]
    delivered = [public for public in EXAMPLES if lets_through(policy, public)]

    assert {public.attributes["eventType"] for public in delivered} == set(consumed_by(queue))
    for public in delivered:
        envelope = parse_envelope(public.body.decode())
        assert envelope.event_type == public.attributes["eventType"]
        assert (envelope.tenant, envelope.order_id) == ("main", "o-1")
        assert envelope.event_id == public.event_id


@pytest.mark.parametrize("entry", [entry for entry in EVENT_TYPES if entry.published], ids=lambda entry: entry.name)
def test_a_worker_judges_a_message_by_the_published_version_alone(entry) -> None:
    """The stored form may be versions ahead: it is nobody's business on the topic. The next major one is refused."""  # E045
    [public] = said(PRESENT[f"{entry.name}-{entry.version}-complete"])
    body = orjson.loads(public.body)
    first = int(entry.published_version.partition(".")[0])

    assert parse_envelope(orjson.dumps(body | {"eventVersion": f"{first}.99"}).decode()).event_type == entry.name
    with pytest.raises(UnknownEventType):
        parse_envelope(orjson.dumps(body | {"eventVersion": f"{first + 1}.0"}).decode())


def test_a_worker_reads_only_what_the_envelope_promises() -> None:
    """Everything that `parse_envelope` cannot do without is required by the published schema."""  # E124
    [envelope] = [one.schema for one in documents() if (one.form, one.name) == ("published", "Envelope")]
    body = orjson.loads(EXAMPLES[0].body)
    needed = set()
    for field in body:
        try:
            parse_envelope(orjson.dumps({name: value for name, value in body.items() if name != field}).decode())
        except Exception:  # noqa: BLE001 - any refusal shows that it is needed
            needed.add(field)

    assert {"eventId", "orderId", "tenant"} <= needed <= set(envelope["required"])


def test_nobody_hears_what_is_not_published() -> None:
    """A consumer of an event that never travels would wait for ever."""
    for queue in DEPARTMENTS:
        assert all(BY_NAME[name].published for name in consumed_by(queue))
