"""The two messages of a file: S3's event that an object is there, and our own that a range of one is to be worked through.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html: unlike S3's notifications to a queue, keys stand there as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import orjson

from orderstore.domain.ids import event_id
from workers.envelope import MalformedMessage
from workers.intake.bulk.files import FileName
from workers.intake.bulk.records import part_of
from workers.intake.queue.envelope import BusEvent, is_text
from workers.intake.reports import SOURCE

S3_SOURCE: Final = "aws.s3"
CREATED: Final = "Object Created"
RANGE: Final = "IntakeRange"


@dataclass(frozen=True, slots=True)
class RangeMessage:
    """Work through [`start`, `end`) of a file."""

    file_id: str
    start: int
    end: int

    @property
    def part(self) -> str:
        """Its sort key in the table."""
        return part_of(self.start, self.end)

    def body(self) -> str:
        """As it is sent: in the shape of an event, so that a queue holds one kind of message."""
        detail = {"file": self.file_id, "start": self.start, "end": self.end}
        name = str(event_id(f"intake-file:{self.file_id}", self.part))
        return orjson.dumps({"id": name, "source": SOURCE, "detail-type": RANGE, "detail": detail}).decode()


def read_range(event: BusEvent) -> RangeMessage:
    """Raises MalformedMessage."""
    detail = _object(event.detail)
    file_id, start, end = detail.get("file"), detail.get("start"), detail.get("end")
    if not is_text(file_id) or not _is_count(start) or not _is_count(end):
        raise MalformedMessage("not a range of a file")
    return RangeMessage(file_id, start, end)


def read_created(event: BusEvent) -> FileName:
    """The object that S3 tells of. Raises MalformedMessage."""
    detail = _object(event.detail)
    bucket, found = _object(detail.get("bucket")), _object(detail.get("object"))
    name, key = bucket.get("name"), found.get("key")
    version, etag = version_of(found.get("version-id")), found.get("etag") or ""
    if not (is_text(name) and is_text(key) and is_text(version) and is_text(etag)) or not name or not key:
        raise MalformedMessage("not S3's event of an object: bucket.name and object.key")
    if not version and not etag:
        raise MalformedMessage("not S3's event of an object: neither version-id nor etag")
    return FileName(bucket=name, key=key, version=version, etag=etag)


def version_of(told: Any) -> Any:  # noqa: ANN401 - as it was told; whoever reads it looks what it is
    """A version's id; empty for none. "null" is what S3 calls the one of a bucket that keeps none: it can be overwritten."""
    return "" if told in (None, "null") else told


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
