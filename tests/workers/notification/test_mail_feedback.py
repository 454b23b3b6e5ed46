"""What SES tells of mails: read as AWS documents it, acted on once, in any order; hard bounces and complaints alone suppress."""

from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.virtual_time import run_virtual
from tests.workers.world import a_key
from workers.notification.feedback import Feedback, MalformedFeedback, parse_feedback
from workers.notification.feedback_handler import FeedbackHandler
from workers.notification.records import TableNotifications
from workers.notification.ses import notification_of, tag_of
from workers.notification.suppression import Suppressions
from workers.runtime.outcome import Done, Poison
from workers.runtime.queue import Message
from workers.tables.memory import MemoryTable

ORDER = "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"
NAME = "11111111-2222-3333-4444-555555555555:email"
ADDRESS = "Recipient@Example.com"
AT = "2017-08-05T00:41:02.669Z"
AT_MS = 1_501_893_662_669

# The shapes of docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html, with our tags.
MAIL: dict[str, Any] = {
    "timestamp": "2017-08-05T00:40:02.012Z",
    "source": "Sender Name <sender@example.com>",
    "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/sender@example.com",
    "sendingAccountId": "123456789012",
    "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
    "destination": [ADDRESS],
    "headersTruncated": False,
    "headers": [{"name": "From", "value": "Sender Name <sender@example.com>"}],
    "commonHeaders": {"to": [ADDRESS], "subject": "Your order"},
    "tags": {
        "ses:configuration-set": ["shop"],
        "ses:source-ip": ["192.0.2.0"],
        "order": [ORDER],
        "notification": [tag_of(NAME)],
    },
}


def bounce(kind: str = "Permanent", subtype: str = "General", **changes: Any) -> dict[str, Any]:
    return {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": subtype,
            "bouncedRecipients": [
                {
                    "emailAddress": ADDRESS,
                    "action": "failed",
                    "status": "5.1.1",
                    "diagnosticCode": f"smtp; 550 5.1.1 {ADDRESS} user unknown",
                }
            ],
            "timestamp": AT,
            "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000",
            "reportingMTA": "dsn; mta.example.com",
        },
        "mail": MAIL,
        **changes,
    }


def complaint(feedback_type: str | None = "abuse") -> dict[str, Any]:
    told = {
        "complainedRecipients": [{"emailAddress": ADDRESS}],
        "timestamp": AT,
        "feedbackId": "x",
        "userAgent": "Any User Agent",
        "arrivalDate": AT,
    }
    if feedback_type is not None:
        told["complaintFeedbackType"] = feedback_type
    return {"eventType": "Complaint", "complaint": told, "mail": MAIL}


DELIVERY: dict[str, Any] = {
    "eventType": "Delivery",
    "delivery": {"timestamp": AT, "processingTimeMillis": 11_893, "recipients": [ADDRESS], "smtpResponse": "250 ok"},
    "mail": MAIL,
}
DELAY: dict[str, Any] = {
    "eventType": "DeliveryDelay",
    "deliveryDelay": {"timestamp": AT, "delayType": "TransientCommunicationFailure", "delayedRecipients": []},
    "mail": MAIL,
}
REJECT: dict[str, Any] = {"eventType": "Reject", "reject": {"reason": "Bad content"}, "mail": MAIL}


class Heard:
    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def mail_feedback(self, kind: str) -> None:
        self.counts["feedback", kind] += 1

    def address_suppressed(self, reason: str) -> None:
        self.counts["suppressed", reason] += 1


