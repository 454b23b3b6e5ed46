"""The settings of the notification role: by which channels who is told of what, and what that may cost. Part of `Settings`."""

from dataclasses import dataclass

from orderstore.registry import consumed_by
from workers.notification.chat_urls import check_slack_url, check_teams_url
from workers.variables import count, matching, names, number, setting, text, words


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSettings:
    """One environment variable a field, as in `Settings`."""

    mail_sender: str = setting(text, "the address that customers' mail comes from", default="orders@orderstore.example")
    mail_configuration_set: str | None = setting(
        text,
        "the SES configuration set of deploy/notifications.yaml; with it, bounces and complaints are heard",
        default=None,
    )
    mail_feedback_concurrency: int = setting(count(1, 1_000), "reports of SES at work at once", default=10)
    notification_channels: str = setting(
        names("email", "sms", "inbox"),
        "how customers are told: email, sms, inbox",
        default="email,inbox",
        business=True,
    )
    inbox_kept_days: int = setting(
        count(1, 3_650),
        "how long notes stay in a customer's inbox, read or not",
        default=90,
        unit="days",
        business=True,
    )
    sms_events: str = setting(
        names(*consumed_by("notification")), "the events that customers are told of by SMS", default="", business=True
    )
    sms_parts_max: int = setting(
        count(1, 10), "the parts of an SMS that are paid for at most; it is cut", default=2, business=True
    )
    sms_price_max_usd: float = setting(
        number(0.001, 10),
        "the most that a part of an SMS may cost; dearer ones are not sent",
        default=0.1,
        unit="USD",
        business=True,
    )
    sms_sender_id: str | None = setting(
        matching(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}", "must be 1 to 11 letters and digits, with at least one letter"),
        "what is shown as the sender of an SMS, in countries that allow it",
        default=None,
        business=True,
    )
    sms_patience_s: int = setting(
        count(60, 604_800),
        "how long after its event an SMS is still worth sending",
        default=86_400,
        unit="s",
        business=True,
    )
    chat_slack_url: str | None = setting(
        check_slack_url, "Slack's incoming webhook, for operators", default=None, secret=True
    )
    chat_teams_url: str | None = setting(
        check_teams_url, "the Teams workflow that takes webhook requests, for operators", default=None, secret=True
    )
    chat_events: str = setting(
        names(*consumed_by("notification")),
        "the events that operators are told of by chat",
        default="OrderRejected,OrderHeld,PaymentDisputed",
    )
    chat_patience_s: int = setting(
        count(60, 604_800), "how long after its event a chat message is still worth writing", default=3_600, unit="s"
    )

    def notification_problems(self) -> list[str]:
        """What contradicts itself."""
        if ("sms" in words(self.notification_channels)) != bool(self.sms_events):
            return ["ORDERSTORE_SMS_EVENTS: name them if sms is one of ORDERSTORE_NOTIFICATION_CHANNELS, and only then"]
        return []
