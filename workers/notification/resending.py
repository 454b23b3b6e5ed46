"""Sending a notification again, because somebody asks for it: on record, with the text of the first time.

ResendRefused
├── NoSuchNotification   the order has no notification of that name
├── StillUnderWay        it has not come to its end, so it need not be repeated
├── ChannelOff           the channel is not configured (any more)
└── ResentTooOften       somebody should look why it does not arrive
"""

from typing import Final

from orderstore.orders import Orders
from workers.notification.handler import occasion_of
from workers.notification.records import FINAL_STATES, RESEND, Notification, NotificationRecords
from workers.notification.routes import Routes
from workers.notification.telling import Telling
from workers.runtime.outcome import Done

RESENDS_MAX: Final = 5


class ResendRefused(Exception):
    """Nothing was sent."""


class NoSuchNotification(ResendRefused):
    """There is no such record."""


class StillUnderWay(ResendRefused):
    """It is not over yet."""


class ChannelOff(ResendRefused):
    """This process has no such channel."""


class ResentTooOften(ResendRefused):
    """There were as many resends as one notification may have."""


class Resender:
    """Sends again. Interrupted, it is run again: the resend that was begun is brought to its end, not another one begun."""

    def __init__(self, orders: Orders, records: NotificationRecords, routes: Routes, telling: Telling) -> None:
        self._orders = orders
        self._records = records
        self._routes = routes
        self._telling = telling

    async def resend(self, order_id: str, notification: str, *, actor: str, reason: str) -> Notification:
        """The record of the resend, at its end. Raises ResendRefused, UnknownOrder, NotToldYet, PerhapsTold and what the ports raise."""
        if RESEND in notification:
            raise NoSuchNotification(f"that is a resend; name the first one: {notification.partition(RESEND)[0]}")
        history = await self._orders.load(order_id)
        first = await self._records.find(order_id, notification)
        if first is None:
            raise NoSuchNotification(f"the order has no notification {notification}: `orderstore notifications ls`")
        if first.state not in FINAL_STATES:
            raise StillUnderWay(f"it is {first.state}; the worker brings it to its end")
        channel = self._routes.channel(first.channel)
        if channel is None:
            raise ChannelOff(f"the channel {first.channel} is not configured: ORDERSTORE_NOTIFICATION_CHANNELS")
        occasion = occasion_of(history, notification.partition(":")[0])
        record = await self._begin(first, actor=actor, reason=reason)
        if not isinstance(await self._telling.tell(record, channel, occasion), Done):
            raise StillUnderWay("another resend of it is under way, or the service asks for patience; try again later")
        return await self._records.find(order_id, record.notification) or record

    async def _begin(self, first: Notification, *, actor: str, reason: str) -> Notification:
        """The resend that is not over, or the next one."""
        for number in range(1, RESENDS_MAX + 1):
            record = await self._records.begin(
                first.order,
                f"{first.notification}{RESEND}{number}",
                template=first.template,
                channel=first.channel,
                subject=first.subject,
                resend={"by": actor, "reason": reason},
            )
            if record.state not in FINAL_STATES:
                return record
        raise ResentTooOften(f"it was sent again {RESENDS_MAX} times already")
