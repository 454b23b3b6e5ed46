"""The embedded environment for tests: one emulator for the whole run, fresh resources for each test.

MiniStack takes an access key of twelve digits for an account, so every test gets an account of its own: same names,
nothing shared, and nothing to clean up between tests.
"""

import itertools
import os
from collections.abc import Mapping
from pathlib import Path

import botocore.session

from deploy.local import environment as local
from deploy.local.provision import Clients, DataPlane, provision

_accounts = itertools.count(200_000_000_001)
_session = botocore.session.Session()


def start_emulator(state_dir: Path) -> local.Environment:
    """Start an emulator whose state lives in `state_dir`, with resources in its default account.

    End it with `stop_emulator`. A test run that is killed takes it along.
    """
    return local.start(state_dir, end_with=os.getpid())


def stop_emulator(state_dir: Path) -> None:
    """End the emulator of `state_dir` at once and remove its state."""
    local.clean(state_dir)


def fresh_settings(
    emulator: local.Environment,
    *,
    visibility_timeout_s: int = 120,
    resource_prefix: str = "orderstore-test",
    fifo_topic: bool = False,
) -> dict[str, str]:
    """Make a whole data plane in a new account of the emulator and return the settings that point to it."""
    plane = DataPlane(
        endpoint_url=emulator.endpoint_url,
        resource_prefix=resource_prefix,
        account=str(next(_accounts)),
        visibility_timeout_s=visibility_timeout_s,
        fifo_topic=fifo_topic,
    )
    with Clients(plane, _session) as clients:
        settings = provision(plane, clients)
    return settings | {"ORDERSTORE_API_TOKENS": local.token_setting(emulator.api_token)}


def clients_for(settings: Mapping[str, str]) -> Clients:
    """Synchronous botocore clients for the resources of `settings`: `with clients_for(settings) as clients: clients("sqs")…`."""
    plane = DataPlane(
        endpoint_url=settings["ORDERSTORE_AWS_ENDPOINT_URL"],
        resource_prefix=settings["ORDERSTORE_RESOURCE_PREFIX"],
        account=settings["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        region=settings["ORDERSTORE_AWS_REGION"],
    )
    return Clients(plane, _session)
