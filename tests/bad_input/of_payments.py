"""The payment provider: its webhooks, its signatures, and its answers through the real library."""

import hashlib
import hmac
import json
import time
from datetime import datetime
from random import Random
from typing import Any, Final

import stripe

from orderstore.domain.money import Money
from tests.bad_input.decoder import Decoder, Shape
from tests.bad_input.mutations import of_bytes, of_json, of_json_text, of_text
from tests.bad_input.of_files import NOW_MS
from tests.virtual_time import run_virtual
from workers.payment.disputes import DisputedPayment
from workers.payment.gateway import Authorized, Declined, GatewayError, Taken
from workers.payment.hints import notice_body, notice_in
from workers.payment.stripe_books import StripeBooks
from workers.payment.stripe_disputes import StripeDisputes
from workers.payment.stripe_gateway import ATTEMPT, ORDER, StripeGateway
from workers.payment.stripe_http import stripe_client
from workers.payment.webhooks import BadSignature, StripeHooks
from workers.reconciliation.payments import BooksTooLong, Theirs

ORDER_ID: Final = "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"


class _Answers(stripe.HTTPClient):
    """Answers every request of the library with the same."""

    name = "hostile"

    def __init__(self, body: bytes, status: int) -> None:
        super().__init__()
        self._answer = body, status, {"request-id": "req_1"}

    async def request_async(self, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        return self._answer


class _Book:
    """An attempt that has its intent."""

    async def find(self, attempt_key: str) -> str | None:
        return "pi_1"

    async def keep(self, attempt_key: str, intent: str) -> str:
        return intent


INTENT: Final = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 500,
    "amount_received": 500,
    "currency": "eur",
    "capture_method": "automatic",
    "status": "succeeded",
    "last_payment_error": None,
    "latest_charge": "ch_1",
    "cancellation_reason": None,
    "created": 1_772_366_400,
    "metadata": {ATTEMPT: "a", ORDER: ORDER_ID},
}


DECLINED: Final = {
    **INTENT,
    "status": "requires_payment_method",
    "last_payment_error": {"code": "card_declined", "decline_code": "stolen_card"},
}


CARD: Final = {"card": {"capture_before": 1_772_966_400, "multicapture": {"status": "available"}}}
CHARGE: Final = {
    "id": "ch_1",
    "object": "charge",
    "amount_refunded": 5,
    "disputed": True,
    "payment_method_details": CARD,
}
HELD: Final = {**INTENT, "status": "requires_capture", "amount_received": 1, "latest_charge": CHARGE}


DISPUTE: Final = {
    "id": "dp_1",
    "object": "dispute",
    "amount": 500,
    "currency": "eur",
    "payment_intent": "pi_1",
    "reason": "fraudulent",
    "status": "needs_response",
    "evidence_details": {"due_by": 1_772_966_400},
    "metadata": {},
}


_ASKED: Final = ("authorize", "find", "capture", "void", "close", "part", "payment")
_LISTED: Final = ("refund", "payments", "disputes", "touched")


REFUNDS: Final = {
    "object": "list",
    "has_more": False,
    "url": "/v1/refunds",
    "data": [
        {"id": "re_1", "object": "refund", "amount": 500, "status": "succeeded", "metadata": {"orderstore_refund": "k"}}
    ],
}


FAULT: Final = {"error": {"type": "card_error", "code": "card_declined", "decline_code": "stolen_card", "message": "x"}}


FIVE: Final = Money(500, "EUR")


def _asked_stripe(given: tuple[str, int, bytes]) -> object:
    """Each thing that is asked of the provider, which answers with what is given."""
    what, status, body = given

    async def ask() -> object:
        client = stripe_client("sk_test_1", _Answers(body, status), api_base="https://stripe.example")
        gateway = StripeGateway(client, _Book(), now_ms=lambda: NOW_MS)
        match what:
            case "authorize":
                return await gateway.authorize("a", amount=FIVE, order_reference="o", capture=True, method="pm_1")
            case "find":
                return await gateway.find("a")
            case "capture":
                return await gateway.capture("k", reference="pi_1", amount=FIVE)
            case "void":
                await gateway.void("k", reference="pi_1")
                return None
            case "refund":
                return await gateway.refund("k", reference="pi_1", amount=FIVE)
            case "close":
                return await gateway.close("a")
            case "part":
                return await gateway.capture("k", reference="pi_1", amount=FIVE, before_minor=1, final=False)
            case "disputes":
                return await StripeDisputes(client).of("pi_1")
            case "touched":
                return [one async for one in StripeBooks(client).touched(0, 1)]
            case "payment":
                return await StripeBooks(client).payment("pi_1")
            case _:
                return [one async for one in StripeBooks(client).payments(0, 1)]

    found = run_virtual(ask)
    if not _is_known_by_its_types(found):
        raise AssertionError(f"{found!r} would stand in an order's log for ever")
    return found


