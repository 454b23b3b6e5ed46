"""Payment, stock, shipping and billing, made from the `Core`: each handler on its own department's ports and tables, and nobody else's."""

from pathlib import Path

from orderstore.invoicing.drawing import Drawing
from orderstore.invoicing.sellers import Sellers, demonstration, parse_sellers
from orderstore.invoicing.shelf import Shelf
from workers.billing.handler import BillingHandler
from workers.billing.setting import setting_in_threads
from workers.core import Core, now_ms
from workers.inventory.allocation import strategy_of
from workers.inventory.handler import InventoryHandler
from workers.inventory.locations import locations_in
from workers.inventory.sandbox import SandboxStocks
from workers.inventory.table_stock import TableStock
from workers.metrics.business import WorkerMetrics
from workers.payment.attempts import TableAttempts
from workers.payment.disputes import DisputeDesk, Disputes
from workers.payment.gateway import GatewayFor, always
from workers.payment.handler import PaymentHandler
from workers.payment.hints import queue_hint
from workers.payment.sandbox import SandboxDisputes, SandboxPayments
from workers.payment.stripe_disputes import StripeDisputes
from workers.payment.stripe_gateway import StripeGateway
from workers.payment.stripe_intents import TableIntents
from workers.runtime.outcome import Handler
from workers.sandbox.ledger import TableLedger
from workers.settings import Settings, SettingsError
from workers.shipping.handler import ShippingHandler
from workers.shipping.sandbox import SandboxCarrier
from workers.tables.dynamo import DynamoTable


def payment_handler(core: Core) -> Handler:
    """Takes, voids and gives back money. Raises SettingsError: real payments are asked for, without a key."""
    return PaymentHandler(
        core.orders,
        gateway_for=_gateway_for(core),
        attempts=TableAttempts(_table(core, "payments"), now_ms=now_ms),
        hint=queue_hint(core.clients.sqs, core.settings.queue),
        now_ms=now_ms,
        disputes=DisputeDesk(core.orders, _disputes(core), observer=WorkerMetrics(core.metrics)),
        capture=core.settings.payment_capture,
        action_s=core.settings.payment_action_s,
        sandbox=_is_sandbox(core),
        observer=WorkerMetrics(core.metrics),
    )


def inventory_handler(core: Core) -> Handler:
    """Reserves goods and gives them back."""
    return InventoryHandler(
        core.orders,
        stock_for=SandboxStocks(stock_of(core)).stock_for,
        now_ms=now_ms,
        sandbox=_is_sandbox(core),
        observer=WorkerMetrics(core.metrics),
    )


def stock_of(core: Core) -> TableStock:
    """The stock, also for goods-in."""
    locations = locations_in(core.settings.stock_locations)
    return TableStock(
        stock_table(core),
        random=core.random,
        untracked=core.settings.untracked_sku,
        locations=locations,
        strategy=strategy_of(core.settings.stock_allocation, locations),
    )


def stock_table(core: Core) -> DynamoTable:
    """The table that it is kept in, for who reads all of it."""
    return _table(core, "inventory")


def shipping_handler(core: Core) -> Handler:
    """Sends parcels. The carrier is the sandbox's, whoever stands behind payment."""
    return ShippingHandler(
        core.orders,
        carrier=SandboxCarrier(sandbox_ledger(core), now_ms=now_ms, hooks=_is_sandbox(core)),
        now_ms=now_ms,
        delay_consent_s=core.settings.delay_consent_s,
        sandbox=_is_sandbox(core),
        observer=WorkerMetrics(core.metrics),
    )


def billing_handler(core: Core) -> Handler:
    """Writes invoices. Raises SettingsError: nobody sells."""
    return billing_of(core)


def billing_of(core: Core) -> BillingHandler:
    """The same, also for who has it catch up. Raises SettingsError."""
    return BillingHandler(
        core.orders,
        drawing=Drawing(
            shelf=Shelf(core.objects, core.sealer, tenant=core.settings.tenant),
            vault=core.sealer,
            sellers=sellers_of(core.settings),
            set_pdf=setting_in_threads(fonts_of(core.settings)),
        ),
        now_ms=now_ms,
        sandbox=_is_sandbox(core),
        observer=WorkerMetrics(core.metrics),
    )


def sellers_of(settings: Settings) -> Sellers:
    """Who sells. Raises SettingsError: real invoices name a real seller."""
    if settings.sellers is not None:
        return parse_sellers(settings.sellers)
    if settings.providers == "sandbox":
        return demonstration(invoices=settings.invoice_series, credit_notes=settings.credit_note_series)
    raise SettingsError(
        ["ORDERSTORE_SELLERS: needed when ORDERSTORE_PROVIDERS is not sandbox: invoices name their seller"]
    )


def fonts_of(settings: Settings) -> Path | None:
    """The folder of fonts beside those of the library, if one is set."""
    return None if settings.invoice_fonts is None else Path(settings.invoice_fonts)


def _gateway_for(core: Core) -> GatewayFor:
    if _is_sandbox(core):
        return SandboxPayments(sandbox_ledger(core)).gateway_for
    if core.stripe is None:
        raise SettingsError(
            ["ORDERSTORE_STRIPE_API_KEY: the payment role needs it when ORDERSTORE_PROVIDERS is stripe"]
        )
    intents = TableIntents(_table(core, "payments"), now_ms=now_ms)
    asks = core.settings.payment_action_s > 0
    return always(StripeGateway(core.stripe, intents, now_ms=now_ms, asks_customer=asks))


def _disputes(core: Core) -> Disputes:
    return (
        SandboxDisputes(sandbox_ledger(core))
        if _is_sandbox(core) or core.stripe is None
        else StripeDisputes(core.stripe)
    )


def sandbox_ledger(core: Core) -> TableLedger:
    """What the sandbox providers did."""
    return TableLedger(_table(core, "sandbox"), now_ms=now_ms)


def _is_sandbox(core: Core) -> bool:
    return core.settings.providers == "sandbox"


def _table(core: Core, name: str) -> DynamoTable:
    return DynamoTable(core.clients.dynamodb, core.settings.table(name), random=core.random)
