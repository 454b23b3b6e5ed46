"""Service tables for suites that run on memory and on DynamoDB's emulator."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from workers.tables.dynamo import DynamoTable
from workers.tables.memory import MemoryTable

KINDS = ("memory", pytest.param("dynamo", marks=pytest.mark.emulator))


def client_settings(settings: Mapping[str, str]) -> dict[str, Any]:
    return {
        "endpoint_url": settings["ORDERSTORE_AWS_ENDPOINT_URL"],
        "region_name": settings["ORDERSTORE_AWS_REGION"],
        "aws_access_key_id": settings["ORDERSTORE_AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": "test",
        "config": AioConfig(max_pool_connections=80, retries={"mode": "standard", "total_max_attempts": 2}),
    }


@asynccontextmanager
async def open_table(kind: str, name: str, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """The service table `name` of a fresh data plane, or one in memory."""
    if kind == "memory":
        yield MemoryTable()
        return
    settings = request.getfixturevalue("environment")
    async with get_session().create_client("dynamodb", **client_settings(settings)) as client:
        yield DynamoTable(client, f"{settings['ORDERSTORE_RESOURCE_PREFIX']}-{name}")
