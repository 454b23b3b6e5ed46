"""Orders for each change of mind: where it is possible, so that an operation's good answers are met too."""

from dataclasses import dataclass

from orderstore.domain import decisions
from orderstore.domain.events import RefundFailed
from tests.projections.http.api import ADMIN, Api
from tests.projections.http.stories import declined, delivered, reserved, stalled, under_review

EDIT = {"items": [{"sku": "CHARGER-003", "quantity": 2, "price": "19.99"}]}
LINES = {"lines": [{"line": 1, "quantity": 1}]}
RETURN = {**LINES, "reason": "withdrawal"}
DELAY = {"promisedAt": "2026-12-20T00:00:00Z", "reason": "snow", "consentWithinS": 3_600}
LONG_MS = 30 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """By what of their paths names them: an order, and what of it is meant."""

    line_cancellations: str
    edits: str
    edit: tuple[str, str]
    payment_attempts: str
    review: str
    delays: str
    returns: str
    exceptions: str
    answers: tuple[str, str]
    refunds: tuple[str, str]
    requested: tuple[str, str]
    declined: tuple[str, str]
    approved: tuple[str, str]
    kept: tuple[str, str]
    received: tuple[str, str]

    def ids(self, label: str) -> dict[str, str]:
        """The path parameters of an operation by its method and path; none where it is not about a change."""
        for part, field in _MEANT.items():
            if part in label:
                found, name = getattr(self, field), part.partition("{")[2].partition("}")[0]
                return {"orderId": found} if isinstance(found, str) else {"orderId": found[0], name: found[1]}
        return {}


_MEANT = {
    "/line-cancellations": "line_cancellations",
    "/edits/{editId}/withdrawal": "edit",
    "/edits": "edits",
    "/payment-attempts": "payment_attempts",
    "/review": "review",
    "/delays": "delays",
    "/notes": "delays",
    "/exceptions/actions": "exceptions",
    "/answers/{actionId}": "answers",
    "/refunds/{refundId}/retry": "refunds",
    "/returns/{returnId}/approve": "requested",
    "/returns/{returnId}/decline": "declined",
    "/returns/{returnId}/cancel": "kept",
    "/returns/{returnId}/receive": "approved",
    "/returns/{returnId}/inspection": "received",
    "/returns": "returns",
}
"""What of an operation's path names the order, the longest first."""


def is_a_change(label: str) -> bool:
    """Whether an operation needs one of these orders."""
    return any(part in label for part in _MEANT)


async def changed(api: Api) -> Changed:
    """One of each."""
    asked = await reserved(api)
    question = (await api.post(f"/orders/{asked}/delays", DELAY, token=ADMIN)).json()["actionId"]
    refunded = await delivered(api)
    refund_id = (await api.post(f"/orders/{refunded}/refunds", LINES)).json()["refundId"]
    failed = RefundFailed(refund_id=refund_id, attempt=1, code="expired_or_canceled_card")
    await api.record(refunded, decisions.fail_refund, purpose="refund-outcome", outcome=failed)
    now_ms, old = api.clock.ms, await delivered(api)
    api.clock.ms += LONG_MS
    requested, to_decline = [await _returned(api, old) for _ in range(2)]
    api.clock.ms = now_ms
    fresh = await delivered(
        api, items=[{"sku": "S", "quantity": 1, "price": 9}, {"sku": "S", "quantity": 9, "price": 9}]
    )
    approved, kept, received = [await _returned(api, fresh) for _ in range(3)]
    await api.post(f"/orders/{fresh}/returns/{received}/receive", token=ADMIN)
    edited = await reserved(api)
    edit_id = (await api.post(f"/orders/{edited}/edits", EDIT)).json()["editId"]
    return Changed(
        line_cancellations=await reserved(api),
        edits=await reserved(api),
        edit=(edited, edit_id),
        payment_attempts=await declined(api),
        review=await under_review(api),
        delays=await reserved(api),
        returns=await delivered(api),
        exceptions=await stalled(api),
        answers=(asked, question),
        refunds=(refunded, refund_id),
        requested=(old, requested),
        declined=(old, to_decline),
        approved=(fresh, approved),
        kept=(fresh, kept),
        received=(fresh, received),
    )


async def _returned(api: Api, order_id: str) -> str:
    response = await api.post(f"/orders/{order_id}/returns", RETURN, token=ADMIN)
    assert response.status_code == 202, response.text
    return_id: str = response.json()["returnId"]
    return return_id