class Office:
    """Records, the suppression list, and the handler of the queue."""

    def __init__(self) -> None:
        self.time_ms = AT_MS
        self.table, self.listed = MemoryTable(), MemoryTable()
        self.records = TableNotifications(self.table, now_ms=lambda: self.time_ms)
        self.suppressions = Suppressions(self.listed, key_for=a_key, now_ms=lambda: self.time_ms)
        self.heard = Heard()
        self.handler = FeedbackHandler(self.records, self.suppressions, observer=self.heard)

    async def mailed(self, *, sent: bool = True) -> None:
        record = await self.records.begin(
            ORDER, NAME, template="t.v1", channel="email", subject="customer:customer-1", channels=("email",)
        )
        claimed = await self.records.claim(record)
        assert claimed is not None
        if sent:
            assert await self.records.finish(claimed, "sent", detail="id")

    async def hears(self, document: Any) -> Any:
        body = document if isinstance(document, str) else orjson.dumps(document).decode()
        return await self.handler(
            Message(id="m", receipt="r", body=body, attributes={}, receive_count=1, sent_at_ms=self.time_ms)
        )

    async def shown(self) -> tuple[str, str]:
        record = await self.records.find(ORDER, NAME)
        assert record is not None
        return record.state, record.shown_state

    async def is_suppressed(self) -> bool:
        return await self.suppressions.of("email", "recipient@example.COM") is not None


@pytest.mark.parametrize(
    ("document", "shown", "suppressed"),
    [
        (bounce(), "bounced", True),
        (bounce("Permanent", "OnAccountSuppressionList"), "bounced", True),
        (bounce("Transient", "MailboxFull"), "soft_bounced", False),
        (bounce("Undetermined", "Undetermined"), "soft_bounced", False),
        (complaint(), "complained", True),
        (complaint(None), "complained", True),
        (complaint("not-spam"), "sent", False),
        (DELIVERY, "delivered", False),
        (DELAY, "delayed", False),
        (REJECT, "rejected", False),
        ({"eventType": "Open", "open": {}, "mail": MAIL}, "sent", False),
    ],
    ids=[
        "hard", "on SES's list", "mailbox full", "undetermined", "complaint", "complaint without a type", "not spam",
        "delivery", "delay", "virus", "open",
    ],
)  # fmt: skip
def test_each_report_shows_in_the_record_and_only_grave_ones_suppress(
    document: dict[str, Any], shown: str, suppressed: bool
) -> None:
    """A full mailbox is no reason never to write again; who says that it is no spam has not complained."""  # E026

    async def scenario() -> None:
        office = Office()
        await office.mailed()
        assert await office.hears(document) == Done()
        assert await office.shown() == ("sent", shown)
        assert await office.is_suppressed() == suppressed

    run_virtual(scenario)


def test_a_report_before_the_record_says_sent_is_kept() -> None:
    """SES may be quicker than our own write: then the record says both."""

    async def scenario() -> None:
        office = Office()
        await office.mailed(sent=False)
        await office.hears(bounce())
        assert await office.shown() == ("sending", "bounced")
        record = await office.records.find(ORDER, NAME)
        assert record is not None
        assert await office.records.finish(record, "sent", detail="id")
        assert await office.shown() == ("sent", "bounced")

    run_virtual(scenario)


def test_reports_in_any_order_and_twice_come_to_the_same() -> None:
    """Delivered, then complained of; and the other way round: the gravest is shown, each is counted once."""

    async def scenario() -> None:
        for order in ([DELIVERY, complaint(), DELAY], [complaint(), DELAY, DELIVERY], [DELAY, DELIVERY, complaint()]):
            office = Office()
            await office.mailed()
            for _ in range(2):
                for document in order:
                    assert await office.hears(document) == Done()
            assert await office.shown() == ("sent", "complained")
            assert office.heard.counts == {
                ("feedback", "delivered"): 1,
                ("feedback", "complained"): 1,
                ("feedback", "delayed"): 1,
                ("suppressed", "complaint"): 1,
            }

    run_virtual(scenario)


def test_an_old_report_that_comes_late_does_not_undo_what_an_operator_lifted() -> None:
    """The mailbox was mended after that bounce; one from after the lift counts."""

    async def scenario() -> None:
        office = Office()
        await office.mailed()
        await office.hears(bounce())
        office.time_ms = AT_MS + 1_000
        row = await office.suppressions.of("email", ADDRESS)
        assert row is not None
        assert (row.reason, row.order, row.customer, row.detail) == ("bounce", ORDER, "customer-1", "General")
        assert await office.suppressions.lift(row.id, actor="ops", reason="mended")
        await office.hears(bounce())
        assert not await office.is_suppressed()
        later = bounce()
        later["bounce"] = {**later["bounce"], "timestamp": "2017-08-05T00:41:04Z"}
        await office.hears(later)
        assert await office.is_suppressed()

    run_virtual(scenario)


