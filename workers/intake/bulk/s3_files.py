"""Files in S3: one version of an object, read by ranged GETs, so that memory is bounded and a lost connection costs one block.

The version is named in each call. A bucket without versions is asked with `If-Match` instead: a file that is replaced while it is read is
then seen as gone, and never read half old and half new.
"""

from random import Random
from typing import TYPE_CHECKING, Any, Final

from aiohttp import ClientPayloadError
from botocore.exceptions import BotoCoreError, ClientError, ResponseStreamingError

from orderstore.store.trouble import Attempts, Backoff, Retrying, code_of
from workers.intake.bulk.files import FileGone, FileName
from workers.intake.bulk.lines import Reading

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_GONE: Final = frozenset({"NoSuchKey", "NoSuchVersion", "404", "PreconditionFailed", "412", "MethodNotAllowed", "405"})
_BEHIND_THE_END: Final = frozenset({"InvalidRange", "416"})


class S3Files:
    """`Files` in S3. The client belongs to the caller; bounded retries are made here."""

    def __init__(self, client: "S3Client", *, random: Random, backoff: Backoff | None = None) -> None:
        self._client = client
        self._retrying = Retrying(backoff or Backoff(), random)

    async def size(self, file: FileName) -> int:
        """See `Files.size`."""
        attempts = self._retrying.start("HeadObject", writes=False)
        while True:
            try:
                return (await self._client.head_object(**_which(file)))["ContentLength"]
            except (ClientError, BotoCoreError) as error:
                await _failed(attempts, error)

    def open(self, file: FileName, *, at: int) -> Reading:
        """See `Files.open`."""
        return _S3Reading(self, file, at)

    async def block(self, file: FileName, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start` on; none behind the end. Raises FileGone, StoreError."""
        attempts = self._retrying.start("GetObject", writes=False)
        while True:
            try:
                asked = {**_which(file), "Range": f"bytes={start}-{start + length - 1}"}
                response = await self._client.get_object(**asked)
                async with response["Body"] as body:
                    content: bytes = await body.read()
                    return content
            except (ClientError, BotoCoreError) as error:
                if code_of(error) in _BEHIND_THE_END:
                    return b""
                await _failed(attempts, error)
            except ClientPayloadError as error:  # cut off within the body: aiobotocore lets this one through as it is
                await attempts.failed(ResponseStreamingError(error=error))


class _S3Reading:
    def __init__(self, files: S3Files, file: FileName, at: int) -> None:
        self._files = files
        self._file = file
        self._at = at

    async def read(self, length: int) -> bytes:
        block = await self._files.block(self._file, self._at, length)
        self._at += len(block)
        return block


def _which(file: FileName) -> dict[str, Any]:
    which = {"VersionId": file.version} if file.version else {"IfMatch": file.etag}
    return {"Bucket": file.bucket, "Key": file.key, **which}


async def _failed(attempts: Attempts, error: ClientError | BotoCoreError) -> None:
    if code_of(error) in _GONE:
        raise FileGone("the file is not there any more, or another took its place") from error
    await attempts.failed(error)
