"""The queues that a process consumes, put together: which they are by its roles, what handles each one's messages, and its consume loop."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from orderstore.registry import CONSUMERS
from workers.archive.opening import archive_handler
from workers.classify import classify
from workers.core import CONNECTIONS_BESIDE, Core, now_ms
from workers.departments import billing_handler, inventory_handler, payment_handler, shipping_handler
from workers.guarding import guarded
from workers.intake.opening import INTAKE, LINES_AT_ONCE, intake_handler
from workers.logged import LoggedHandler
from workers.notification.opening import MAIL_FEEDBACK, feedback_handler, notification_handler
from workers.queues import Consumer
from workers.runtime.outcome import Handler
from workers.settings import Role, Settings
from workers.webhooks.opening import Webhooks

CONNECTIONS_MAX: Final = 512
POLLS_PER_QUEUE: Final = 4
# How many calls one message may have under way at once, where it is more than one.
CALLS_PER_MESSAGE: Final[Mapping[str, int]] = {INTAKE: LINES_AT_ONCE}

HANDLERS: Final[Mapping[str, Callable[[Core], Handler]]] = {
    "payment": payment_handler,
    "inventory": inventory_handler,
    "shipping": shipping_handler,
    "billing": billing_handler,
    "notification": notification_handler,
    MAIL_FEEDBACK: feedback_handler,
    "archive": archive_handler,
}
"""By queue. Two are not here: the webhooks' comes with its sender, and the intake's also sends to its queue, which is looked up first."""


def queues_of(settings: Settings, roles: Sequence[Role]) -> tuple[str, ...]:
    """The queues that these roles consume: one each, and for notification a second one, of what SES tells."""
    found: list[str] = [role for role in roles if role in CONSUMERS]
    if "notification" in roles and settings.mail_configuration_set is not None:
        found.append(MAIL_FEEDBACK)
    if INTAKE in roles:
        found.append(INTAKE)
    return tuple(found)


def connections_for(settings: Settings, roles: Sequence[Role]) -> int:
    """Enough for everything that can be under way at once: a smaller pool makes acks wait behind polls, and good messages
    end in the dead letters."""
    under_way = sum(
        settings.concurrency(queue) * CALLS_PER_MESSAGE.get(queue, 1) + POLLS_PER_QUEUE
        for queue in queues_of(settings, roles)
    )
    return min(under_way + CONNECTIONS_BESIDE, CONNECTIONS_MAX)


async def consumers(core: Core, roles: Sequence[Role], webhooks: Webhooks) -> list[Consumer]:
    """A consume loop for each queue of these roles. Raises SettingsError, QueueMismatch."""
    return [
        await _consumer(core, queue, await _handler(core, queue, webhooks)) for queue in queues_of(core.settings, roles)
    ]


async def _handler(core: Core, queue: str, webhooks: Webhooks) -> Handler:
    if queue in webhooks.handlers:
        return webhooks.handlers[queue]
    if queue == INTAKE:
        return await intake_handler(core)
    return HANDLERS[queue](core)


async def _consumer(core: Core, name: str, handler: Handler) -> Consumer:
    """From the inside: the handler, the log lines, the span, the breaker."""
    queue, settings = await core.queues.open(name)
    full_name = core.settings.queue(name)
    return Consumer(
        queue,
        guarded(
            core.tracing.handler(LoggedHandler(handler, queue=name), queue=full_name),
            queue=name,
            settings=core.settings,
            metrics=core.metrics,
            random=core.random,
        ),
        settings,
        classify=classify,
        metrics=core.metrics,
        now_ms=now_ms,
        random=core.random,
        through=partial(core.tracing.queue, name=full_name),
    )
