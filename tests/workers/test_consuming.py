"""Which queues a process consumes, by its roles, and that everything a new consumer needs is there."""

from dataclasses import replace

import pytest

from orderstore.registry import CONSUMERS
from tests.workers.test_wiring import out_of_reach
from workers.consuming import HANDLERS, connections_for, queues_of
from workers.core import open_core
from workers.intake.opening import INTAKE
from workers.metrics.table import Metrics
from workers.notification.opening import MAIL_FEEDBACK
from workers.settings import ROLES
from workers.webhooks.opening import WEBHOOKS, open_webhooks


def test_every_queue_has_a_role_a_concurrency_and_a_handler() -> None:
    """One that is forgotten is named here, and not by the first process that has the role."""
    settings = replace(out_of_reach(), mail_configuration_set="shop")
    queues = set(queues_of(settings, ROLES))

    assert set(CONSUMERS) <= set(ROLES)
    assert queues == {*CONSUMERS, MAIL_FEEDBACK, INTAKE}
    assert queues == {*HANDLERS, WEBHOOKS, INTAKE}, "these two are made beside the table"
    assert all(settings.concurrency(queue) > 0 for queue in queues)


@pytest.mark.parametrize("queue", HANDLERS)
async def test_a_handler_is_made_without_a_call(queue: str) -> None:
    """A process begins although AWS is out of reach: it waits for it at work, where that shows."""
    async with open_core(out_of_reach(), Metrics()) as core:
        assert callable(HANDLERS[queue](core))


async def test_webhooks_are_opened_for_their_role_alone() -> None:
    """No other process holds their network, or the right to unwrap their secrets."""
    async with open_core(out_of_reach(), Metrics()) as core:
        async with open_webhooks(core, ["payment"]) as webhooks:
            assert (webhooks.handlers, webhooks.senders) == ({}, ())
        async with open_webhooks(core, [WEBHOOKS]) as webhooks:
            assert (list(webhooks.handlers), len(webhooks.senders)) == ([WEBHOOKS], 1)


def test_what_ses_tells_is_consumed_only_where_ses_reports() -> None:
    """Without a configuration set there is neither such a queue nor a report."""
    settings = out_of_reach()
    heard = replace(settings, mail_configuration_set="shop")

    assert queues_of(settings, ["api", "notification"]) == ("notification",)
    assert queues_of(heard, ["api", "notification"]) == ("notification", MAIL_FEEDBACK)
    assert connections_for(heard, ["payment", "notification"]) >= connections_for(settings, ["payment", "notification"])
