"""Giving money back that was taken."""

from functools import partial

from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.domain.state import Placed, Refund
from orderstore.transact import Decide
from workers.observe import WorkerObserver
from workers.payment.gateway import GatewayRefused, PaymentGateway
from workers.payment.outcomes import held_of, money_of, own_key
from workers.payment.reporting import called


async def give_back(
    order: Placed, gateway: PaymentGateway, refund: Refund, observer: WorkerObserver
) -> tuple[Decide, str]:
    """Give it back; what is to be recorded, and the purpose of that. What the provider refuses is owed still, and somebody has to see to
    it: a message in the dead letters tells nobody whose money it is. Raises GatewayError."""
    again = "" if refund.attempt == 1 else f":{refund.attempt}"
    key = f"{own_key(order)}:refund:{refund.refund_id}{again}"
    amount = money_of(order, refund.amount_minor)
    try:
        reference = await called(observer, "refund", gateway.refund(key, reference=held_of(order), amount=amount))
    except GatewayRefused as refusal:
        failed = e.RefundFailed(refund_id=refund.refund_id, attempt=refund.attempt, code=refusal.code)
        return partial(decisions.fail_refund, outcome=failed), f"refund-failed:{refund.refund_id}"
    issued = e.RefundIssued(refund_id=refund.refund_id, amount_minor=refund.amount_minor, provider_reference=reference)
    return partial(decisions.issue_refund, outcome=issued), f"refund-outcome:{refund.refund_id}"
