"""The notification department, made from the `Core`: its channels, its records, the suppression list, and what SES tells."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from workers.core import Core, now_ms
from workers.guarding import guarded
from workers.inbox.opening import inbox_writer
from workers.metrics.business import WorkerMetrics
from workers.metrics.notifications import FeedbackMetrics
from workers.notification.channels import Channel
from workers.notification.chat import ChatChannel, HttpPost, slack_payload, teams_payload
from workers.notification.email_channel import EmailChannel
from workers.notification.feedback_handler import FeedbackHandler
from workers.notification.handler import NotificationHandler
from workers.notification.inbox import InboxChannel
from workers.notification.listing import all_told, notifications_of
from workers.notification.records import TableNotifications
from workers.notification.routes import Route, Routes
from workers.notification.ses import SesMailSender
from workers.notification.sms import SmsChannel
from workers.notification.sns_sms import SnsSmsSender
from workers.notification.suppression import Suppressions
from workers.notification.telling import GRACE_S, Telling
from workers.notification.texts import Texts
from workers.runtime.outcome import Handler
from workers.settings import Settings
from workers.tables.dynamo import DynamoTable
from workers.variables import words

MAIL_FEEDBACK: Final = "mail-feedback"
"""The queue of what SES tells of mails, in deploy/notifications.yaml."""
# Two clocks and a slow answer lie between a handler's deadline and its last word.
RESEND_DEADLINES: Final = 4
RESEND_AFTER_S_MIN: Final = 10.0
GRACE_OF_DEADLINE: Final = 0.2
# A channel that hangs is given up before the whole message is: the others' work is written down by then.
CHANNEL_WITHIN_DEADLINE: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """What tells people, and what hears of it."""

    records: TableNotifications
    suppressions: Suppressions
    routes: Routes
    telling: Telling


def resend_after_s(settings: Settings) -> float:
    """How old a claimed mail must be before another worker sends it: well beyond what its handler may take, or both would send."""
    return max(RESEND_AFTER_S_MIN, RESEND_DEADLINES * settings.handler_deadline_s)


def department(core: Core) -> Department:
    """The department on a core: for its worker, and for who works with notifications."""
    settings, texts = core.settings, Texts()

    def table(name: str) -> DynamoTable:
        return DynamoTable(core.clients.dynamodb, settings.table(name), random=core.random)

    records = TableNotifications(table("notifications"), now_ms=now_ms)
    suppressions = Suppressions(table("suppressions"), key_for=core.keys.key_for, now_ms=now_ms)
    telling = Telling(
        records,
        texts,
        open_contact=core.sealer.open,
        now_ms=now_ms,
        resend_after_s=resend_after_s(settings),
        grace_s=min(GRACE_S, GRACE_OF_DEADLINE * settings.handler_deadline_s),
        observer=WorkerMetrics(core.metrics),
    )
    routes = [*_customers_routes(core, suppressions), *_operators_routes(settings, core.chat)]
    return Department(records=records, suppressions=suppressions, routes=Routes(routes, texts), telling=telling)


def notification_handler(core: Core) -> Handler:
    """Tells people of what happened to orders, by every channel that the settings name."""
    made = department(core)
    return NotificationHandler(
        core.orders,
        records=made.records,
        routes=made.routes,
        telling=made.telling,
        guard=partial(_channel_guard, core),
        sandbox=core.settings.providers == "sandbox",
        observer=WorkerMetrics(core.metrics),
    )


async def told(core: Core, order_id: str, event_id: str) -> bool:
    """Whether every channel has told of an event, as far as it can be told; False as long as none has begun. Raises TableError."""
    table = core.settings.table("notifications")
    return all_told(await notifications_of(core.clients.dynamodb, table, order_id, event_id=event_id))


def _channel_guard(core: Core, handler: Handler, channel: str) -> Handler:
    """A breaker of its own for each channel: mail goes out while a chat is down."""
    return guarded(
        handler,
        queue=f"notification-{channel}",
        settings=core.settings,
        metrics=core.metrics,
        random=core.random,
        within_deadline=CHANNEL_WITHIN_DEADLINE,
    )


def feedback_handler(core: Core) -> Handler:
    """What consumes `mail-feedback`."""
    made = department(core)
    return FeedbackHandler(made.records, made.suppressions, observer=FeedbackMetrics(core.metrics))


def _customers_routes(core: Core, suppressions: Suppressions) -> list[Route]:
    """In the order of the setting."""
    settings, clients = core.settings, core.clients

    def email() -> Route:
        sender = SesMailSender(
            clients.sesv2, sender=settings.mail_sender, configuration_set=settings.mail_configuration_set
        )
        return Route(EmailChannel(sender, suppressions=suppressions))

    def sms() -> Route:
        sender = SnsSmsSender(clients.sns, price_max_usd=settings.sms_price_max_usd, sender_id=settings.sms_sender_id)
        channel = SmsChannel(
            sender,
            suppressions=suppressions,
            parts_max=settings.sms_parts_max,
            patience_s=settings.sms_patience_s,
        )
        return Route(channel, words(settings.sms_events))

    def inbox() -> Route:
        return Route(InboxChannel(inbox_writer(core)))

    made: dict[str, Callable[[], Route]] = {"email": email, "sms": sms, "inbox": inbox}
    return [made[name]() for name in settings.notification_channels.split(",") if name]


def _operators_routes(settings: Settings, chat: HttpPost | None) -> list[Route]:
    if chat is None:
        return []
    told = words(settings.chat_events)
    room = partial(ChatChannel, http=chat, now_ms=now_ms, patience_s=settings.chat_patience_s)
    channels: list[Channel] = []
    if settings.chat_slack_url is not None:
        channels.append(room("slack", settings.chat_slack_url, payload=slack_payload))
    if settings.chat_teams_url is not None:
        channels.append(room("teams", settings.chat_teams_url, payload=teams_payload))
    return [Route(channel, told) for channel in channels]
