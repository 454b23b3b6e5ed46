"""Structured logs: one JSON object a line, the same six fields wherever an event is at hand, never personal data.

The fields `eventId`, `correlationId`, `orderId`, `source`, `eventType`, `occurredAt` are requirement E125.
"""

import logging
import sys
from typing import Final, TextIO

import orjson
import structlog
from structlog.types import EventDict, WrappedLogger

EVENT_FIELDS: Final = ("eventId", "correlationId", "orderId", "source", "eventType", "occurredAt")
# Names under which personal data could slip into a log; what stands there is replaced, whatever it is.
REDACTED_FIELDS: Final = frozenset(
    {
        "email",
        "customerEmail",
        "customer_email",
        "name",
        "customerName",
        "customerPhone",
        "customer_phone",
        "customerAddress",
        "customer_address",
        "customerVatId",
        "customer_vat_id",
        "phone",
        "address",
        "token",
    }
)


def configure(*, level: str, stream: TextIO | None = None) -> None:
    """Send our logs, and those of the libraries, as JSON lines to `stream` (standard error by default)."""
    target = stream if stream is not None else sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        redact,
    ]
    render = structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=str).decode())
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=render, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what stands under a name that may hold personal data."""
    for name in REDACTED_FIELDS & event.keys():
        event[name] = "[redacted]"
    return event
