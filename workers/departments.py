"""The five handlers and the ports that they act through: each department its own tables, nobody else's."""

from collections.abc import Callable
from random import Random
from typing import Final

from stripe import StripeClient

from orderstore.orders import Orders
from orderstore.privacy.sealing import Sealer
from workers.aws import Clients
from workers.billing.handler import BillingHandler
from workers.inventory.handler import InventoryHandler
from workers.inventory.sandbox import SandboxStocks
from workers.inventory.table_stock import TableStock
from workers.notification.handler import RESEND_AFTER_S, NotificationHandler
from workers.notification.records import FINAL_STATES, TableNotifications
from workers.notification.ses import SesMailSender
from workers.notification.texts import Texts
from workers.observe import WorkerObserver
from workers.payment.attempts import TableAttempts
from workers.payment.gateway import GatewayFor, always
from workers.payment.handler import PaymentHandler
from workers.payment.sandbox import SandboxPayments
from workers.payment.stripe_gateway import StripeGateway
from workers.payment.stripe_intents import TableIntents
from workers.runtime.outcome import Handler
from workers.sandbox.ledger import TableLedger
from workers.settings import Settings, SettingsError
from workers.shipping.handler import ShippingHandler
from workers.shipping.sandbox import SandboxCarrier
from workers.tables.dynamo import DynamoTable

# Two clocks and a slow answer lie between a handler's deadline and its last word.
RESEND_DEADLINES: Final = 4


def resend_after_s(settings: Settings) -> float:
    """How old a claimed mail must be before another worker sends it: well beyond what its handler may take, or both would send."""
    return max(RESEND_AFTER_S, RESEND_DEADLINES * settings.handler_deadline_s)


class Departments:
    """Handlers by queue, made when asked for. `stripe` is there where the settings name a key for it; the carrier is the sandbox's."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        *,
        orders: Orders,
        sealer: Sealer,
        observer: WorkerObserver,
        now_ms: Callable[[], int],
        random: Random,
        stripe: StripeClient | None = None,
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._orders = orders
        self._sealer = sealer
        self._observer = observer
        self._now_ms = now_ms
        self._random = random
        self._stripe = stripe
        self._sandbox = settings.providers == "sandbox"

    def handler(self, queue: str) -> Handler:
        """The handler of a queue. Raises KeyError for a queue that does not exist."""
        return {
            "payment": self._payment,
            "inventory": self._inventory,
            "shipping": self._shipping,
            "billing": self._billing,
            "notification": self._notification,
        }[queue]()

    @property
    def stock(self) -> TableStock:
        """The stock, also for goods-in."""
        return TableStock(self._table("inventory"), random=self._random, untracked=self._settings.untracked_sku)

    @property
    def attempts(self) -> TableAttempts:
        """What was tried with the payment provider."""
        return TableAttempts(self._table("payments"), now_ms=self._now_ms)

    @property
    def ledger(self) -> TableLedger:
        """What the sandbox providers did."""
        return TableLedger(self._table("sandbox"), now_ms=self._now_ms)

    async def notifications_of(self, order_id: str) -> int:
        """How many notifications an order has; there are at most a few dozen, so one page holds them."""
        answer = await self._clients.dynamodb.query(
            TableName=self._settings.table("notifications"),
            KeyConditionExpression="#order = :order",
            ExpressionAttributeNames={"#order": "order"},
            ExpressionAttributeValues={":order": {"S": order_id}},
            Select="COUNT",
            ConsistentRead=True,
        )
        return answer["Count"]

    async def told(self, order_id: str, event_id: str) -> bool:
        """Whether every notification of an event has come to its end, and there is one."""
        answer = await self._clients.dynamodb.query(
            TableName=self._settings.table("notifications"),
            KeyConditionExpression="#order = :order AND begins_with(notification, :event)",
            ProjectionExpression="#state",
            ExpressionAttributeNames={"#order": "order", "#state": "state"},
            ExpressionAttributeValues={":order": {"S": order_id}, ":event": {"S": f"{event_id}:"}},
            ConsistentRead=True,
        )
        states = [item["state"]["S"] for item in answer["Items"]]
        return bool(states) and all(state in FINAL_STATES for state in states)

    def _payment(self) -> Handler:
        return PaymentHandler(
            self._orders,
            gateway_for=self._gateway_for(),
            attempts=self.attempts,
            capture=self._settings.payment_capture,
            sandbox=self._sandbox,
            observer=self._observer,
        )

    def _gateway_for(self) -> GatewayFor:
        """Raises SettingsError: real payments are asked for, without a key."""
        if self._sandbox:
            return SandboxPayments(self.ledger).gateway_for
        if self._stripe is None:
            raise SettingsError(
                ["ORDERSTORE_STRIPE_API_KEY: the payment role needs it when ORDERSTORE_PROVIDERS is stripe"]
            )
        intents = TableIntents(self._table("payments"), now_ms=self._now_ms)
        return always(StripeGateway(self._stripe, intents, now_ms=self._now_ms))

    def _inventory(self) -> Handler:
        return InventoryHandler(
            self._orders, stock_for=SandboxStocks(self.stock).stock_for, sandbox=self._sandbox, observer=self._observer
        )

    def _shipping(self) -> Handler:
        return ShippingHandler(
            self._orders,
            carrier=SandboxCarrier(self.ledger, now_ms=self._now_ms),
            sandbox=self._sandbox,
            observer=self._observer,
        )

    def _billing(self) -> Handler:
        return BillingHandler(
            self._orders,
            vault=self._sealer,
            series_prefix=self._settings.invoice_series,
            now_ms=self._now_ms,
            sandbox=self._sandbox,
            observer=self._observer,
        )

    def _notification(self) -> Handler:
        return NotificationHandler(
            self._orders,
            records=TableNotifications(self._table("notifications"), now_ms=self._now_ms),
            sender=SesMailSender(self._clients.sesv2, sender=self._settings.mail_sender),
            open_contact=self._sealer.open,
            texts=Texts(),
            now_ms=self._now_ms,
            resend_after_s=resend_after_s(self._settings),
            sandbox=self._sandbox,
            observer=self._observer,
        )

    def _table(self, name: str) -> DynamoTable:
        return DynamoTable(self._clients.dynamodb, self._settings.table(name), random=self._random)
