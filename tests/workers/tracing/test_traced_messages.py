"""Spans around handlers, queues, topics and the log: what they tell of trouble, and that they change nothing of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import msgspec
import orjson
import pytest
import structlog
from opentelemetry.trace import StatusCode

from orderstore.contract import PublicEvent
from orderstore.store.errors import CommitConflict, Unavailable
from orderstore.store.memory import MemoryEventStore
from orderstore.tracing import TRACEPARENT, current
from projections.publishing.publisher import BATCH_BYTES_MAX, event_bytes
from tests.projections.histories import happy_commits
from tests.virtual_time import run_virtual
from tests.workers.log_lines import log_lines
from tests.workers.tracing.recorded import Recorded, a_context, context_of, linked_from, parent_of, told
from workers.runtime.memory import MemoryQueue
from workers.runtime.outcome import Defer, Done, Outcome, Poison, Retry
from workers.runtime.queue import Message, Throttled

BODY = {"orderId": "order-1", "eventId": "event-1", "eventType": "OrderCreated", "correlationId": "order-1"}


def message(**attributes: str) -> Message:
    return Message(
        id="m-1", receipt="r", body=orjson.dumps(BODY).decode(), attributes=attributes, receive_count=2, sent_at_ms=0
    )


def handled(recorded: Recorded, outcome: Outcome | BaseException, *, of: Message | None = None) -> Outcome:
    async def handler(_message: Message) -> Outcome:
        await anyio.lowlevel.checkpoint()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return run_virtual(recorded.tracing.handler(handler, queue="shop-payment"), of or message())


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [(Done(), None), (Defer(3), None), (Retry("throttled"), "retry"), (Poison("unreadable"), "poison")],
)
def test_an_outcome_comes_back_as_it_was_and_is_told(outcome: Outcome, failed: str | None) -> None:
    """A retry and a poisoned message are failures; to wait is none."""
    recorded = Recorded()

    assert handled(recorded, outcome) is outcome

    span = recorded.one("process shop-payment")
    assert told(span)["orderstore.message.outcome"] == type(outcome).__name__.lower()
    assert told(span).get("error.type") == failed
    assert span.status.status_code is (StatusCode.ERROR if failed else StatusCode.UNSET)


def test_an_error_goes_on_and_only_its_type_is_told() -> None:
    """Its text may hold what a customer wrote."""
    recorded, error = Recorded(), LookupError("Ada is not here")

    with pytest.raises(LookupError) as raised:
        handled(recorded, error)

    span = recorded.one("process shop-payment")
    assert raised.value is error
    assert (told(span)["error.type"], span.status.status_code, span.events) == ("LookupError", StatusCode.ERROR, ())
    assert "Ada" not in span.to_json()


def test_a_handler_that_is_cancelled_leaves_a_span_that_says_so() -> None:
    """The loop's deadline, or a lost message: the span ends, and the cancellation goes on."""
    recorded = Recorded()

    async def scenario() -> None:
        async def handler(_message: Message) -> Outcome:
            await anyio.sleep_forever()
            return Done()

        with anyio.move_on_after(5) as within:
            await recorded.tracing.handler(handler, queue="shop-payment")(message())
        assert within.cancelled_caught
        assert current() is None

    run_virtual(scenario)
    assert told(recorded.one("process shop-payment"))["error.type"] == "cancelled"


def test_a_message_s_own_context_comes_before_the_event_s() -> None:
    """The attribute names the span that created the message; the envelope, what wrote the event."""
    recorded, own, event = Recorded(), a_context("a"), a_context("b")
    body = orjson.dumps({**BODY, TRACEPARENT: event.traceparent}).decode()
    both = Message(
        id="m", receipt="r", body=body, attributes={TRACEPARENT: own.traceparent}, receive_count=1, sent_at_ms=0
    )
    only_the_event = Message(id="m", receipt="r", body=body, attributes={}, receive_count=1, sent_at_ms=0)

    over_the_bus = msgspec.structs.replace(
        only_the_event, body=orjson.dumps({"detail": {TRACEPARENT: event.traceparent}}).decode()
    )
    for one in (both, only_the_event, over_the_bus):
        handled(recorded, Done(), of=one)

    assert [parent_of(span) for span in recorded.spans] == [own.span_id, event.span_id, event.span_id]
    assert [linked_from(span) for span in recorded.spans] == [[own.span_id], [event.span_id], [event.span_id]]