def _is_known_by_its_types(found: object) -> bool:
    match found:
        case None | str() | Authorized(str(), None | datetime()) | Taken(str(), Money(int(), str())):
            return True
        case DisputedPayment(str(), disputes, int()):
            return all(isinstance(one.amount_minor, int) and isinstance(one.reason, str) for one in disputes)
        case Declined(category, code):
            return category in ("soft", "hard", "fraud") and isinstance(code, str)
        case Theirs(reference=str(), attempt_key=str(), order_id=str(), amount_minor=int(), currency=str()):
            return True
        case list():
            return all(map(_is_known_by_its_types, found))
        case _:
            return False


def _of_answers(random: Random, given: Any) -> Any:
    what = random.choice((*_ASKED, *_LISTED))
    lists = [REFUNDS, {**REFUNDS, "data": [INTENT]}, {**REFUNDS, "data": [DISPUTE]}]
    documents = lists if what in _LISTED else [INTENT, DECLINED, HELD]
    status = random.choice((200, 200, 200, 200, 400, 402, 404, 429, 500, 302))
    return what, status, of_json(random, documents if status == 200 else [*documents, FAULT])


SECRET: Final = "whsec_test"


HOOK: Final = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "data": {"object": {"id": "pi_1", "object": "payment_intent", "metadata": {ORDER: ORDER_ID}}},
}


class _NoOrders:
    async def load(self, order_id: str) -> Any:
        from orderstore.domain.rejections import UnknownOrder

        raise UnknownOrder(order_id)


async def _sent(body: str) -> None:
    raise AssertionError("a hint about an order that is not there")


def _hook(body: bytes) -> bool:
    """Signed by the provider, whatever it says: somebody may know the secret."""
    at = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    hooks = StripeHooks(_NoOrders(), secrets=[SECRET], send=_sent)  # type: ignore[arg-type]  # all that is asked of it

    async def take() -> bool:
        return await hooks.take(body, f"t={at},v1={signature}")

    return run_virtual(take)


def _noticed(body: str) -> str | None:
    found = notice_in(body)
    if found is not None and not found.isprintable():
        raise AssertionError(f"{found!r} would be asked for at the provider")
    return found


def _unsigned(header: str) -> bool:
    hooks = StripeHooks(_NoOrders(), secrets=[SECRET], send=_sent)  # type: ignore[arg-type]  # all that is asked of it

    async def take() -> bool:
        return await hooks.take(json.dumps(HOOK).encode(), header)

    return run_virtual(take)


DECODERS: Final = (
    Decoder(
        name="Stripe's webhook",
        covers=(
            "workers.payment.webhooks:StripeHooks._checked",
            "workers.payment.webhooks:_order_of",
            "workers.payment.webhooks:_payment_in",
        ),
        decode=_hook,
        errors=(BadSignature,),
        valid=lambda: [(json.dumps(HOOK).encode(), False)],
        shapes=(
            Shape(mutate=of_json, samples=lambda: [HOOK]),
            Shape(mutate=of_bytes, samples=lambda: [json.dumps(HOOK).encode()]),
        ),
        weight=3,
    ),
    Decoder(
        name="Stripe's signature",
        covers=(),
        decode=_unsigned,
        errors=(BadSignature,),
        valid=list,
        shapes=(Shape(mutate=of_text, samples=lambda: ["t=1772366400,v1=" + "0" * 64]),),
        weight=3,
    ),
    Decoder(
        name="payment notice",
        covers=("workers.payment.hints:notice_in",),
        decode=_noticed,
        errors=(),
        valid=lambda: [(notice_body("pi_1"), "pi_1")],
        shapes=(Shape(mutate=of_json_text, samples=lambda: [json.loads(notice_body("pi_1"))]),),
        weight=3,
    ),
    Decoder(
        name="Stripe's answer",
        covers=(
            "workers.payment.stripe_http:metadata_of",
            "workers.payment.stripe_books:StripeBooks._theirs",
            "workers.payment.stripe_charges:held_until",
            "workers.payment.stripe_disputes:_theirs",
        ),
        decode=_asked_stripe,
        errors=(GatewayError, BooksTooLong),
        valid=lambda: [(("find", 200, json.dumps(INTENT).encode()), Authorized("pi_1"))],
        shapes=(Shape(mutate=_of_answers, samples=lambda: [b""]),),
        weight=20,
    ),
)
