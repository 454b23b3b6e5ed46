"""Objects in S3: written with `If-None-Match: *`, so that none is ever overwritten, and where asked under Object Lock, so that none is
deleted.
"""

import base64
import hashlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal

from aiohttp import ClientPayloadError
from botocore.exceptions import BotoCoreError, ClientError, ResponseStreamingError

from orderstore.objects import check_key
from orderstore.store.trouble import Backoff, Retrying, code_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_ALREADY_THERE: Final = frozenset({"PreconditionFailed", "412"})
_NOT_THERE: Final = frozenset({"NoSuchKey", "404"})
KEYS_PER_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Object Lock (S3 user guide, "Locking objects with Object Lock"). COMPLIANCE: nobody can shorten it, not even the root user."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"]
    days: int
    now_ms: Callable[[], int]


class S3ObjectStore:
    """An `ObjectStore` in one bucket. The client belongs to the caller; bounded retries are made here."""

    def __init__(
        self,
        client: "S3Client",
        *,
        bucket: str,
        random: Random,
        retention: Retention | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Use `bucket`, whose Object Lock must be switched on where a retention is given. `random` spreads the retries."""
        self._client = client
        self._bucket = bucket
        self._retention = retention
        self._retrying = Retrying(backoff or Backoff(), random)

    async def put_new(self, key: str, content: bytes) -> bool:
        """See `ObjectStore.put_new`. S3 compares the checksum sent with what arrived, so a torn upload is refused."""
        check_key(key)
        request: dict[str, Any] = {
            "Bucket": self._bucket,
            "Key": key,
            "Body": content,
            "IfNoneMatch": "*",
            "ChecksumSHA256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
            **self._lock(),
        }
        attempts = self._retrying.start("PutObject", writes=True)
        while True:
            try:
                await self._client.put_object(**request)
            except (ClientError, BotoCoreError) as error:
                if code_of(error) in _ALREADY_THERE:
                    return False
                await attempts.failed(error)
            else:
                return True

    async def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        attempts = self._retrying.start("GetObject", writes=False)
        while True:
            try:
                response = await self._client.get_object(Bucket=self._bucket, Key=key)
                async with response["Body"] as body:
                    content: bytes = await body.read()
                    return content
            except (ClientError, BotoCoreError) as error:
                if code_of(error) in _NOT_THERE:
                    return None
                await attempts.failed(error)
            except ClientPayloadError as error:  # cut off within the body: aiobotocore lets this one through as it is
                await attempts.failed(ResponseStreamingError(error=error))

    async def keys(self, prefix: str, *, after: str = "") -> AsyncGenerator[str, None]:
        """See `ObjectStore.keys`."""
        while True:
            page = await self._page(prefix, after)
            for entry in page.get("Contents", []):
                after = entry["Key"]
                yield after
            if not page.get("IsTruncated"):
                return

    async def _page(self, prefix: str, after: str) -> dict[str, Any]:
        attempts = self._retrying.start("ListObjectsV2", writes=False)
        while True:
            try:
                answer = await self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=prefix, StartAfter=after, MaxKeys=KEYS_PER_PAGE
                )
                return dict(answer)
            except (ClientError, BotoCoreError) as error:
                await attempts.failed(error)

    def _lock(self) -> dict[str, Any]:
        if self._retention is None:
            return {}
        now = datetime.fromtimestamp(self._retention.now_ms() / 1000, tz=UTC)
        return {
            "ObjectLockMode": self._retention.mode,
            "ObjectLockRetainUntilDate": now + timedelta(days=self._retention.days),
        }
