"""Stripe's disputes of one payment. Sources: docs.stripe.com/api/disputes/object, docs.stripe.com/disputes/how-disputes-work."""

from datetime import UTC, datetime
from typing import Any, Final, Literal

import stripe

from workers.payment.disputes import DisputedPayment, Disputes, TheirDispute
from workers.payment.gateway import GatewayRefused
from workers.payment.stripe_amounts import minor_units
from workers.payment.stripe_answers import amount_in, reference_in, understood
from workers.payment.stripe_calls import ORDER, PAGE, called
from workers.payment.stripe_charges import EXPAND, given_back_of
from workers.payment.stripe_declines import WORD
from workers.payment.stripe_http import metadata_of, raise_translated

_STANDINGS: Final[dict[str, Literal["open", "won", "lost"]]] = {
    "needs_response": "open",
    "under_review": "open",
    "appeal_needs_response": "open",
    "appeal_under_review": "open",
    "won": "won",
    "lost": "lost",
}
_NO_MONEY_MOVED: Final = frozenset({"warning_needs_response", "warning_under_review", "warning_closed", "prevented"})
"""Inquiries, and disputes that never came about."""
_UNSAID: Final = "general"
_NOT_FOUND: Final = 404


class StripeDisputes(Disputes):
    """Those of PaymentIntents that carry our metadata."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._intents = client.v1.payment_intents
        self._disputes = client.v1.disputes

    @understood(writes=False)
    async def of(self, reference: str) -> DisputedPayment | None:
        """See `Disputes.of`. Raises GatewayRefused for a payment of more disputes than anybody can have."""
        try:
            intent = await self._intents.retrieve_async(reference, EXPAND)
        except stripe.InvalidRequestError as error:
            if error.http_status == _NOT_FOUND:
                return None
            raise_translated(error, writes=False)
        except stripe.StripeError as error:
            raise_translated(error, writes=False)
        known = metadata_of(intent)
        if ORDER not in known:
            return None
        asked: Any = {"payment_intent": reference, "limit": PAGE}
        page = await called(self._disputes.list_async(asked), writes=False)
        if page.has_more:
            raise GatewayRefused(f"a payment has more than {PAGE} disputes")
        found = [_theirs(dispute) for dispute in reversed(page.data)]  # Stripe lists the newest first
        given_back = minor_units(given_back_of(intent), intent.currency)
        return DisputedPayment(known[ORDER], tuple(dispute for dispute in found if dispute is not None), given_back)


def _theirs(dispute: stripe.Dispute) -> TheirDispute | None:
    if dispute.status in _NO_MONEY_MOVED:
        return None
    standing = _STANDINGS.get(dispute.status)
    if standing is None:
        raise GatewayRefused("this build does not know a dispute of that status")
    reason: object = dispute.reason
    told = reason if isinstance(reason, str) and WORD.fullmatch(reason) else _UNSAID
    due_s = dispute.evidence_details.due_by
    return TheirDispute(
        dispute_id=reference_in(dispute.id),
        amount_minor=minor_units(amount_in(dispute.amount), dispute.currency),
        reason=told,
        standing=standing,
        answer_by=datetime.fromtimestamp(amount_in(due_s), tz=UTC) if due_s else None,
    )
