"""Which errors may be an order's own fault, so that the order is parked, and which are nobody's, so that everything waits. One table.

What is said of an error is made here of numbers, our own names and places in our own code, never of its text as it stands: an error of
a parser quotes what it could not read. What is in doubt waits; what nobody has foreseen is tried for seconds and then taken for a
fault of the code that only some orders meet.
"""

import re
from collections.abc import Callable, Mapping
from traceback import walk_tb
from typing import Final

from orderstore.codec import CodecError, MalformedCommit, UnknownEvent
from orderstore.domain.state import ImpossibleTransition
from orderstore.store.errors import CorruptCommit, StreamTooLong
from projections.projecting.errors import NOBODYS_FAULT, LogBehindStream
from projections.publishing.publisher import PublishError, PublishRefused
from projections.stream.gate import NotYet
from projections.stream.parking import Cause, ParkingError
from projections.stream.quarantine.rules import WAIT, Verdict
from projections.view_store import DocumentTooLarge
from projections.views.view import OutOfPlace

# While an order is given patience its shard's mark stands, and a shard with too many records behind the mark stands still. So one order
# costs its shard seconds, not minutes: a deployment that lasts longer parks orders with newer events, to be retried when it is out.
PATIENCE_MAX_S: Final = 15.0
NEWER_EVENT_PATIENCE_S: Final = PATIENCE_MAX_S
# Somebody may be putting the item back, and a restore writes an order's commits one after the other.
MISSING_PATIENCE_S: Final = PATIENCE_MAX_S
BUG_PATIENCE_S: Final = PATIENCE_MAX_S
BUG_TRIES: Final = 8
OURS: Final = ("orderstore.", "projections.", "workers.")
AWS_LIBRARIES: Final = ("botocore.", "aiobotocore.", "aiohttp.")

# Not the data's: the machine's, the network's, AWS's, other workers'. Each tree as a whole; its exceptions stand in `_PARKED`.
_WAITING: Final[tuple[type[Exception], ...]] = (
    *NOBODYS_FAULT,
    PublishError,
    ParkingError,
    NotYet,
)

_KNOWN_EVENT: Final = re.compile(r"this build does not know ([A-Za-z]{1,60})(?: (\d{1,4}\.\d{1,4}))?(?:$|:)")
_EVENT: Final = re.compile(r"cannot be read: ([A-Za-z]{1,60}) (\d{1,4}\.\d{1,4}):")
_COMMIT: Final = re.compile(r"\bcommit (\d{1,9})\b")
_PATH: Final = re.compile(r"at `(\$[A-Za-z0-9_.\[\]]{0,100})`$")
_CODE: Final = re.compile(r"\(([A-Za-z0-9 ,]{1,60})\)$")


def judge(error: Exception) -> Verdict:
    """Say whether records may be at fault. See `projections/stream/quarantine`."""
    if isinstance(error, ExceptionGroup):
        verdicts = [judge(inner) for inner in error.exceptions]
        return next((verdict for verdict in verdicts if verdict.cause is None), verdicts[0])
    for kind, verdict_of in _PARKED.items():
        if isinstance(error, kind):
            return verdict_of(error)
    if isinstance(error, _WAITING) or f"{type(error).__module__}.".startswith(AWS_LIBRARIES):
        return WAIT
    message = f"not foreseen, {where(error)}"
    return Verdict(cause=_cause(error, message), tries_min=BUG_TRIES, patience_s=BUG_PATIENCE_S)


def where(error: BaseException) -> str:
    """The place in our own code at which an error arose, as module and line; nothing else of it."""
    place = "outside of our code"
    for frame, line in walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(OURS):
            place = f"at {module}:{line}"
    return place


def _cause(error: Exception, message: str) -> Cause:
    return Cause(type(error).__name__, message)


def _unknown_event(error: Exception) -> Verdict:
    found = _KNOWN_EVENT.search(str(error))
    event = "an event" if found is None else " ".join(part for part in found.groups() if part)
    message = f"this build does not know {event}{_in_commit(error)}: deploy one that does, then retry"
    return Verdict(cause=_cause(error, message), patience_s=NEWER_EVENT_PATIENCE_S)


def _malformed(error: Exception) -> Verdict:
    """The body is not what its names say. The path names fields of ours, the innermost error its kind; neither quotes a value."""
    found = _EVENT.search(str(error))
    event = "the body" if found is None else " ".join(found.groups())
    inner: BaseException = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    path = _PATH.search(str(inner))
    at = "" if path is None else f" at {path[1]}"
    kind = "" if inner is error else f" ({type(inner).__name__}{at})"
    return Verdict(cause=_cause(error, f"{event} cannot be decoded{_in_commit(error)}{kind}"))


def _corrupt(error: Exception) -> Verdict:
    if not isinstance(error, CorruptCommit):
        raise TypeError(type(error))
    # Of the reasons those in our own words; what follows a colon, or comes from a library, may quote the item.
    reason = error.reason.partition(":")[0] if error.reason.startswith(("its ", "it ")) else "it cannot be read"
    message = f"commit {error.number} is not as it was written: {reason[:120]}"
    patience_s = MISSING_PATIENCE_S if "missing" in reason else 0.0
    return Verdict(cause=_cause(error, message), patience_s=patience_s, keys=frozenset({error.stream}))


def _too_long(error: Exception) -> Verdict:
    return Verdict(cause=_cause(error, "the order has more commits, or more bytes, than may be read"))


def _behind(error: Exception) -> Verdict:
    message = "the log ends before a commit that the stream, or a view, has: somebody has taken it away"
    return Verdict(cause=_cause(error, message), patience_s=MISSING_PATIENCE_S)


def _out_of_place(error: Exception) -> Verdict:
    return Verdict(cause=_cause(error, f"an event that cannot stand where it does{_in_commit(error)}, {where(error)}"))


def _too_large(error: Exception) -> Verdict:
    return Verdict(cause=_cause(error, f"a document grew past what a view may hold, {where(error)}"))


def _refused(error: Exception) -> Verdict:
    """Permissions and a missing topic are nobody's fault among the orders; an entry that the topic will not take is its order's."""
    if not isinstance(error, PublishRefused) or not error.streams:
        return WAIT
    found = _CODE.search(str(error))
    code = "" if found is None else f": {found[1]}"
    return Verdict(cause=_cause(error, f"the topic refuses an event{code}"), keys=error.streams)


_PARKED: Final[Mapping[type[Exception], Callable[[Exception], Verdict]]] = {
    UnknownEvent: _unknown_event,
    MalformedCommit: _malformed,
    CodecError: _malformed,
    CorruptCommit: _corrupt,
    StreamTooLong: _too_long,
    LogBehindStream: _behind,
    ImpossibleTransition: _out_of_place,
    OutOfPlace: _out_of_place,
    DocumentTooLarge: _too_large,
    PublishRefused: _refused,
}


def _in_commit(error: Exception) -> str:
    found = _COMMIT.search(str(error))
    return "" if found is None else f" (commit {found[1]})"
