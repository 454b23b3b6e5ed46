"""Where the archive lies."""

from typing import Annotated

import typer

from orderstore.objects import ObjectStore
from orderstore.s3_objects import S3ObjectStore
from workers.core import Core

FromBucket = Annotated[
    str | None,
    typer.Option("--from-bucket", help="The bucket that holds the archive; without it the environment's own."),
]


def objects_of(core: Core, bucket: str | None) -> ObjectStore:
    """The bucket to read from."""
    if bucket is None:
        return core.objects
    return S3ObjectStore(core.clients.s3, bucket=bucket, random=core.random)
