"""What the conformance suites share."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.dynamodb_local import server as dynamodb_local
from tests.contract.event_logs import Log, dynamo_log, memory_log
from tests.contract.moto_server import moto_server


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """moto's server. It has one account: each test makes tables of its own and drops them, since moto slows down with them."""
    with moto_server() as url:
        yield url


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
