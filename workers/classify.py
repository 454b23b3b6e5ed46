"""The one table from exception to outcome. What is not in it is worth a retry, and ends in the queue's own DLQ (E058)."""

from typing import Final

from orderstore.codec import CodecError
from orderstore.codec import UnknownEvent as WrittenByANewerBuild
from orderstore.domain.rejections import UnknownOrder
from workers.envelope import MalformedMessage
from workers.reaction import UnknownEvent
from workers.runtime.outcome import Outcome, Poison, Retry, classify_unknown

# No retry can help: the message, or what it points at, stays as it is. Our own texts, free of personal data.
_POISON: Final[tuple[type[Exception], ...]] = (MalformedMessage, UnknownOrder, UnknownEvent)
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