def test_a_mail_that_is_not_ours_is_suppressed_all_the_same() -> None:
    """Another sender of the account: no tags, no record; the address does not exist for us either."""

    async def scenario() -> None:
        office = Office()
        stranger = bounce(mail={**MAIL, "tags": {}})
        assert await office.hears(stranger) == Done()
        assert await office.hears(bounce()) == Done()  # and one whose record is gone
        assert await office.is_suppressed()
        assert [row async for row in office.table.scan()] == []

    run_virtual(scenario)


def test_no_address_is_kept_anywhere() -> None:
    """Neither in the list nor in the record, nor in what a report looks like in a trace."""  # D31

    async def scenario() -> None:
        office = Office()
        await office.mailed()
        await office.hears(bounce())
        kept = [row async for row in office.table.scan()] + [row async for row in office.listed.scan()]
        assert "recipient" not in str(kept).lower()
        assert "recipient@" not in repr(parse_feedback(orjson.dumps(bounce()).decode())).lower()

    run_virtual(scenario)


def test_ses_greets_and_sns_may_wrap() -> None:
    """The sentence that SES sends when the destination is made is no garbage; nor is a report in SNS's envelope."""

    async def scenario() -> None:
        office = Office()
        await office.mailed()
        greeting = "Successfully validated SNS topic for Amazon SES event publishing."
        assert await office.hears(greeting) == Done()
        wrapped = {"Type": "Notification", "MessageId": "x", "Message": orjson.dumps(bounce()).decode()}
        assert await office.hears(wrapped) == Done()
        assert await office.shown() == ("sent", "bounced")

    run_virtual(scenario)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "null",
        '{"eventType": 7}',
        "{}",
        orjson.dumps({"eventType": "Bounce", "mail": MAIL}).decode(),
        orjson.dumps({"eventType": "Bounce", "bounce": [], "mail": MAIL}).decode(),
        orjson.dumps({**DELIVERY, "mail": {}}).decode(),
        orjson.dumps({**DELIVERY, "delivery": {"timestamp": "yesterday"}}).decode(),
        orjson.dumps(bounce(bounce={"bounceType": "Permanent", "timestamp": AT})).decode(),
        orjson.dumps(bounce(bounce={"bounceType": "Permanent", "timestamp": AT, "bouncedRecipients": [{}]})).decode(),
    ],
)
def test_garbage_is_poison_that_quotes_nothing(body: str) -> None:
    """It goes to the dead letters at once; what it holds may be an address."""  # E060

    async def scenario() -> None:
        outcome = await Office().hears(body)
        assert isinstance(outcome, Poison)
        assert "@" not in outcome.reason

    run_virtual(scenario)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_PLACES = ("eventType", "bounce", "complaint", "mail", "delivery")


@given(st.sampled_from([bounce(), complaint(), DELIVERY]), st.sampled_from(_PLACES), _JSON)
def test_whatever_stands_in_a_report_it_is_read_or_refused(document: Any, place: str, value: Any) -> None:
    """No other exception gets out: the loop would retry it for nothing."""
    try:
        found = parse_feedback(orjson.dumps({**document, place: value}).decode())
    except MalformedFeedback:
        return
    assert found is None or isinstance(found, Feedback)


@given(st.sampled_from([bounce(), complaint(), DELIVERY]), st.dictionaries(st.text(max_size=12), _JSON, max_size=3))
def test_fields_that_are_new_change_nothing(document: Any, extra: dict[str, Any]) -> None:
    """AWS adds fields as it likes."""
    unknown = {name: value for name, value in extra.items() if name not in {*document, "Type", "notificationType"}}
    part = document["eventType"].lower()
    inner = {**{f"x-{name}": value for name, value in extra.items()}, **document[part]}
    plain = parse_feedback(orjson.dumps(document).decode())
    assert parse_feedback(orjson.dumps({**unknown, **document, part: inner}).decode()) == plain


def test_a_notification_survives_its_way_through_a_tag() -> None:
    """Tags know letters, digits, - and _ only."""
    for name in (NAME, f"{NAME}:resend-2"):
        assert notification_of(tag_of(name)) == name
        assert ":" not in tag_of(name)
