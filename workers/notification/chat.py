"""Chat for operators: incoming webhooks of Slack and of Teams. What to send and what their answers mean; pure of HTTP.

The address of an incoming webhook is a secret: whoever has it can write into the room. It is accepted only if it is https and belongs
to the vendor (`chat_urls.py`), is never logged, and never followed elsewhere. Nothing personal is written: the text is rendered without
the customer's contact.

    HttpNotReached    the request never left: no connection, no name
    HttpUncertain     it left, and no whole answer came back
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol

import orjson

from workers.notification.channels import Delivered, Delivery, NotDelivered, Note, Refused, Uncertain

RETRY_AFTER_DEFAULT_S: Final = 30.0
TITLE_CHARACTERS_MAX: Final = 150  # of Slack's header block
TEXT_CHARACTERS_MAX: Final = 2_900  # of its section block there are 3,000
_SHORT_CODE: Final = re.compile(r"[a-z_]{1,40}")
_TOO_MANY, _OK_FROM, _OK_UNTIL, _FAULT_FROM, _TIMEOUT = 429, 200, 300, 500, 408


class HttpNotReached(Exception):
    """Surely not received."""


class HttpUncertain(Exception):
    """Received, or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `body` is its beginning, and header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class HttpPost(Protocol):
    """One POST of JSON. Raises HttpNotReached, HttpUncertain."""

    async def post(self, url: str, body: bytes) -> Answer:
        """Send, and follow no redirect."""
        ...


class ChatChannel:
    """See `channels.Channel`. A message that could not be written for `patience_s` is of no use to anybody any more."""

    needs_contact = False
    repeatable = False
    patience_s: float | None

    def __init__(
        self,
        name: str,
        url: str,
        http: HttpPost,
        *,
        payload: Callable[[Note], Mapping[str, Any]],
        now_ms: Callable[[], int],
        patience_s: float | None,
    ) -> None:
        self.name = name
        self.patience_s = patience_s
        self._url = url
        self._http = http
        self._payload = payload
        self._now_ms = now_ms

    async def deliver(self, note: Note) -> Delivery:
        """See `channels.Channel.deliver`."""
        try:
            answer = await self._http.post(self._url, orjson.dumps(self._payload(note)))
        except HttpNotReached as error:
            return NotDelivered(str(error))
        except HttpUncertain as error:
            return Uncertain(str(error))
        return self._meaning(answer)

    def _meaning(self, answer: Answer) -> Delivery:
        status = answer.status
        if _OK_FROM <= status < _OK_UNTIL:
            return Delivered(f"http {status}")
        if status == _TOO_MANY:
            return NotDelivered("http 429", retry_after_s(answer.headers, self._now_ms()))
        if status >= _FAULT_FROM or status == _TIMEOUT:
            return Uncertain(f"http {status}")
        # A wrong payload, a webhook that was revoked, a room that is archived: a person must look.
        text = answer.body[:40].decode("ascii", "replace").strip()
        return Refused(f"http {status} {text}" if _SHORT_CODE.fullmatch(text) else f"http {status}")


def retry_after_s(headers: Mapping[str, str], now_ms: int) -> float:
    """Retry-After in either of its forms (RFC 9110, 10.2.3); half a minute when there is none, or none that can be read."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the latter for a year or an offset beyond all numbers
        return RETRY_AFTER_DEFAULT_S
    now = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    return max(((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds(), 0.0)


def slack_payload(note: Note) -> Mapping[str, Any]:
    """Blocks of plain text, in which nothing is read as markup, and the line that a notification on a phone shows."""
    return {
        "text": _escaped_for_slack(note.subject),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": _cut(note.subject, TITLE_CHARACTERS_MAX)}},
            {"type": "section", "text": {"type": "plain_text", "text": _cut(note.text.strip(), TEXT_CHARACTERS_MAX)}},
        ],
    }


def teams_payload(note: Note) -> Mapping[str, Any]:
    """An adaptive card whose texts are runs: those know no Markdown, so that nothing is read as a link."""
    return {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "fallbackText": _cut(note.subject, TITLE_CHARACTERS_MAX),
                    "body": [
                        _run(_cut(note.subject, TITLE_CHARACTERS_MAX), weight="bolder", size="medium"),
                        *(_run(line) for line in _cut(note.text.strip(), TEXT_CHARACTERS_MAX).splitlines() if line),
                    ],
                },
            }
        ],
    }


def _run(text: str, **style: str) -> Mapping[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


def _escaped_for_slack(text: str) -> str:
    """api.slack.com/reference/surfaces/formatting#escaping: these three, and nothing else."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, characters_max: int) -> str:
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"
