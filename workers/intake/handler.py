"""The handler of the intake's queue: an order request, a file that was put into the bucket, or a range of one.

What is none of them is poison: nobody could be told. What the service itself put on the bus never comes here, and is poison if it does.
"""

from typing import Final

from workers.envelope import MalformedMessage
from workers.intake.bulk.messages import CREATED, RANGE, S3_SOURCE, read_created, read_range
from workers.intake.bulk.ranges import RangeHandler
from workers.intake.bulk.uploads import UploadHandler
from workers.intake.queue.envelope import read_event
from workers.intake.queue.requests import RequestHandler
from workers.intake.reports import SOURCE
from workers.runtime.outcome import Done, Outcome
from workers.runtime.queue import Message

ORDER_REQUEST: Final = "OrderRequest"
OWN: Final = "orderstore"
"""How the sources of the service's own events begin."""
TRACE_HEADER: Final = "AWSTraceHeader"
"""The attribute in which a queue has X-Ray's header (`workers/runtime/sqs.py`)."""


class IntakeHandler:
    """See the module. Raises what its three parts raise, for the loop's classification."""

    def __init__(self, *, requests: RequestHandler, uploads: UploadHandler, ranges: RangeHandler) -> None:
        self._requests = requests
        self._uploads = uploads
        self._ranges = ranges

    async def __call__(self, message: Message) -> Outcome:
        """A request that is refused is done too: its sender has been told."""
        event = read_event(message.body)
        match event.source, event.detail_type:
            case (source, kind) if source == SOURCE and kind == RANGE:
                await self._ranges.handle(read_range(event))
            case (source, kind) if source == S3_SOURCE and kind == CREATED:
                await self._uploads.handle(read_created(event))
            case (source, kind) if kind == ORDER_REQUEST and not source.startswith(OWN):
                await self._requests.handle(event, trace_header=message.attributes.get(TRACE_HEADER))
            case _:
                raise MalformedMessage("neither an order request nor a file of them")
        return Done()
