"""What SES tells of a mail after it was sent, as it comes through SNS: read strictly where we act on it, tolerantly everywhere else.

Shapes: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html. SES promises neither order nor once.

    MalformedFeedback   not such a report: no retry can help
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from workers.notification.records import FeedbackKind
from workers.notification.ses import NOTIFICATION_TAG, ORDER_TAG, notification_of
from workers.notification.suppression import Reason

# SES sends this sentence once when the destination is made; it is no JSON.
GREETING: Final = "Successfully validated SNS topic"
RECIPIENTS_MAX: Final = 50  # of one mail, as SES allows
# A bounce of these says something of the one mail or of the moment, not of the address.
_HARD: Final = "Permanent"
# Who reports that a mail is NOT spam has not complained.
_NO_COMPLAINT: Final = "not-spam"
_WORD: Final = 64


class MalformedFeedback(Exception):
    """The body is no report of SES. The text quotes nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One report. `order` and `notification` are None for a mail that did not come from here (or of before it was tagged)."""

    kind: FeedbackKind
    at_ms: int
    message_id: str
    order: str | None
    notification: str | None
    suppress: Reason | None
    recipients: tuple[str, ...] = field(repr=False)
    detail: str = ""
    """SES's own word for what happened, such as a bounce's subtype."""


def parse_feedback(body: str) -> Feedback | None:
    """The report in a message's body; None for what is not ours to act on (the greeting, opens, clicks). Raises MalformedFeedback."""
    if body.startswith(GREETING):
        return None
    document = _document(body)
    event = document.get("eventType", document.get("notificationType"))
    if not isinstance(event, str):
        raise MalformedFeedback("there is no eventType")
    match event:
        case "Bounce":
            return _bounce(document)
        case "Complaint":
            return _complaint(document)
        case "Delivery":
            return _feedback(document, "delivery", "delivered")
        case "DeliveryDelay":
            return _feedback(document, "deliveryDelay", "delayed", word="delayType")
        case "Reject":
            # SES found a virus: of the mail it says all, of the address nothing. The object has no timestamp of its own.
            return _feedback(document, "reject", "rejected", word="reason")
        case _:
            return None


def _bounce(document: Mapping[str, Any]) -> Feedback:
    bounce = _object(document, "bounce")
    hard = bounce.get("bounceType") == _HARD
    return _feedback(
        document,
        "bounce",
        "bounced" if hard else "soft_bounced",
        suppress="bounce" if hard else None,
        recipients="bouncedRecipients",
        word="bounceSubType",
    )


def _complaint(document: Mapping[str, Any]) -> Feedback | None:
    complaint = _object(document, "complaint")
    if complaint.get("complaintFeedbackType") == _NO_COMPLAINT:
        return None
    return _feedback(
        document,
        "complaint",
        "complained",
        suppress="complaint",
        recipients="complainedRecipients",
        word="complaintFeedbackType",
    )


def _feedback(
    document: Mapping[str, Any],
    part: str,
    kind: FeedbackKind,
    *,
    suppress: Reason | None = None,
    recipients: str = "",
    word: str = "",
) -> Feedback:
    about, mail = _object(document, part), _object(document, "mail")
    tags = mail.get("tags")
    tags = tags if isinstance(tags, Mapping) else {}
    tag = _tag(tags, NOTIFICATION_TAG)
    detail = about.get(word)
    return Feedback(
        kind=kind,
        at_ms=_moment(about.get("timestamp", mail.get("timestamp"))),
        message_id=_text(mail, "messageId"),
        order=_tag(tags, ORDER_TAG),
        notification=None if tag is None else notification_of(tag),
        suppress=suppress,
        recipients=_addresses(about.get(recipients)) if suppress is not None else (),
        detail=detail[:_WORD] if isinstance(detail, str) and detail.replace("-", "").isalnum() else "",
    )


def _document(body: str) -> Mapping[str, Any]:
    """The report, out of SNS's own envelope if the subscription is not a raw one."""
    document = _json(body)
    if document.get("Type") == "Notification" and isinstance(document.get("Message"), str):
        return _json(document["Message"])
    return document


def _json(body: str) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedFeedback("it is not JSON") from None
    if not isinstance(document, dict):
        raise MalformedFeedback("it is not an object")
    return document


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    if not isinstance(found, dict):
        raise MalformedFeedback(f"{name} is not there, or no object")
    return found


def _text(document: Mapping[str, Any], name: str) -> str:
    found = document.get(name)
    if not isinstance(found, str) or not found:
        raise MalformedFeedback(f"{name} is not there, or no text")
    return found


def _addresses(recipients: object) -> tuple[str, ...]:
    if not isinstance(recipients, list) or not recipients or len(recipients) > RECIPIENTS_MAX:
        raise MalformedFeedback("there are no recipients, or too many")
    found = []
    for recipient in recipients:
        address = recipient.get("emailAddress") if isinstance(recipient, dict) else None
        if not isinstance(address, str) or "@" not in address:
            raise MalformedFeedback("a recipient has no address")
        found.append(address)
    return tuple(found)


def _tag(tags: Mapping[str, Any], name: str) -> str | None:
    values = tags.get(name)
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else None


def _moment(value: object) -> int:
    if not isinstance(value, str):
        raise MalformedFeedback("there is no timestamp")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise MalformedFeedback("the timestamp cannot be read") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
