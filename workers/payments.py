"""What stands around payments beside the worker, put together: webhooks, and the comparison with the provider's books."""

from workers.core import Core, now_ms
from workers.metrics.reconciliation import ReconciliationMetrics
from workers.payment.attempts import TableAttempts
from workers.payment.hints import queue_sender
from workers.payment.stripe_books import StripeBooks
from workers.payment.webhooks import StripeHooks
from workers.reconciliation.daily import DailyReconciliation, DoneDays
from workers.reconciliation.payments import PaymentReconciliation
from workers.tables.dynamo import DynamoTable


def payment_hooks(core: Core) -> StripeHooks | None:
    """What takes Stripe's webhooks; None where no secret is set."""
    given = core.settings.stripe_webhook_secret
    if given is None:
        return None
    send = queue_sender(core.clients.sqs, core.settings.queue("payment"))
    return StripeHooks(core.orders, secrets=[secret.strip() for secret in given.split(",")], send=send)


def payment_reconciliation(core: Core) -> PaymentReconciliation | None:
    """What compares days with Stripe's books; None where Stripe is not the provider."""
    if core.settings.providers != "stripe" or core.stripe is None:
        return None
    attempts = TableAttempts(_table(core), now_ms=now_ms)
    wake = queue_sender(core.clients.sqs, core.settings.queue("payment"))
    return PaymentReconciliation(StripeBooks(core.stripe), attempts.held_between, core.orders, wake=wake)


def daily_reconciliation(core: Core) -> DailyReconciliation | None:
    """The same, each day by itself."""
    reconciliation = payment_reconciliation(core)
    if reconciliation is None:
        return None
    return DailyReconciliation(
        reconciliation,
        DoneDays(_table(core), now_ms=now_ms),
        now_ms=now_ms,
        random=core.random,
        observer=ReconciliationMetrics(core.metrics),
    )


def _table(core: Core) -> DynamoTable:
    return DynamoTable(core.clients.dynamodb, core.settings.table("payments"), random=core.random)
