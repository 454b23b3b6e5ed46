"""The attempt before the present one, ended at the provider: whatever comes of it late holds nothing and keeps nothing twice."""

from orderstore.domain.money import Money
from orderstore.domain.state import Cancelling, Completed, InFulfilment, Placed
from workers.observe import WorkerObserver
from workers.payment.gateway import Authorized, GatewayRefused, PaymentGateway


async def end_earlier(
    order: Placed, gateway: PaymentGateway, observer: WorkerObserver, *, wanted: Money | None
) -> Authorized | None:
    """Let go what it holds. Money that it took after all is taken over, if it is what is `wanted` now, and is given back if not; then
    it is as if it never was.

    Raises GatewayError; GatewayRefused where it took another amount and goods have left: which of the two is right is for a person.
    """
    if not order.payment.earlier:
        return None
    earlier = f"{order.order.order_id}:payment:{order.payment.earlier}"
    taken = await gateway.close(earlier)
    if taken is None:
        return None
    if taken.amount == wanted and not isinstance(order, Cancelling):
        observer.payment("close", "taken_over")
        return Authorized(taken.reference, taken=True)
    if isinstance(order, InFulfilment | Completed):
        raise GatewayRefused("an earlier attempt took another amount than is due, and goods have left")
    await gateway.refund(f"{earlier}:return", reference=taken.reference, amount=taken.amount)
    observer.payment("close", "given_back")
    return None
