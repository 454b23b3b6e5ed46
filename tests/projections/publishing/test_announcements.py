"""Of every commit that was ever appended the topic hears at least once; of an internal one nothing but that it is there."""

import orjson
from hypothesis import given

from orderstore.codec import decode
from orderstore.contract import publish
from orderstore.domain.events import SealedText
from orderstore.registry import BY_NAME, CONSUMERS, HEARS_EVERYTHING, consumed_by
from orderstore.schemas.envelopes import NOTICE
from projections.publishing.announcements import announcements
from projections.publishing.publisher import BATCH_BYTES_MAX, event_bytes
from tests.projections.histories import Groups, commits_for, groups_of, happy_commits, histories
from workers.archive.hint import hint_of
from workers.runtime.queue import Message


def message_of(announced) -> Message:
    return Message(
        id="m",
        receipt="r",
        body=announced.body.decode(),
        attributes=announced.attributes,
        receive_count=1,
        sent_at_ms=0,
    )


@given(histories())
def test_each_commit_gives_a_hint_that_leads_to_it(groups: Groups) -> None:
    """Any legal history: whatever events a commit carries, the archive hears of that commit's number."""  # A08
    for commit in commits_for(groups):
        announced = announcements(commit)
        assert announced
        for one in announced:
            found = hint_of(message_of(one))
            assert (found.stream, found.commit) == (commit.stream, commit.number)
            assert event_bytes(one) < BATCH_BYTES_MAX


@given(histories())
def test_public_events_are_published_as_they_always_were(groups: Groups) -> None:
    """Same ids, same bodies, same order; a notice only where there would be nothing."""
    for commit in commits_for(groups):
        public = [event for recorded in decode(commit) if (event := publish(recorded)) is not None]
        announced = announcements(commit)
        if public:
            assert [(one.event_id, one.body) for one in announced] == [(one.event_id, one.body) for one in public]
            assert all(
                one.attributes.items() < two.attributes.items() for one, two in zip(public, announced, strict=True)
            )
        else:
            assert [one.attributes["eventType"] for one in announced] == [NOTICE]


def test_a_notice_says_where_to_look_and_nothing_of_what_there_is() -> None:
    """No data, no actor, no personal data; the same each time."""
    contact = SealedText(subject="customer-1", ciphertext="SECRET")
    [captured] = [commit for commit in happy_commits(contact=contact) if b"PaymentCaptured" in commit.body]

    [notice] = announcements(captured)

    body = orjson.loads(notice.body)
    assert set(body) == {
        "eventId",
        "eventType",
        "eventVersion",
        "source",
        "occurredAt",
        "orderId",
        "tenant",
        "commit",
        "correlationId",
    }
    assert body["commit"] == captured.number
    assert announcements(captured) == (notice,)
    ids = [one.event_id for commit in happy_commits() for one in announcements(commit)]
    assert len(set(ids)) == len(ids)


def test_no_filter_lets_a_notice_through() -> None:
    """It is no event: the departments' queues name what they want, and this is not among it."""
    assert NOTICE not in BY_NAME
    assert all(NOTICE not in consumed_by(queue) for queue in CONSUMERS if queue != HEARS_EVERYTHING)


def test_a_commit_of_internal_and_public_events_needs_no_notice() -> None:
    """One hint is enough."""
    for commit in commits_for(groups_of(())):
        assert NOTICE not in [one.attributes["eventType"] for one in announcements(commit)]
