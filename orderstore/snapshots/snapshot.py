"""A snapshot as bytes: a checksum, and a JSON object that names everything that it depends on.

    <SHA-256 of what follows, 64 hex digits>
    {"reducer", "stream", "number", "version", "head", "status", "order"}

`number` and `head` are number and hash of the last commit that was folded, `version` counts the events up to it, `status` names the
class of the state, and `order` holds its fields.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec

from orderstore.domain import state as s
from orderstore.history import Standing

REDUCER_VERSION: Final = "5"
"""Of what `domain.state` makes of events: the classes below, their fields, and every step of `evolve`. It is raised whenever any of them
changes; a test that folds every event in every state notices. A snapshot of another version is never looked at."""

# Written down, never derived from a class: a class may be renamed, and a snapshot then still means the same.
STATUSES: Final[Mapping[str, type[s.Order]]] = MappingProxyType(
    {
        "received": s.Received,
        "confirmed": s.Confirmed,
        "in_fulfilment": s.InFulfilment,
        "completed": s.Completed,
        "cancelling": s.Cancelling,
        "cancelled": s.Cancelled,
        "rejected": s.Rejected,
    }
)
_NAMES: Final[Mapping[type, str]] = MappingProxyType({status: name for name, status in STATUSES.items()})
_CHECKSUM_BYTES: Final = 64
_Positive = Annotated[int, msgspec.Meta(ge=1)]


class BrokenSnapshot(Exception):
    """The bytes are not a snapshot of this order by this reducer. `str()` says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Where `stream` stood after its commit `number`, whose hash is `head`."""

    stream: str
    number: int
    version: int
    head: bytes
    state: s.Order


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    reducer: str
    stream: str
    number: _Positive
    version: _Positive
    head: str
    status: str
    order: msgspec.Raw


def snapshot_of(standing: Standing) -> Snapshot:
    """Raises ValueError for an order without a commit."""
    if standing.head is None or isinstance(standing.state, s.NotPlaced):
        raise ValueError(f"{standing.stream} has no commit yet: there is nothing to remember")
    return Snapshot(
        stream=standing.stream,
        number=standing.head.number,
        version=standing.version,
        head=standing.head.hash,
        state=standing.state,
    )


def encode(snapshot: Snapshot) -> bytes:
    """As it is stored."""
    document = msgspec.json.encode(
        {
            "reducer": REDUCER_VERSION,
            "stream": snapshot.stream,
            "number": snapshot.number,
            "version": snapshot.version,
            "head": snapshot.head.hex(),
            "status": _NAMES[type(snapshot.state)],
            "order": snapshot.state,
        }
    )
    return _checksum(document) + b"\n" + document


def decode(stored: bytes, *, stream: str) -> Snapshot:
    """What was stored for the stream. Raises BrokenSnapshot."""
    checksum, document = stored[:_CHECKSUM_BYTES], stored[_CHECKSUM_BYTES + 1 :]
    if _checksum(document) != checksum:
        raise BrokenSnapshot("its checksum is not that of its content")
    try:
        read = _documents().decode(document)
        if read.reducer != REDUCER_VERSION:
            raise BrokenSnapshot(f"it was made by reducer {read.reducer}, this is {REDUCER_VERSION}")
        if read.stream != stream:
            raise BrokenSnapshot(f"it is one of {read.stream}")
        if read.status not in STATUSES:
            raise BrokenSnapshot(f"there is no status {read.status}")
        return Snapshot(
            stream=stream,
            number=read.number,
            version=read.version,
            head=bytes.fromhex(read.head),
            state=_states(read.status).decode(read.order),
        )
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BrokenSnapshot(f"it cannot be read: {error}") from error


def _checksum(document: bytes) -> bytes:
    return hashlib.sha256(document).hexdigest().encode()


@cache
def _documents() -> msgspec.json.Decoder[_Document]:
    return msgspec.json.Decoder(_Document)


@cache
def _states(status: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(STATUSES[status])
