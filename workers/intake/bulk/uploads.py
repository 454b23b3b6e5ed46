"""S3 says that a file is there: it is looked at, put down in the table, and its first range sent. Everything else follows from ranges."""

from typing import Final

from workers.envelope import MalformedMessage
from workers.intake.bulk.ending import Ending
from workers.intake.bulk.files import (
    FILE_BYTES_MAX,
    PREFIX,
    UNPACKED_BYTES_MAX,
    FileGone,
    FileName,
    Files,
    FileUnreadable,
    packing_of,
)
from workers.intake.bulk.messages import RangeMessage
from workers.intake.bulk.packing import unpacked_size
from workers.intake.bulk.ranges import Send
from workers.intake.bulk.records import Records

UNKNOWN_NAME: Final = "unknown_name"
TOO_LARGE: Final = "file_too_large"
UNREADABLE: Final = "file_unreadable"


class UploadHandler:
    """Handles S3's events of one bucket."""

    def __init__(self, *, bucket: str, files: Files, records: Records, ending: Ending, send: Send) -> None:
        self._bucket = bucket
        self._files = files
        self._records = records
        self._ending = ending
        self._send = send

    async def handle(self, file: FileName) -> None:
        """Done when it returns. Raises MalformedMessage, StoreError, TableError, QueueError, ReportError."""
        if file.bucket != self._bucket or not file.key.startswith(PREFIX):
            raise MalformedMessage("an object of another place than the intake's")
        if file.key.endswith("/"):
            return  # what consoles make for a folder
        known = await self._records.file(file.id)
        if known is None:
            try:
                await self._look_at(file)
            except FileGone:
                return  # deleted before anybody looked: there is nothing to tell
            known = await self._records.file(file.id)
        if known is None:
            return
        if known.state == "running":
            await self._send(RangeMessage(file.id, 0, known.size).body())
        elif known.state in ("refused", "stopped"):
            await self._ending.tell(known)

    async def _look_at(self, file: FileName) -> None:
        """Put it down, to be worked through or refused. Raises FileGone."""
        packing = packing_of(file.key)
        size = await self._files.size(file)
        if packing is None:
            await self._records.refuse(file, size=size, why=UNKNOWN_NAME)
        elif size > (FILE_BYTES_MAX if packing == "none" else UNPACKED_BYTES_MAX):
            await self._records.refuse(file, size=size, why=TOO_LARGE)
        elif packing == "none":
            await self._records.begin(file, size=size, packing=packing)
        else:
            try:
                unpacked = await unpacked_size(self._files, file, packing)
            except FileUnreadable:
                await self._records.refuse(file, size=size, why=UNREADABLE)
            else:
                await self._records.begin(file, size=unpacked, packing=packing)
