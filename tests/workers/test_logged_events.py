"""What a role does with an event is logged with the event's six fields, and never with what a customer wrote."""

from dataclasses import dataclass

import anyio
import orjson
import pytest
import structlog
from structlog.contextvars import get_contextvars

from orderstore.contract import PublicEvent
from tests.virtual_time import run_virtual
from tests.workers.log_lines import log_lines
from workers.logged import LoggedHandler, LoggedPublisher, event_fields
from workers.logs import EVENT_FIELDS
from workers.runtime.outcome import Done, Outcome, Retry
from workers.runtime.queue import Message

ENVELOPE = {
    "eventId": "event-1",
    "correlationId": "order-1",
    "orderId": "order-1",
    "source": "payment",
    "eventType": "PaymentCompleted",
    "occurredAt": "2026-03-01T12:00:00Z",
    "payload": {"customerName": "Ada"},
}
BODY = orjson.dumps(ENVELOPE)
FIELDS = {name: ENVELOPE[name] for name in EVENT_FIELDS}


def message(body: str = BODY.decode()) -> Message:
    return Message(id="m-1", receipt="r", body=body, attributes={}, receive_count=2, sent_at_ms=0)


def test_a_handler_s_own_lines_carry_the_event_s_fields() -> None:
    """They are bound before the handler runs and gone after it."""  # E125

    async def handler(_message: Message) -> Outcome:
        structlog.get_logger("workers.payment").info("charged")
        return Done()

    with log_lines() as lines:
        outcome = run_virtual(LoggedHandler(handler, queue="payment"), message())
        assert get_contextvars() == {}

    assert outcome == Done()
    charged, handled = lines.all()
    assert charged.items() >= {**FIELDS, "queue": "payment", "event": "charged"}.items()
    assert handled.items() >= {**FIELDS, "event": "handled", "outcome": "done", "receiveCount": 2}.items()


def test_an_outcome_is_named_and_its_reason_left_to_the_loop() -> None:
    """The loop logs the reason of a retry; here it would stand twice."""

    async def handler(_message: Message) -> Outcome:
        return Retry(reason="throttled")

    with log_lines() as lines:
        run_virtual(LoggedHandler(handler, queue="payment"), message())

    assert [line["outcome"] for line in lines.all()] == ["retry"]


def test_an_error_is_logged_by_its_type_and_goes_on() -> None:
    """Its text may hold what a customer wrote."""

    async def handler(_message: Message) -> Outcome:
        raise LookupError("Ada is not here")

    with log_lines() as lines, pytest.raises(LookupError):
        run_virtual(LoggedHandler(handler, queue="payment"), message())

    (line,) = lines.all()
    assert (line["event"], line["error"]) == ("not handled", "builtins.LookupError")
    assert "Ada" not in lines.stream.getvalue()


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "1", "null", '"eventId"'])
def test_a_body_that_cannot_be_read_has_no_fields_and_does_no_harm(body: str) -> None:
    """What becomes of it is the handler's to say."""
    assert event_fields(body) == {}


def test_only_the_six_fields_are_taken_from_a_body() -> None:
    """The payload stays out of the log; a field that is missing is left out."""  # E125
    assert event_fields(BODY) == FIELDS
    assert event_fields(b'{"orderId": "order-1", "payload": {}}') == {"orderId": "order-1"}


@dataclass(frozen=True)
class Failed:
    position: int


def test_only_what_the_topic_took_is_logged_as_handed_over() -> None:
    """The second of three entries failed: it comes back, and no line claims it."""

    class Topic:
        async def publish(self, batch) -> tuple[Failed, ...]:
            return (Failed(1),)

    def event(number: int) -> PublicEvent:
        body = orjson.dumps({**ENVELOPE, "eventId": f"event-{number}"})
        return PublicEvent(event_id=f"event-{number}", order_id="order-1", body=body, attributes={})

    with log_lines() as lines:
        failed = run_virtual(LoggedPublisher(Topic()).publish, [event(0), event(1), event(2)])

    assert failed == (Failed(1),)
    assert [line["eventId"] for line in lines.all()] == ["event-0", "event-2"]


def test_a_handler_that_is_cut_short_is_logged_as_not_handled() -> None:
    """Where the dead letters send people is the line with the event's id: a time-out is no exception that anybody raised."""

    async def handler(_message: Message) -> Outcome:
        await anyio.sleep_forever()
        raise AssertionError("nobody waits for ever")

    async def scenario() -> None:
        with anyio.move_on_after(5):
            await LoggedHandler(handler, queue="payment")(message())

    with log_lines() as lines:
        run_virtual(scenario)

    (line,) = lines.all()
    assert line.items() >= {**FIELDS, "queue": "payment", "event": "not handled"}.items()
    assert line["error"].startswith("cut short")
