"""Payment, stock, shipping and billing, made from the `Core`: each handler on its own department's ports and tables, and nobody else's."""

from workers.billing.handler import BillingHandler, Series
from workers.core import Core, now_ms
from workers.inventory.handler import InventoryHandler
from workers.inventory.sandbox import SandboxStocks
from workers.inventory.table_stock import TableStock
from workers.metrics.business import WorkerMetrics
from workers.payment.attempts import TableAttempts
from workers.payment.gateway import GatewayFor, always
from workers.payment.handler import PaymentHandler
from workers.payment.sandbox import SandboxPayments
from workers.payment.stripe_gateway import StripeGateway
from workers.payment.stripe_intents import TableIntents
from workers.runtime.outcome import Handler
from workers.sandbox.ledger import TableLedger
from workers.settings import SettingsError
from workers.shipping.handler import ShippingHandler
from workers.shipping.sandbox import SandboxCarrier
from workers.tables.dynamo import DynamoTable


def payment_handler(core: Core) -> Handler:
    """Takes, voids and gives back money. Raises SettingsError: real payments are asked for, without a key."""
    return PaymentHandler(
        core.orders,
        gateway_for=_gateway_for(core),
        attempts=TableAttempts(_table(core, "payments"), now_ms=now_ms),
        capture=core.settings.payment_capture,
        sandbox=_is_sandbox(core),
        observer=WorkerMetrics(core.metrics),
    )


def inventory_handler(core: Core) -> Handler:
    """Reserves goods and gives them back."""
    return InventoryHandler(
        core.orders,
        stock_for=SandboxStocks(stock_of(core)).stock_for,
        sandbox=_is_sandbox(core),
        observer=WorkerMetrics(core.metrics),
    )


def stock_of(core: Core) -> TableStock:
    """The stock, also for goods-in."""
    return TableStock(_table(core, "inventory"), random=core.random, untracked=core.settings.untracked_sku)


def shipping_handler(core: Core) -> Handler:
    """Sends parcels. The carrier is the sandbox's, whoever stands behind payment."""
    return ShippingHandler(
        core.orders,
        carrier=SandboxCarrier(_ledger(core), now_ms=now_ms),
        sandbox=_is_sandbox(core),
        observer=WorkerMetrics(core.metrics),
    )


def billing_handler(core: Core) -> Handler:
    """Writes invoices."""
    return BillingHandler(
        core.orders,
        vault=core.sealer,
        series=Series(invoices=core.settings.invoice_series, credit_notes=core.settings.credit_note_series),
        now_ms=now_ms,
        sandbox=_is_sandbox(core),
        observer=WorkerMetrics(core.metrics),
    )


def _gateway_for(core: Core) -> GatewayFor:
    if _is_sandbox(core):
        return SandboxPayments(_ledger(core)).gateway_for
    if core.stripe is None:
        raise SettingsError(
            ["ORDERSTORE_STRIPE_API_KEY: the payment role needs it when ORDERSTORE_PROVIDERS is stripe"]
        )
    intents = TableIntents(_table(core, "payments"), now_ms=now_ms)
    return always(StripeGateway(core.stripe, intents, now_ms=now_ms))


def _ledger(core: Core) -> TableLedger:
    """What the sandbox providers did."""
    return TableLedger(_table(core, "sandbox"), now_ms=now_ms)


def _is_sandbox(core: Core) -> bool:
    return core.settings.providers == "sandbox"


def _table(core: Core, name: str) -> DynamoTable:
    return DynamoTable(core.clients.dynamodb, core.settings.table(name), random=core.random)
