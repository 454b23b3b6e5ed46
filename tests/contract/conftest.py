"""What the conformance suites share."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.dynamodb_local import server as dynamodb_local
from tests.contract.event_logs import Log, dynamo_log, memory_log


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """moto's server, in a thread. It has one account: each test makes tables of its own and drops them, since moto slows down with them."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def dynamodb_local_url() -> Iterator[str]:
    """AWS's own DynamoDB Local, for as long as the run lasts; `--dynamodb-local` says whether there are tests that ask for it."""
    with dynamodb_local.running() as url:
        yield url


@pytest.fixture
def store_url(kind: str, request: pytest.FixtureRequest) -> str:
    """Where the backend of this kind listens."""
    url: str
    if kind == "ministack":
        url = request.getfixturevalue("emulator").endpoint_url
    else:
        url = request.getfixturevalue({"moto": "moto_url", "dynamodb-local": "dynamodb_local_url"}[kind])
    return url


@pytest.fixture
async def log(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Log]:
    """An empty log of this kind."""
    if kind == "memory":
        yield memory_log()
        return
    async with dynamo_log(request.getfixturevalue("store_url"), kind) as opened:
        yield opened
