"""A message says in which trace its event was written, as far as there is one, and says the same each time."""

import pytest

from orderstore.codec import encode
from orderstore.contract import publish
from orderstore.domain.ids import stream_of
from orderstore.recorded import Actor, Cause
from orderstore.store.chain import seal
from orderstore.store.port import Commit
from orderstore.tracing import TRACEPARENT
from projections.publishing.announcements import announcements
from tests.projections.histories import NOON, happy_groups, recorded_of
from tests.projections.histories import ORDER as ORDER_ID

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def commit_with(traceparent: str | None) -> Commit:
    cause = Cause(
        causation_id="c",
        purpose="p",
        correlation_id=ORDER_ID,
        actor=Actor("service", "test"),
        source="test",
        traceparent=traceparent,
    )
    body = encode(happy_groups(ORDER_ID)[0], cause=cause, first_version=1, occurred_at=NOON)
    return seal(stream=stream_of("main", ORDER_ID), number=1, recorded_at_ms=1, body=body, previous=None)


@pytest.mark.parametrize("told", [None, "nonsense", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"])
def test_without_a_readable_trace_there_is_no_attribute(told: str | None) -> None:
    """Whatever an old build let in; attributes must not be empty, nor are they guessed."""
    assert all(TRACEPARENT not in one.attributes for one in announcements(commit_with(told)))


def test_every_message_of_a_commit_bears_its_trace() -> None:
    """The body is as it was: what is published of an event does not change with this."""
    commit = commit_with(TRACE)
    announced = announcements(commit)

    assert announced == announcements(commit)
    assert {one.attributes[TRACEPARENT] for one in announced} == {TRACE}
    bodies = [public.body for recorded in recorded_of([commit]) if (public := publish(recorded)) is not None]
    assert [one.body for one in announced] == bodies