@pytest.mark.parametrize(
    "body", ["", "[]", "1", "null", '"x"', '{"traceparent": 7}', '{"traceparent": "nonsense"}', "{"]
)
def test_a_message_without_a_readable_context_begins_a_trace(body: str) -> None:
    """Whatever is in its body is the handler's to judge; a context that is not well-formed is counted."""
    recorded = Recorded()
    strange = Message(
        id="m", receipt="r", body=body, attributes={TRACEPARENT: "nonsense"}, receive_count=1, sent_at_ms=0
    )

    assert handled(recorded, Done(), of=strange) == Done()

    span = recorded.one("process shop-payment")
    assert (parent_of(span), linked_from(span)) == (None, [])
    assert recorded.ignored("message") == 1


def test_lines_that_a_handler_logs_name_its_span() -> None:
    """Also where nothing is sampled: the trace's id still ties the lines of many processes together."""
    for sampled in (True, False):
        recorded, context = Recorded(), a_context(sampled=sampled)

        async def handler(_message: Message) -> Outcome:
            structlog.get_logger("workers.payment").info("charged")
            return Done()

        with log_lines() as lines:
            wrapped = recorded.tracing.handler(handler, queue="shop-payment")
            run_virtual(wrapped, message(traceparent=context.traceparent))
        (line,) = lines.all()
        assert line["trace_id"] == context.trace_id
        assert len(recorded.spans) == sampled


class Topic:
    """Takes what it is given, and fails as it is told."""

    def __init__(self, fails: "tuple[Failed, ...] | Exception" = ()) -> None:
        self.batches: list[Sequence[PublicEvent]] = []
        self.fails = fails

    async def publish(self, batch: Sequence[PublicEvent]) -> "tuple[Failed, ...]":
        self.batches.append(batch)
        await anyio.lowlevel.checkpoint()
        if isinstance(self.fails, Exception):
            raise self.fails
        return self.fails


@dataclass(frozen=True)
class Failed:
    position: int
    code: str


def event(number: int, *, body: bytes = b"{}", trace: bool = True, more: int = 0) -> PublicEvent:
    attributes = {"eventType": "OrderCreated", "orderId": f"order-{number}"}
    if trace:
        attributes[TRACEPARENT] = a_context(f"{number + 1:x}").traceparent
    attributes.update({f"more-{index}": "x" for index in range(more)})
    return PublicEvent(f"event-{number}", f"order-{number}", body, attributes)


def test_each_message_of_a_batch_has_a_span_of_its_own_order_s_trace() -> None:
    """And the call has one of its own, linked to all of them, which belongs to none of the orders."""
    recorded, topic = Recorded(), Topic()

    run_virtual(recorded.tracing.publisher(topic, topic="shop").publish, [event(0), event(1), event(2)])

    created = {told(span)["orderstore.event.id"]: context_of(span).span_id for span in recorded.named("create shop")}
    parents = {told(span)["orderstore.event.id"]: parent_of(span) for span in recorded.named("create shop")}
    assert parents == {f"event-{number}": f"{number + 1}" * 16 for number in range(3)}
    call = recorded.one("publish shop")
    assert (parent_of(call), sorted(linked_from(call))) == (None, sorted(created.values()))
    assert told(call)["messaging.batch.message_count"] == 3
    assert {one.event_id: one.attributes[TRACEPARENT][36:52] for one in topic.batches[0]} == created
    assert [one.body for one in topic.batches[0]] == [b"{}"] * 3


def test_only_the_entry_that_failed_is_told_as_failed() -> None:
    """By the topic's code; the answer comes back as it was."""
    recorded, failed = Recorded(), (Failed(1, "InternalError"),)

    answer = run_virtual(recorded.tracing.publisher(Topic(failed), topic="shop").publish, [event(0), event(1)])

    assert answer is failed
    errors = {told(span)["orderstore.event.id"]: told(span).get("error.type") for span in recorded.named("create shop")}
    assert errors == {"event-0": None, "event-1": "InternalError"}
    call = told(recorded.one("publish shop"))
    assert (call["orderstore.batch.failed"], call["error.type"]) == (1, "InternalError")


def test_a_call_that_fails_fails_for_all_of_them() -> None:
    """The error goes on as it was."""
    recorded, error = Recorded(), ConnectionError("no way")

    with pytest.raises(ConnectionError):
        run_virtual(recorded.tracing.publisher(Topic(error), topic="shop").publish, [event(0), event(1)])

    assert [told(span)["error.type"] for span in recorded.spans] == ["ConnectionError"] * 3


