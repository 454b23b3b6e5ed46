"""The one table from exception to outcome. What is not in it is worth a retry, and ends in the queue's own DLQ (E058)."""

from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from orderstore.codec import CodecError
from orderstore.codec import UnknownEvent as WrittenByANewerBuild
from orderstore.domain.rejections import UnknownOrder
from orderstore.store.errors import Throttled, Unavailable
from orderstore.store.trouble import Trouble
from orderstore.store.trouble import classify as trouble_of
from workers.envelope import MalformedMessage
from workers.intake.reports import ReportNotSent
from workers.notification.telling import NotToldYet, PerhapsTold
from workers.payment.gateway import GatewayTimeout, GatewayUnavailable
from workers.reaction import EventNotInOrder
from workers.runtime.outcome import Outcome, Poison, Retry, classify_unknown
from workers.runtime.queue import Throttled as QueueThrottled
from workers.runtime.queue import Unavailable as QueueUnavailable
from workers.shipping.carrier import CarrierTimeout, CarrierUnavailable
from workers.tables.errors import TableThrottled, TableUnavailable

# No retry can help: the message, or what it points at, stays as it is. Our own texts, free of personal data.
_POISON: Final[tuple[type[Exception], ...]] = (MalformedMessage, UnknownOrder, EventNotInOrder)
# What the message stands on may just be down: it waits for it, and burns no receive (D12).
_OUTAGE: Final[tuple[type[Exception], ...]] = (
    Throttled,
    Unavailable,
    TableThrottled,
    TableUnavailable,
    GatewayTimeout,
    GatewayUnavailable,
    CarrierTimeout,
    CarrierUnavailable,
    NotToldYet,
    PerhapsTold,
    ReportNotSent,
    QueueThrottled,
    QueueUnavailable,
    TimeoutError,
    ConnectionError,
)
# While a deployment rolls, this build meets events of the next: with three receives a message waits ten minutes for one that reads them.
NEWER_BUILD_WAIT_S: Final = 300.0


def classify(error: Exception) -> Outcome:
    """What becomes of a message whose handler raised `error`.

    Throttling, outages, lost races, time-outs of providers and every error that nobody foresaw are retried: a redelivery
    reads the order anew, so repeating is always safe.
    """
    if isinstance(error, _POISON):
        return Poison(f"{type(error).__name__}: {error}")
    if isinstance(error, WrittenByANewerBuild):
        return Retry("this build cannot read the order: a newer one wrote it", after_s=NEWER_BUILD_WAIT_S)
    if isinstance(error, CodecError):  # its text may quote what is stored
        return Poison(f"{type(error).__name__}: this build cannot read the order")
    return classify_unknown(error)


def is_outage(error: Exception) -> bool:
    """Whether something that this process stands on may just be down, whatever the message: see `workers/runtime/breaker.py`."""
    if isinstance(error, ClientError | BotoCoreError):
        return trouble_of(error) is not Trouble.REFUSED
    return isinstance(error, _OUTAGE)
