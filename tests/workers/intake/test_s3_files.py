"""One version of an object, block by block: never half of one and half of another, and a lost connection costs one block."""

import random
from typing import Any, Self

import pytest
from botocore.exceptions import ClientError

from orderstore.store.errors import Refused
from tests.virtual_time import run_virtual
from workers.intake.bulk.files import FileGone, FileName, blocks_of
from workers.intake.bulk.s3_files import S3Files

CONTENT = bytes(range(256)) * 10
VERSIONED = FileName(bucket="b", key="intake/a", version="v1", etag="e")
UNVERSIONED = FileName(bucket="b", key="intake/a", version="", etag="e")


class Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def read(self) -> bytes:
        return self._content


class Bucket:
    """An S3 client with one object."""

    def __init__(self, *troubles: str) -> None:
        self.troubles = list(troubles)
        self.asked: list[dict[str, Any]] = []

    async def head_object(self, **asked: Any) -> dict[str, Any]:
        self._trouble(asked)
        return {"ContentLength": len(CONTENT)}

    async def get_object(self, **asked: Any) -> dict[str, Any]:
        self._trouble(asked)
        start, _, last = asked["Range"].removeprefix("bytes=").partition("-")
        if int(start) >= len(CONTENT):
            raise failing("InvalidRange")
        return {"Body": Body(CONTENT[int(start) : int(last) + 1])}

    def _trouble(self, asked: dict[str, Any]) -> None:
        self.asked.append(asked)
        if self.troubles:
            raise failing(self.troubles.pop(0))


def failing(code: str) -> ClientError:
    status = {"SlowDown": 503, "InternalError": 500}.get(code, 400)
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")  # type: ignore[typeddict-item]  # only what is looked at


async def read(bucket: Bucket, file: FileName, *, at: int = 0) -> bytes:
    files = S3Files(bucket, random=random.Random(1))  # type: ignore[arg-type]  # a fake of the two calls
    await files.size(file)
    return b"".join([block async for block in blocks_of(files.open(file, at=at), 1_000)])


@pytest.mark.parametrize("at", [0, 1, 999, 1_000, len(CONTENT), len(CONTENT) + 5])
def test_it_is_read_from_any_place_to_its_end(at: int) -> None:
    """Blocks join without a seam; behind the end there is nothing."""
    assert run_virtual(read_at, Bucket(), at) == CONTENT[at:]


async def read_at(bucket: Bucket, at: int) -> bytes:
    return await read(bucket, VERSIONED, at=at)


def test_every_call_names_the_version() -> None:
    """Or, without versions, demands that the object be still the same."""
    versioned, unversioned = Bucket(), Bucket()
    run_virtual(read, versioned, VERSIONED)
    run_virtual(read, unversioned, UNVERSIONED)

    assert {(asked.get("VersionId"), asked.get("IfMatch")) for asked in versioned.asked} == {("v1", None)}
    assert {(asked.get("VersionId"), asked.get("IfMatch")) for asked in unversioned.asked} == {(None, "e")}


def test_passing_trouble_costs_a_block() -> None:
    """It is asked for again."""
    bucket = Bucket("SlowDown", "InternalError", "SlowDown")

    assert run_virtual(read, bucket, VERSIONED) == CONTENT


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion", "PreconditionFailed", "404", "MethodNotAllowed"])
def test_what_is_not_there_any_more_is_gone(code: str) -> None:
    """Deleted, replaced, or hidden behind a delete marker."""

    async def scenario() -> None:
        with pytest.raises(FileGone):
            await read(Bucket(code), VERSIONED)

    run_virtual(scenario)


def test_what_is_forbidden_is_not_gone() -> None:
    """A missing right must not look like a file that somebody deleted."""

    async def scenario() -> None:
        with pytest.raises(Refused):
            await read(Bucket("AccessDenied"), VERSIONED)

    run_virtual(scenario)
