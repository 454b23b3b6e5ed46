"""What Stripe does with PaymentIntents and Refunds, as far as a payment adapter can notice, with faults at chosen requests.

Idempotency keys are remembered for 24 hours of the fake's own clock: a stored answer is given again, 5xx included; another request with
the key is an error, and so is one while the first is under way. Sources: docs.stripe.com/api/idempotent_requests, …/api/errors,
…/payments/paymentintents/lifecycle, docs.stripe.com/payments/multicapture. Cards are told from their token: `pm_ok`, `pm_decline_<code>`,
`pm_processing`, `pm_action`, `pm_gone`, `pm_once` (money is not taken in parts).
"""

import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import anyio.lowlevel
import orjson
import stripe

from workers.payment.stripe_http import NotSent, Unanswered

KEY_S = 24 * 3_600
Fault = Literal["unsent", "lost before", "lost after", "500 before", "500 after", "429", "garbage after"]
Answer = tuple[int, Any, dict[str, str]]
HELD = "requires_capture"


class Lost(Exception):
    """The connection breaks: the client hears nothing. `sent` tells whether the request arrived."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("lost")
        self.sent = sent


@dataclass
class FakeStripe:
    now_s: Callable[[], float]
    faults: deque[Fault | None] = field(default_factory=deque)
    """For the next requests, first first."""
    only_posts: bool = True
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    disputes: dict[str, dict[str, Any]] = field(default_factory=dict)
    hold_s: int | None = None
    """How long holds last, where that is told."""
    refund_fails: str | None = None
    """What becomes of refunds: failed, requires_action, …; None: they succeed."""
    successes: list[tuple[str, str]] = field(default_factory=list)
    """Every time that money was held or taken: attempt and intent."""
    tries: list[str] = field(default_factory=list)
    """Every time that a card was asked: the intent."""
    requests: list[str] = field(default_factory=list)
    keys: dict[str, tuple[float, bytes, Answer]] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    api_key: str = "sk_test_1"

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)

    def forget_keys(self) -> None:
        self.keys.clear()

    def settle(self, status: str) -> None:
        """What was processing is decided."""
        for intent in self.intents.values():
            if intent["status"] == "processing":
                self._decide(intent, status)

    def act(self, status: str = "ok") -> None:
        """The customer did what the bank asked for; or `status` is why not."""
        for intent in self.intents.values():
            if intent["status"] == "requires_action":
                self._decide(intent, status)

    def dispute(self, intent: str, *, amount: int, status: str = "needs_response") -> str:
        number = f"dp_{next(self._ids)}"
        self.disputes[number] = {
            "id": number,
            "object": "dispute",
            "amount": amount,
            "currency": self.intents[intent]["currency"],
            "payment_intent": intent,
            "created": int(self.now_s()),
            "reason": "product_not_received",
            "status": status,
            "evidence_details": {"due_by": int(self.now_s()) + 604_800},
            "metadata": {},
        }
        return number

    def expire_holds(self) -> None:
        for intent in self.intents.values():
            if intent["status"] == HELD:
                intent.update(status="canceled", cancellation_reason="automatic")

    async def answer(self, method: str, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """One request. Raises Lost."""
        parts = urlsplit(url)
        form = _nested(parse_qsl(parts.query if method == "get" else body, keep_blank_values=True))
        self.requests.append(f"{method} {parts.path}")
        fault = self.faults.popleft() if self.faults and (method == "post" or not self.only_posts) else None
        await anyio.lowlevel.checkpoint()
        match fault:
            case "unsent":
                raise Lost(sent=False)
            case "lost before":
                raise Lost(sent=True)
            case "429":
                return _error(429, "rate_limit", code="rate_limit")
        if headers.get("Authorization") != f"Bearer {self.api_key}":
            return _error(401, "invalid_request_error")
        answer = (
            await self._keyed(method, parts.path, form, headers.get("Idempotency-Key", ""), fault)
            if method == "post"
            else self._read(parts.path, form)
        )
        if fault == "lost after":
            raise Lost(sent=True)
        return (200, "<html>", {}) if fault == "garbage after" else answer

    async def _keyed(self, method: str, path: str, form: dict[str, Any], key: str, fault: Fault | None) -> Answer:
        fingerprint = orjson.dumps([path, form], option=orjson.OPT_SORT_KEYS)
        if key in self.under_way:
            return _error(409, "idempotency_error", code="idempotency_key_in_use")
        kept = self.keys.get(key)
        if kept is not None and self.now_s() - kept[0] < KEY_S:
            _, first, (status, document, headers) = kept
            if first != fingerprint:
                return _error(400, "idempotency_error")
            return status, document, {**headers, "Idempotent-Replayed": "true"}
        self.under_way.add(key)
        await anyio.lowlevel.checkpoint()
        if fault == "500 before":
            answer: Answer = _error(500, "api_error")
        else:
            answer = self._write(path.strip("/").split("/")[1:], form)
            if fault == "500 after":
                answer = _error(500, "api_error")
        self.under_way.discard(key)
        # "If incoming parameters fail validation ... no idempotent result is saved"
        if answer[1].get("error", {}).get("type") != "invalid_request_error":
            self.keys[key] = (self.now_s(), fingerprint, answer)
        return answer

    def _write(self, path: list[str], form: dict[str, Any]) -> Answer:
        match path:
            case ["payment_intents"]:
                if (code := self._refused(form)) is not None:
                    return _error(400, "invalid_request_error", code=code, param="amount")
                intent = self._made(form)
                return 200, dict(intent), {}
            case ["payment_intents", number, action] if number in self.intents:
                intent = self.intents[number]
                return {"confirm": self._confirm, "capture": self._capture, "cancel": self._cancel}[action](
                    intent, form
                )
            case ["refunds"]:
                return self._refund(form)
        return _error(404, "invalid_request_error", code="resource_missing")

    def _refused(self, form: dict[str, Any]) -> str | None:
        """What Stripe says of an amount that it does not take: less than half a dollar, more than eight digits."""
        amount = int(form["amount"])
        return "amount_too_small" if amount < 50 else "amount_too_large" if amount > 99_999_999 else None

    def _made(self, form: dict[str, Any]) -> dict[str, Any]:
        number = f"pi_{next(self._ids)}"
        self.intents[number] = {
            "id": number,
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "amount_received": 0,
            "currency": form["currency"],
            "capture_method": form["capture_method"],
            "status": "requires_payment_method",
            "last_payment_error": None,
            "latest_charge": None,
            "cancellation_reason": None,
            "created": int(self.now_s()),
            "metadata": form.get("metadata", {}),
            "payment_method_options": form.get("payment_method_options", {}),
            "once": False,
        }
        return self.intents[number]

    def _confirm(self, intent: dict[str, Any], form: dict[str, Any]) -> Answer:
        if intent["status"] != "requires_payment_method":
            return _unexpected(intent)
        card = form["payment_method"]
        if card == "pm_gone":
            return _error(400, "invalid_request_error", code="resource_missing", param="payment_method")
        self.tries.append(intent["id"])
        if card.startswith("pm_decline_"):
            return self._declined(intent, card.removeprefix("pm_decline_"))
        if card == "pm_action" and form.get("error_on_requires_action") == "true":
            return self._declined(intent, "authentication_required")
        if card == "pm_processing":
            intent["status"] = "processing"
        elif card in ("pm_action_later", "pm_action"):
            intent["status"] = "requires_action"
        else:
            intent["once"] = card == "pm_once"
            self._decide(intent, "ok")
        return 200, self._shown(intent, form), {}

    def _shown(self, intent: dict[str, Any], form: dict[str, Any]) -> dict[str, Any]:
        """The intent, with its charge where that was asked for."""
        document = dict(intent)
        asked = [value for name, value in form.items() if name == "expand" for value in value.values()]
        if not {"latest_charge", "data.latest_charge"} & set(asked) or intent["latest_charge"] is None:
            return document
        card: dict[str, Any] = {}
        if self.hold_s is not None:
            card["capture_before"] = intent["created"] + self.hold_s
        if intent["payment_method_options"]:
            assert intent["payment_method_options"] == {"card][request_multicapture": "if_available"}
            card["multicapture"] = {"status": "unavailable" if intent["once"] else "available"}
        disputed = any(dispute["payment_intent"] == intent["id"] for dispute in self.disputes.values())
        document["latest_charge"] = {
            "id": intent["latest_charge"],
            "object": "charge",
            "amount_refunded": self._given(intent),
            "disputed": disputed,
            "payment_method_details": {"card": card},
        }
        return document

    def _given(self, intent: dict[str, Any]) -> int:
        return sum(
            refund["amount"]
            for refund in self.refunds.values()
            if refund["payment_intent"] == intent["id"] and refund["status"] in ("succeeded", "pending")
        )

    def _decide(self, intent: dict[str, Any], status: str) -> None:
        if status != "ok":
            self._declined(intent, status)
            return
        held = intent["capture_method"] == "manual"
        intent.update(
            status=HELD if held else "succeeded",
            amount_received=0 if held else intent["amount"],
            latest_charge=f"ch_{intent['id']}",
        )
        self.successes.append((intent["metadata"]["orderstore_attempt"], intent["id"]))

    def _declined(self, intent: dict[str, Any], code: str) -> Answer:
        error = {"type": "card_error", "code": "card_declined", "decline_code": code, "message": "Your card …"}
        intent.update(status="requires_payment_method", last_payment_error=error)
        return 402, {"error": {**error, "payment_intent": dict(intent)}}, {}

    def _capture(self, intent: dict[str, Any], form: dict[str, Any]) -> Answer:
        if intent["status"] != HELD:
            return _unexpected(intent)
        final = form.get("final_capture") != "false"
        options = bool(intent["payment_method_options"]) and not intent["once"]
        received = intent["amount_received"] + int(form["amount_to_capture"])
        if received > intent["amount"] or not (final or options):
            return _error(400, "invalid_request_error", code="amount_too_large")
        intent.update(status="succeeded" if final else HELD, amount_received=received)
        return 200, self._shown(intent, form), {}

    def _cancel(self, intent: dict[str, Any], form: dict[str, Any]) -> Answer:
        if intent["status"] in ("succeeded", "canceled", "processing"):
            return _unexpected(intent)
        intent.update(status="canceled", cancellation_reason=form["cancellation_reason"])
        return 200, dict(intent), {}

    def _refund(self, form: dict[str, Any]) -> Answer:
        intent = self.intents[form["payment_intent"]]
        given = self._given(intent)
        if intent["status"] != "succeeded" or given + int(form["amount"]) > intent["amount_received"]:
            return _error(400, "invalid_request_error", code="charge_already_refunded")
        number = f"re_{next(self._ids)}"
        self.refunds[number] = {
            "id": number,
            "object": "refund",
            "amount": int(form["amount"]),
            "payment_intent": intent["id"],
            "status": self.refund_fails or "succeeded",
            "created": int(self.now_s()),
            "metadata": form.get("metadata", {}),
        }
        return 200, dict(self.refunds[number]), {}

    def _read(self, path: str, form: dict[str, Any]) -> Answer:
        match path.strip("/").split("/")[1:]:
            case ["payment_intents", number] if number in self.intents:
                return 200, self._shown(self.intents[number], form), {}
            case ["payment_intents"]:
                return self._page([self._shown(i, form) for i in self.intents.values()], form)
            case ["refunds"]:
                return self._page(list(self.refunds.values()), form)
            case ["disputes"]:
                return self._page(list(self.disputes.values()), form)
        return _error(404, "invalid_request_error", code="resource_missing")

    def _page(self, things: list[dict[str, Any]], form: dict[str, Any]) -> Answer:
        """Newest first, after the one that is named; those of an intent or a time, where one is named."""
        between = form.get("created", {})
        low, high = int(between.get("gte", 0)), int(between.get("lt", 2**60))
        of = form.get("payment_intent")
        newest = [
            thing
            for thing in reversed(things)
            if low <= thing["created"] < high and (of is None or thing["payment_intent"] == of)
        ]
        names = [thing["id"] for thing in newest]
        begin = names.index(form["starting_after"]) + 1 if "starting_after" in form else 0
        limit = int(form.get("limit", 10))
        data = [dict(thing) for thing in newest[begin : begin + limit]]
        return 200, {"object": "list", "data": data, "has_more": begin + limit < len(newest), "url": "/v1/x"}, {}


class InProcess(stripe.HTTPClient):
    """Sends to the fake without a network, so that it runs on virtual time."""

    name = "in process"

    def __init__(self, fake: FakeStripe) -> None:
        super().__init__()
        self._fake = fake

    async def request_async(self, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        try:
            status, document, answered = await self._fake.answer(method, url, headers, post_data or "")
        except Lost as lost:
            raise (Unanswered("lost") if lost.sent else NotSent("refused")) from lost
        body = document.encode() if isinstance(document, str) else orjson.dumps(document)
        return body, status, {name.lower(): value for name, value in answered.items()}


def _error(status: int, kind: str, **more: str) -> Answer:
    return status, {"error": {"type": kind, "message": "as Stripe says it", **more}}, {"request-id": "req_1"}


def _unexpected(intent: dict[str, Any]) -> Answer:
    status, document, headers = _error(400, "invalid_request_error", code="payment_intent_unexpected_state")
    document["error"]["payment_intent"] = dict(intent)
    return status, document, headers


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`metadata[a]=1` as Stripe reads it."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        outer, _, inner = name.partition("[")
        if inner:
            found.setdefault(outer, {})[inner.rstrip("]")] = value
        else:
            found[outer] = value
    return found
