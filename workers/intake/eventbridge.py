"""Reports, and order requests of the command line, on an EventBridge bus. PutEvents answers entry by entry: what failed goes again, alone.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html: at most 10 entries, and 256 KB, a call.
"""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final

import anyio
import orjson
from botocore.exceptions import BotoCoreError, ClientError

from orderstore.store.trouble import THROTTLED_CODES, Backoff, Trouble, classify, code_of
from workers.intake.reports import SOURCE, Report, ReportNotSent, ReportRefused

if TYPE_CHECKING:
    from types_aiobotocore_events import EventBridgeClient
    from types_aiobotocore_events.type_defs import PutEventsRequestEntryTypeDef

ENTRIES_MAX: Final = 10
CALL_BYTES_MAX: Final = 256 * 1024
_PASSING: Final = THROTTLED_CODES | {"InternalException", "InternalFailure", "ServiceUnavailable"}


class EventBridgeReports:
    """`Reports` on one bus. The client belongs to the caller; bounded retries are made here."""

    def __init__(
        self, client: "EventBridgeClient", *, bus: str, random: Random, backoff: Backoff | None = None
    ) -> None:
        self._events = BusEvents(client, bus=bus, random=random, backoff=backoff)

    async def send(self, reports: Sequence[Report]) -> None:
        """See `Reports.send`."""
        await self._events.put([(SOURCE, report.detail_type, orjson.dumps(report.detail)) for report in reports])


class BusEvents:
    """Puts events on a bus, each `(source, detail-type, detail as JSON)`."""

    def __init__(
        self, client: "EventBridgeClient", *, bus: str, random: Random, backoff: Backoff | None = None
    ) -> None:
        self._client = client
        self._bus = bus
        self._random = random
        self._backoff = backoff or Backoff()

    async def put(self, events: Sequence[tuple[str, str, bytes]]) -> list[str]:
        """Put them all and return their ids on the bus, in their order. Raises ReportNotSent, ReportRefused: some may be there."""
        entries: list[PutEventsRequestEntryTypeDef] = [
            {"EventBusName": self._bus, "Source": source, "DetailType": kind, "Detail": detail.decode()}
            for source, kind, detail in events
        ]
        ids: dict[int, str] = {}
        waiting = list(range(len(entries)))
        for failures in range(self._backoff.tries_max):
            if failures:
                await anyio.sleep(self._backoff.sleep_s(failures, self._random))
            left: list[int] = []
            for batch in _batches(entries, waiting):
                answers = await self._call([entries[position] for position in batch])
                for position, answer in zip(batch, answers, strict=True):
                    if "EventId" in answer:
                        ids[position] = answer["EventId"]
                    elif answer.get("ErrorCode") in _PASSING:
                        left.append(position)
                    else:
                        raise ReportRefused(f"the bus {self._bus} refuses an event: {answer.get('ErrorCode')}")
            if not left:
                return [ids[position] for position in range(len(entries))]
            waiting = left
        raise ReportNotSent(
            f"the bus {self._bus} did not take {len(waiting)} events in {self._backoff.tries_max} tries"
        )

    async def _call(self, entries: "Sequence[PutEventsRequestEntryTypeDef]") -> Sequence[Any]:
        """The answers, entry by entry; a call that failed in passing is an answer like that for each."""
        try:
            return (await self._client.put_events(Entries=entries))["Entries"]
        except (ClientError, BotoCoreError) as error:
            if classify(error) is Trouble.REFUSED:
                raise ReportRefused(f"the bus {self._bus} refuses PutEvents: {code_of(error)}") from error
            return [{"ErrorCode": "ServiceUnavailable"}] * len(entries)


def _batches(entries: "Sequence[PutEventsRequestEntryTypeDef]", waiting: Sequence[int]) -> list[list[int]]:
    """So many calls that each keeps AWS's bounds. An entry that passes them alone goes alone, for AWS to say so."""
    batches: list[list[int]] = []
    room = 0
    for position in waiting:
        entry = entries[position]
        size = sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
        if not batches or len(batches[-1]) == ENTRIES_MAX or size > room:
            batches.append([])
            room = CALL_BYTES_MAX
        batches[-1].append(position)
        room -= size
    return batches
