"""The intake over the real bus, bucket and tables, made from the `Core`: the handler of its queue, and what its commands use.

The door is the API's own (`orderstore/orders.py`).
"""

from dataclasses import dataclass
from typing import Final

from orderstore.s3_objects import S3ObjectStore
from workers.core import Core, now_ms
from workers.intake.bulk.ending import Ending
from workers.intake.bulk.files import Files
from workers.intake.bulk.ranges import RangeHandler, RangeSettings
from workers.intake.bulk.records import Records
from workers.intake.bulk.results import Results
from workers.intake.bulk.s3_files import S3Files
from workers.intake.bulk.uploads import UploadHandler
from workers.intake.eventbridge import BusEvents, EventBridgeReports
from workers.intake.handler import IntakeHandler
from workers.intake.placing import Placing
from workers.intake.queue.requests import RequestHandler
from workers.metrics.intake import IntakeMetrics
from workers.runtime.outcome import Handler
from workers.settings import Settings, SettingsError
from workers.tables.dynamo import DynamoTable

INTAKE: Final = "intake"
TABLE: Final = "intake-files"
LINES_AT_ONCE: Final = 4
"""Of one range: so many orders are placed at once."""
WORK_WITHIN_DEADLINE: Final = 0.5
"""So much of the handler's deadline a range begins new lines; the rest is for the lines under way, and for putting it down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesDesk:
    """The files, seen by the commands."""

    bucket: str
    files: Files
    records: Records
    results: Results


def bucket_of(settings: Settings) -> str:
    """The bucket of files. Raises SettingsError."""
    if settings.intake_bucket is None:
        raise SettingsError(
            ["ORDERSTORE_INTAKE_BUCKET: missing; the role intake and its commands need it (output IntakeBucketName)"]
        )
    return settings.intake_bucket


def files_desk(core: Core) -> FilesDesk:
    """Files, how far they are, and what was reported about them. Raises SettingsError."""
    bucket = bucket_of(core.settings)
    table = DynamoTable(core.clients.dynamodb, core.settings.table(TABLE), random=core.random)
    return FilesDesk(
        bucket=bucket,
        files=S3Files(core.clients.s3, random=core.random),
        records=Records(table, now_ms=now_ms, random=core.random),
        results=Results(S3ObjectStore(core.clients.s3, bucket=bucket, random=core.random)),
    )


def bus_of(settings: Settings) -> str:
    """The name of the bus."""
    return settings.intake_bus_name or settings.queue(INTAKE)


def bus_events(core: Core) -> BusEvents:
    """The bus, for those who send requests."""
    return BusEvents(core.clients.events, bus=bus_of(core.settings), random=core.random)


async def intake_handler(core: Core) -> Handler:
    """The handler of the intake's queue, which it also sends the ranges of files to. Raises SettingsError, QueueMismatch."""
    desk = files_desk(core)
    queue, _ = await core.queues.open(INTAKE)
    observer = IntakeMetrics(core.metrics)
    placing = Placing(core.orders)
    reports = EventBridgeReports(core.clients.events, bus=bus_of(core.settings), random=core.random)
    ending = Ending(desk.records, results=desk.results, reports=reports, observer=observer)
    return IntakeHandler(
        requests=RequestHandler(placing, reports=reports, observer=observer),
        uploads=UploadHandler(
            bucket=desk.bucket, files=desk.files, records=desk.records, ending=ending, send=queue.send
        ),
        ranges=RangeHandler(
            placing,
            files=desk.files,
            records=desk.records,
            results=desk.results,
            ending=ending,
            send=queue.send,
            settings=RangeSettings(
                work_s=core.settings.handler_deadline_s * WORK_WITHIN_DEADLINE, lines_at_once=LINES_AT_ONCE
            ),
            observer=observer,
        ),
    )
