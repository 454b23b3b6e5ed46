"""The log: items, bodies, counters, positions of a scan, snapshots, and the words of a trace."""

import hashlib
import json
from random import Random
from typing import Any, Final

from orderstore import codec
from orderstore.recorded import Actor, Cause
from orderstore.snapshots import snapshot as snapshots
from orderstore.store import items, scanning
from orderstore.store.chain import check_hash, seal
from orderstore.store.errors import CorruptCommit, CorruptRow
from orderstore.store.port import Commit
from orderstore.tracing import parse_traceparent
from tests.bad_input.decoder import Decoder, Shape, samples
from tests.bad_input.mutations import of_bytes, of_item, of_json, of_json_text, of_text
from tests.builders import NOON
from tests.orderstore.golden_events import COMPLETE
from tests.orderstore.snapshots.long_orders import STREAM, commits_of, penny_refunds

AT_MS: Final = 1_772_366_400_000
TRACEPARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LARGE_BODY: Final = Random(1).randbytes(400_000)
CAUSE: Final = Cause(
    causation_id="cause-1",
    purpose="test",
    correlation_id="correlation-1",
    actor=Actor("service", "payment"),
    source="payment",
    traceparent=TRACEPARENT,
)


@samples
def bodies() -> list[bytes]:
    """One of each event, and a body that is long enough to be compressed."""
    several = [[event] for event in COMPLETE.values()]
    several.append([COMPLETE["OrderCreated"], *[COMPLETE["PaymentFailed"]] * 30])
    return [codec.encode(events, cause=CAUSE, first_version=1, occurred_at=NOON) for events in several]


def commit_of(body: bytes) -> Commit:
    """A first commit with this body, rightly sealed."""
    return seal(stream=STREAM, number=1, recorded_at_ms=AT_MS, body=body, previous=None)


@samples
def commits() -> list[Commit]:
    return [commit_of(body) for body in (*bodies(), LARGE_BODY)]


@samples
def stored_items() -> list[Any]:
    return [items.encode(commit).item for commit in commits()]


def commit_in(item: Any) -> Commit:
    """As a reader of the log takes an item, or a stream record's image. The one offloaded body is the large one."""
    parsed = items.parse(item)
    commit = parsed.complete(None if parsed.blob is None else LARGE_BODY)
    check_hash(commit)
    return commit


def _packed_item(content: bytes) -> Any:
    return {**stored_items()[0], "encoding": {"S": "json+zstd"}, "body": {"B": content}}


def _offloaded_body(content: bytes) -> Commit:
    item = next(item for item in stored_items() if "blob" in item)
    return items.parse(item).complete(content)


@samples
def packed_bodies() -> list[bytes]:
    return [items._zstd().compressor.compress(body) for body in bodies()]


@samples
def body_documents() -> list[Any]:
    """Those of this build, and one by an older build, which goes through an upcaster."""
    documents = [json.loads(body) for body in bodies()]
    refund = next(one for one in documents if one["events"][0]["eventType"] == "RefundRequested")
    stored = refund["events"][0]
    earlier = {**stored, "eventVersion": "1.0", "data": {**stored["data"], "reason": "broken"}}
    return [*documents, {**refund, "events": [earlier]}]


@samples
def remembered() -> list[snapshots.Snapshot]:
    """Of an order in each of several states."""
    from orderstore.history import Standing

    made = commits_of(penny_refunds(3))
    return [
        snapshots.snapshot_of(Standing(stream=STREAM).then(*made[:number])) for number in range(1, len(made) + 1, 2)
    ]


def _with_checksum(document: bytes) -> bytes:
    return hashlib.sha256(document).hexdigest().encode() + b"\n" + document


DECODERS: Final = (
    Decoder(
        name="commit item",
        covers=(
            "orderstore.store.items:parse",
            "orderstore.store.items:_body_of",
            "orderstore.store.items:place_of",
            "orderstore.store.items:chained",
            "orderstore.store.items:_decode",
        ),
        decode=commit_in,
        errors=(CorruptCommit,),
        valid=lambda: [(items.encode(commit).item, commit) for commit in commits()],
        shapes=(
            Shape(mutate=of_item, samples=stored_items),
            Shape(mutate=of_bytes, samples=packed_bodies, finish=_packed_item),
        ),
    ),
    Decoder(
        name="offloaded body",
        covers=(),
        decode=_offloaded_body,
        errors=(CorruptCommit,),
        valid=lambda: [(LARGE_BODY, commits()[-1])],
        shapes=(Shape(mutate=of_bytes, samples=lambda: [LARGE_BODY]),),
        weight=10,
    ),
    Decoder(
        name="commit body",
        covers=(
            "orderstore.codec:decode",
            "orderstore.codec:_recorded",
            "orderstore.codec:_event_of_another_version",
            "orderstore.upcasters:upcast",
        ),
        decode=lambda body: codec.decode(commit_of(body)),
        errors=(codec.CodecError,),
        valid=lambda: [(body, codec.decode(commit_of(body))) for body in bodies()],
        shapes=(
            Shape(mutate=of_json, samples=body_documents),
            Shape(mutate=of_json, samples=body_documents),
            Shape(mutate=of_bytes, samples=bodies),
        ),
    ),
    Decoder(
        name="counter row",
        covers=("orderstore.store.items:taken_of",),
        decode=items.taken_of,
        errors=(CorruptRow,),
        valid=lambda: [({"counter": {"S": "UK-2026"}, "taken": {"N": "7"}}, 7), (None, 0)],
        shapes=(Shape(mutate=of_item, samples=lambda: [{"counter": {"S": "UK-2026"}, "taken": {"N": "7"}}]),),
    ),
    Decoder(
        name="position of a scan",
        covers=("orderstore.store.scanning:place_after",),
        decode=scanning.start_key,
        errors=(ValueError,),
        valid=lambda: [(scanning.position(STREAM, "7"), {"stream": {"S": STREAM}, "commit": {"N": "7"}})],
        shapes=(
            Shape(mutate=of_json_text, samples=lambda: [[STREAM, "7"]]),
            Shape(mutate=of_text, samples=lambda: [scanning.position(STREAM, "7")]),
        ),
    ),
    Decoder(
        name="snapshot",
        covers=("orderstore.snapshots.snapshot:decode",),
        decode=lambda stored: snapshots.decode(stored, stream=STREAM),
        errors=(snapshots.BrokenSnapshot,),
        valid=lambda: [(snapshots.encode(snapshot), snapshot) for snapshot in remembered()],
        shapes=(
            Shape(mutate=of_bytes, samples=lambda: [snapshots.encode(snapshot) for snapshot in remembered()]),
            Shape(
                mutate=of_json,
                samples=samples(lambda: [json.loads(snapshots.encode(snapshot)[65:]) for snapshot in remembered()]),
                finish=_with_checksum,
            ),
        ),
    ),
    Decoder(
        name="traceparent",
        covers=("orderstore.tracing:parse_traceparent",),
        decode=parse_traceparent,
        valid=lambda: [(None, None)],
        shapes=(Shape(mutate=of_text, samples=lambda: [TRACEPARENT, TRACEPARENT.replace("00-", "cc-") + "-x"]),),
    ),
)