def test_no_message_is_refused_for_its_trace() -> None:
    """A batch at the topic's limit, a message with ten attributes: they go as they are, rather than not at all."""
    recorded, topic = Recorded(), Topic()
    publisher = recorded.tracing.publisher(topic, topic="shop")
    room = BATCH_BYTES_MAX - event_bytes(event(0, body=b"", trace=False))
    for left in (0, 71, 72):
        run_virtual(publisher.publish, [event(0, body=b"x" * (room - left), trace=False)])
    run_virtual(publisher.publish, [event(0, trace=False, more=8), event(1, trace=False, more=7), event(2, more=7)])

    assert [TRACEPARENT in batch[0].attributes for batch in topic.batches[:3]] == [False, False, True]
    assert all(sum(map(event_bytes, batch)) <= BATCH_BYTES_MAX for batch in topic.batches)
    assert [len(one.attributes) for one in topic.batches[3]] == [10, 10, 10]
    assert [TRACEPARENT in one.attributes for one in topic.batches[3]] == [False, True, True]


def test_unsampled_messages_leave_no_span_of_their_call() -> None:
    """What nobody samples costs nothing at the collector; the context goes on all the same."""
    recorded, topic = Recorded(ratio=0.0), Topic()

    run_virtual(recorded.tracing.publisher(topic, topic="shop").publish, [event(0, trace=False), event(1, trace=False)])

    assert recorded.spans == ()
    assert all(one.attributes[TRACEPARENT].endswith(("-00", "-02")) for one in topic.batches[0])


def test_a_queue_s_calls_are_told_and_otherwise_unchanged() -> None:
    """Received, settled, dead-lettered: each with its messages; a poll that finds nothing, and what keeps a message, leave none."""
    recorded, context = Recorded(), a_context()

    async def scenario() -> None:
        dead = MemoryQueue("dead", now_ms=lambda: 0)
        inner = MemoryQueue("payment", now_ms=lambda: 0, dead_letters=dead)
        queue = recorded.tracing.queue(inner, name="shop-payment")
        assert queue.name == "payment"
        assert await queue.receive(max_messages=10, wait_s=0, visibility_timeout_s=30) == []
        for _ in range(3):
            await inner.send("{}", attributes={TRACEPARENT: context.traceparent})
        messages = await queue.receive(max_messages=10, wait_s=0, visibility_timeout_s=30)
        await queue.change_visibility([(messages[0], 60)])
        assert list(await queue.delete(messages[:2])) == []
        await queue.dead_letter(messages[2], "unreadable")
        assert (await queue.depths()).dead_letters == 1

    run_virtual(scenario)
    assert [(span.name, len(span.links), parent_of(span)) for span in recorded.spans] == [
        ("receive shop-payment", 3, None),
        ("delete shop-payment", 2, None),
        ("dead_letter shop-payment", 1, context.span_id),
    ]


def test_a_call_to_the_queue_that_fails_is_told_and_raised() -> None:
    """As it was."""
    recorded = Recorded()

    class Jammed(MemoryQueue):
        async def delete(self, messages: object) -> list[object]:
            raise Throttled("slow down")

    async def scenario() -> None:
        queue = recorded.tracing.queue(Jammed("payment", now_ms=lambda: 0), name="shop-payment")
        with pytest.raises(Throttled):
            await queue.delete([message(traceparent=a_context().traceparent)])

    run_virtual(scenario)
    assert told(recorded.one("delete shop-payment"))["error.type"] == "workers.runtime.queue.Throttled"


def test_a_lost_race_for_a_commit_is_no_failure_but_an_outage_is() -> None:
    """The store's answer comes back as it was."""
    recorded = Recorded()
    mine, *_ = happy_commits()
    other, *_ = happy_commits(start_ms=1)

    class Down(MemoryEventStore):
        async def append(self, commit: object) -> None:
            raise Unavailable("PutItem", tries=1, ambiguous=True)

    async def scenario() -> None:
        log = recorded.tracing.log(MemoryEventStore(), table="shop-events")
        await log.append(mine)
        await log.append(mine)  # the same again is the same
        with pytest.raises(CommitConflict):
            await log.append(other)
        with pytest.raises(Unavailable):
            await recorded.tracing.log(Down(), table="shop-events").append(mine)

    run_virtual(scenario)
    found = [(told(span).get("orderstore.commit.conflict"), told(span).get("error.type")) for span in recorded.spans]
    assert found == [(None, None), (None, None), (True, None), (None, "orderstore.store.errors.Unavailable")]
