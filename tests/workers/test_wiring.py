"""The composition root asks for nothing that a role has no right to, and answers for the process from its first moment."""

import socket
from dataclasses import replace

from tests.workers.test_process_settings import REQUIRED
from workers.core import open_core
from workers.metrics.table import Metrics
from workers.settings import Settings, from_environment
from workers.wiring import open_service


def out_of_reach() -> Settings:
    """Settings whose AWS is a port that nobody listens on: every call fails."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return from_environment(
        {
            **REQUIRED,
            "ORDERSTORE_AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "ORDERSTORE_AWS_ACCESS_KEY_ID": "test",
            "ORDERSTORE_AWS_SECRET_ACCESS_KEY": "test",
            "ORDERSTORE_METRICS_PORT": "0",
        }
    )


async def test_what_every_role_stands_on_is_opened_without_a_call() -> None:
    """A payment worker has no right to read the views: a look at them at the start would end it, and every role but two."""  # D29
    async with open_core(out_of_reach(), Metrics()) as core:
        assert core.settings.resource_prefix == "shop"


async def test_the_server_starts_before_what_may_be_unable_to() -> None:
    """A reader whose stream is out of reach waits for it; meanwhile `/healthz` answers, so that ECS does not kill a live process."""
    async with open_service(out_of_reach(), ["relay"], Metrics()) as running:
        assert list(running.service.readiness()) == [
            "metrics",
            "relay reader",
            "relay parking watch",
            "queue watch",
            "task watch",
        ]
        running.service.stop_now()


async def test_new_orders_have_the_allowances_of_the_settings() -> None:
    """What the environment says is what the door gives them, whichever process has the door."""
    settings = replace(out_of_reach(), allowed_outcomes_s=1, allowed_dispatch_s=2, allowed_undo_s=3)
    async with open_core(settings, Metrics()) as core:
        assert core.orders._allowances == settings.allowances
