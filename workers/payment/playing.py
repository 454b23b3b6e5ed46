"""The outside world against the sandbox: the cardholder who disputes, the bank that decides, the customer whom the bank asks. Each writes
down in the sandbox's ledger what a provider would have in its books; the service hears of it as it would of a provider's webhook.

    NotPlayable   the order is not where this could happen, or something else has happened first; nothing was changed
"""

from datetime import datetime
from typing import Final, Literal, NamedTuple

from orderstore.domain.state import PaymentStatus, Placed
from workers.payment.sandbox import BankAnswer, SandboxDisputes, act
from workers.sandbox.ledger import SandboxLedger

DisputeStep = Literal["open", "won", "lost"]
Said = Literal["yes", "no", "never"]
ANSWERS: Final[dict[Said, BankAnswer]] = {"yes": "acted", "no": "refused", "never": "never"}
_WORDS: Final = {
    "acted": "was answered with yes",
    "refused": "was answered with no",
    "never": "will never be answered",
    "withdrawn": "is not asked any more",
}


class NotPlayable(Exception):
    """The message says what stands in the way."""


class Asked(NamedTuple):
    """What the bank asks: about which payment attempt, until when, and what comes to nothing without an answer."""

    attempt: int
    until: datetime
    fails: Literal["the order is undone", "the edit is declined"]


def asked_by_bank(order: Placed) -> Asked:
    """The order's own payment, or that of the lines that are to be added. Raises NotPlayable."""
    payment, edit = order.payment, order.open_edit
    if payment.status is PaymentStatus.ACTION_REQUIRED and payment.action_until is not None:
        return Asked(payment.attempt, payment.action_until, "the order is undone")
    until = next((question.deadline for question in order.questions if question.kind == "edit_payment"), None)
    if edit is not None and until is not None:
        return Asked(edit.attempt, until, "the edit is declined")
    raise NotPlayable(
        f"the bank asks nothing: the payment is {payment.status.value.replace('_', ' ')} "
        "(an order with the paymentMethod pm_sandbox_action is asked, and asked again for what is added to it)"
    )


async def answer_bank(ledger: SandboxLedger, order: Placed, said: Said) -> None:
    """The customer answers the question of the bank (3-D Secure). Raises NotPlayable."""
    attempt = asked_by_bank(order).attempt
    stands = await act(ledger, f"{order.order.order_id}:payment:{attempt}", answer=ANSWERS[said])
    if stands != ANSWERS[said]:
        raise NotPlayable(f"the bank's question {_WORDS[stands]}: the first answer stands")


async def dispute(
    ledger: SandboxLedger, order: Placed, step: DisputeStep, *, amount_minor: int | None, reason: str
) -> str:
    """The cardholder disputes the payment, or the bank decides. Returns the payment's reference. Raises NotPlayable."""
    reference, taken_minor = order.payment.provider_reference, order.payment.captured_minor
    if reference is None or taken_minor < 1:
        raise NotPlayable("no money was taken of this order: nobody disputes it")
    books = SandboxDisputes(ledger)
    found = await books.of(reference)
    if found is None:
        raise NotPlayable("the sandbox has no such payment")
    disputed = found.disputes[0] if found.disputes else None
    if step == "open":
        wanted_minor = taken_minor if amount_minor is None else amount_minor
        if disputed is not None and (disputed.amount_minor, disputed.reason) != (wanted_minor, reason):
            raise NotPlayable(f"the payment was disputed before ({disputed.standing}); the sandbox knows one of each")
        if not 1 <= wanted_minor <= taken_minor:
            raise NotPlayable(
                f"{taken_minor} minor units were taken: no more of them can be disputed, and no less than 1"
            )
        await books.open(reference, amount_minor=wanted_minor, reason=reason)
        return reference
    if disputed is None:
        raise NotPlayable("the payment is not disputed: open a dispute first")
    if disputed.standing not in ("open", step):
        raise NotPlayable(f"the bank has decided already: {disputed.standing}")
    await books.close(reference, won=step == "won")
    return reference
