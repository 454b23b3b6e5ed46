"""Large bodies in S3."""

import base64
import hashlib
from random import Random
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store.items import blob_key
from orderstore.store.trouble import Backoff, Retrying, code_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_ALREADY_THERE: Final = frozenset({"PreconditionFailed", "412"})
_NOT_THERE: Final = frozenset({"NoSuchKey", "404"})


class S3BlobStore:
    """Objects in one bucket, written with `If-None-Match: *` (S3 user guide, "conditional writes"): no object is ever overwritten.

    The client belongs to the caller; its own retries are best switched off, since bounded ones are made here.
    """

    def __init__(self, client: "S3Client", *, bucket: str, random: Random, backoff: Backoff | None = None) -> None:
        """Use `bucket`. `random` spreads the retries."""
        self._client = client
        self._bucket = bucket
        self._retrying = Retrying(backoff or Backoff(), random)

    async def put(self, content: bytes) -> str:
        """See `BlobStore.put`. S3 compares the checksum sent with what arrived, so a torn upload is refused."""
        key = blob_key(content)
        request: dict[str, Any] = {
            "Bucket": self._bucket,
            "Key": key,
            "Body": content,
            "IfNoneMatch": "*",
            "ChecksumSHA256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
        }
        attempts = self._retrying.start("PutObject", writes=True)
        while True:
            try:
                await self._client.put_object(**request)
            except (ClientError, BotoCoreError) as error:
                if code_of(error) in _ALREADY_THERE:
                    return key
                await attempts.failed(error)
            else:
                return key

    async def get(self, key: str) -> bytes | None:
        """See `BlobStore.get`."""
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
