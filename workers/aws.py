"""AWS clients: one per service for the life of the process, opened together and closed together.

Why these options: botocore's pool of 10 connections starves acks behind long polls and dead-letters good messages, so the
pool holds everything that may be under way at once; validation of parameters and building the user agent anew cost a fifth
of every call; retries of writes are ours, because only we know whether a repeat is harmless. What is left of a call's own cost
`aws_parsing.py`, `aws_signing.py` and `aws_endpoints.py` lower by a third, with the same results.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from workers.aws_endpoints import remember_endpoints
from workers.aws_parsing import read_quickly
from workers.aws_signing import sign_quickly
from workers.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodbstreams import DynamoDBStreamsClient
    from types_aiobotocore_events import EventBridgeClient
    from types_aiobotocore_kms import KMSClient
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sesv2 import SESV2Client
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sqs import SQSClient

USER_AGENT: Final = "orderstore"
CONNECT_TIMEOUT_S: Final = 5
READ_TIMEOUT_S: Final = 10
# A long poll lasts up to 20 s by itself.
POLL_READ_TIMEOUT_S: Final = 30
QUICKER: Final = (read_quickly, sign_quickly, remember_endpoints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Everything of AWS that this process talks to."""

    dynamodb: "DynamoDBClient"
    streams: "DynamoDBStreamsClient"
    sqs: "SQSClient"
    sns: "SNSClient"
    s3: "S3Client"
    kms: "KMSClient"
    sesv2: "SESV2Client"
    events: "EventBridgeClient"


@asynccontextmanager
async def open_clients(
    settings: Settings, *, connections: int, changes: Sequence[Callable[[AioSession], None]] = QUICKER
) -> AsyncIterator[Clients]:
    """Open every client; `connections` bounds the calls under way at once, per client. Without `changes` they are as botocore makes them:
    what they do is the same, and takes longer (docs/performance.md)."""
    session = AioSession()
    for change in changes:
        change(session)
    common: dict[str, Any] = {
        "region_name": settings.aws_region,
        "endpoint_url": settings.aws_endpoint_url,
        "aws_access_key_id": settings.aws_access_key_id,
        "aws_secret_access_key": settings.aws_secret_access_key,
    }
    # An endpoint of our own choosing is reached directly: botocore would send even loopback through a proxy.
    proxies: dict[str, str] | None = {} if settings.aws_endpoint_url is not None else None
    calls = _config(connections, proxies=proxies)
    polls = _config(connections, proxies=proxies, read_timeout_s=POLL_READ_TIMEOUT_S)
    async with AsyncExitStack() as stack:

        async def client(service: str, config: AioConfig) -> Any:  # noqa: ANN401 - one factory for differently typed clients
            return await stack.enter_async_context(session.create_client(service, config=config, **common))  # type: ignore[call-overload]  # the stubs know literal names only

        yield Clients(
            dynamodb=await client("dynamodb", calls),
            streams=await client("dynamodbstreams", calls),
            sqs=await client("sqs", polls),
            sns=await client("sns", calls),
            s3=await client("s3", calls),
            kms=await client("kms", calls),
            sesv2=await client("sesv2", calls),
            events=await client("events", calls),
        )


def _config(connections: int, *, proxies: dict[str, str] | None, read_timeout_s: float = READ_TIMEOUT_S) -> AioConfig:
    return AioConfig(
        max_pool_connections=connections,
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": 1, "mode": "standard"},
        proxies=proxies,
        parameter_validation=False,
        user_agent=USER_AGENT,
        disable_request_compression=True,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        account_id_endpoint_mode="disabled",
    )
