"""What a network does to an object on its way, and what the adapter makes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from orderstore.s3_objects import S3ObjectStore
from orderstore.store.errors import Unavailable
from orderstore.store.trouble import Backoff

CONTENT = b"x" * 100_000
QUICK = Backoff(tries_max=3, base_s=0.001, ceiling_s=0.001)


class CutOff:
    """Answers with the object, but ends the connection within it, so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        sent = CONTENT[:1000] if self.left > 0 else CONTENT
        self.left -= 1
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + sent)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def objects_behind(answer: CutOff) -> AsyncIterator[S3ObjectStore]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        get_session().create_client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=AioConfig(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        ) as client,
    ):
        yield S3ObjectStore(client, bucket="objects", random=Random(1), backoff=QUICK)


def test_an_object_that_is_cut_off_on_its_way_is_asked_for_again() -> None:
    """A part of it is never taken for the whole; and when it stays so, that is trouble of the store like any other."""

    async def scenario() -> None:
        async with objects_behind(CutOff(2)) as objects:
            assert await objects.get("key") == CONTENT
        async with objects_behind(CutOff(99)) as objects:
            with pytest.raises(Unavailable):
                await objects.get("key")

    asyncio.run(scenario())
