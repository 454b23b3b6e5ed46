"""An order request from the bus: placed or refused, then reported.

The report goes out after the order is durable. Whoever dies in between does both again: the order is met, not made twice, and the
report has the same id.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from orderstore.privacy.scanner import kinds_in
from orderstore.recorded import Actor
from orderstore.refusals import Refusal
from workers.intake.observe import IntakeObserver
from workers.intake.placing import Origin, Placing, Taken
from workers.intake.queue.envelope import BusEvent
from workers.intake.reports import ACCEPTED, REJECTED, Report, Reports, report_id
from workers.intake.wording import document_of

CHANNEL: Final = "events"
NAME: Final = "intake"
_PLAIN_SOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
# https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
_XRAY_ROOT: Final = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")


class RequestHandler:
    """Puts order requests through the door, and reports what became of each."""

    def __init__(self, placing: Placing, *, reports: Reports, observer: IntakeObserver) -> None:
        self._placing = placing
        self._reports = reports
        self._observer = observer

    async def handle(self, event: BusEvent, *, trace_header: str | None = None) -> None:
        """Done when it returns. Raises StoreError, PrivacyError, ReportError: trouble, after which the same event comes again."""
        outcome: Taken | Refusal
        if event.unreadable is not None:
            outcome = event.unreadable
        else:
            outcome = await self._placing.place(event.detail, _origin(event, trace_header))
        await self._reports.send([_report(event, outcome)])
        match outcome:
            case Taken(new=new):
                self._observer.request(result="accepted" if new else "repeated")
            case Refusal(code=code):
                self._observer.request(result=code)


def about(event: BusEvent) -> str:
    """What names a request for ever: event ids are drawn by each sender's own AWS account, so they count within their source."""
    return f"{_scope(event.source)}{event.id}"


def key_scope(source: str) -> str:
    """Within which a sender's own keys count: two senders may draw the same."""
    return f"{_scope(source)}key:"


def _scope(source: str) -> str:
    """With its length before it, no source can be mistaken for another one and a part of a key, nor for a file."""
    return f"intake:bus:{len(source)}:{source}:"


def _origin(event: BusEvent, trace_header: str | None) -> Origin:
    return Origin(
        actor=_actor(event.source),
        channel=CHANNEL,
        scope=key_scope(event.source),
        place_key=f"{_scope(event.source)}event:{event.id}",
        traceparent=traceparent_of_xray(trace_header),
    )


def _actor(source: str) -> Actor:
    """History names the source where it is a plain name: what stands there, stands there for ever."""
    plain = _PLAIN_SOURCE.fullmatch(source) is not None and not kinds_in(source, identifier=True)
    return Actor("service", f"{NAME}:{source}" if plain else NAME)


def _report(event: BusEvent, outcome: Taken | Refusal) -> Report:
    match outcome:
        case Taken(order_id=order_id, new=new):
            kind, said = ACCEPTED, {"orderId": order_id, "repeated": not new}
        case Refusal():
            kind, said = REJECTED, document_of(outcome)
    detail: Mapping[str, Any] = {
        "reportId": report_id(about(event), kind),
        "requestId": event.id,
        "requestSource": event.source,
        **said,
    }
    return Report(kind, detail)


def traceparent_of_xray(header: str | None) -> str | None:
    """X-Ray's trace header, which EventBridge hands on, as a W3C traceparent; None where it says no trace."""
    fields = dict(part.strip().partition("=")[::2] for part in (header or "").split(";"))
    root = _XRAY_ROOT.fullmatch(fields.get("Root", ""))
    if root is None or not re.fullmatch(r"[0-9a-f]{16}", fields.get("Parent", "")):
        return None
    return f"00-{root[1]}{root[2]}-{fields['Parent']}-{'01' if fields.get('Sampled') == '1' else '00'}"
