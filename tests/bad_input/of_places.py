"""Where somebody stands: leases, parked rows, cursors, places in live streams; and the rows of keys."""

import base64
import json
from typing import Any, Final

import msgspec

from orderstore.privacy.dynamo_keys import wrapped_in
from orderstore.privacy.keys import KeyUnusable
from projections.answers import cursors
from projections.answers.ports import InvalidCursor
from projections.live import positions
from projections.live.positions import NotAPosition
from projections.rebuild.dynamo_book import rebuild_in
from projections.rebuild.state import Rebuild, Segment, Trouble, Verdict
from projections.stream.dynamo_leases import to_item as lease_item
from projections.stream.dynamo_leases import to_lease
from projections.stream.gaps import Gap, GapCause
from projections.stream.leases import Lease, LeaseUnreadable
from projections.stream.parking import Cause, Decision, Parked, RowUnreadable
from projections.stream.parking.dynamo_items import standing_of, to_parked
from projections.stream.parking.dynamo_items import to_item as parked_item
from projections.view_store import ViewStoreRefused
from tests.bad_input.decoder import Decoder, Shape, samples
from tests.bad_input.mutations import of_item, of_json, of_json_text, of_text

LEASE: Final = Lease(
    subscription="views",
    shard="shardId-1",
    stream="arn:aws:dynamodb:eu-west-1:1:table/t/stream/s",
    owner="me",
    counter=7,
    checkpoint="100000000000000000001",
    parents=("shardId-0",),
    starting_sequence="1",
    caught_up_to_ms=5,
    gap=Gap(next(iter(GapCause)), 3),
)


_KEYS: Final = {"stream": {"S": "main/order-a"}, "commit": {"N": "7"}}


PARKED: Final = Parked(
    subscription="views",
    key="main/order-a",
    episode="e1",
    first=_KEYS,
    last=_KEYS,
    cause=Cause("CodecError", "it cannot be read"),
    attempts=3,
    parked_at_ms=5,
    held=2,
    failed=_KEYS,
    owed_since_ms=4,
    decisions=(Decision(what="retry", actor="ada", reason="mended", at_ms=6),),
    passed=(3, 5),
)


_CURSOR: Final = cursors.encode_cursor("orders", cursors.Position("2026-03-01", "b"))


_POSITION: Final = positions.encode("c-1", 3, {"0123456789abcdef": 7})


def _told() -> Any:
    return json.loads(base64.urlsafe_b64decode(_CURSOR + "=" * (-len(_CURSOR) % 4)))


def _as_cursor(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


REBUILD: Final = Rebuild(
    view="order_status",
    generation=2,
    state="filling",
    segments=(Segment(after='["main/order-a","7"]', orders=3, commits=9), Segment(done=True)),
    started_at_ms=1,
    changed_at_ms=2,
    troubled=(Trouble("main/order-a", "CorruptCommit", "commit 7"),),
    verdict=Verdict(documents=3),
    owner="me",
)


def _rebuild_row(text: str) -> Any:
    return {"key": {"S": "rebuild/order_status"}, "version": {"N": "1"}, "row": {"S": text}}


@samples
def rebuild_documents() -> list[Any]:
    return [json.loads(msgspec.json.encode(REBUILD))]


DECODERS: Final = (
    Decoder(
        name="lease row",
        covers=(
            "projections.stream.dynamo_leases:to_lease",
            "projections.stream.dynamo_leases:_lease",
            "projections.stream.dynamo_leases:_text",
        ),
        decode=to_lease,
        errors=(LeaseUnreadable,),
        valid=lambda: [(lease_item(LEASE), LEASE)],
        shapes=(Shape(mutate=of_item, samples=lambda: [lease_item(LEASE)]),),
    ),
    Decoder(
        name="parked row",
        covers=(
            "projections.stream.parking.dynamo_items:_parked",
            "projections.stream.parking.dynamo_items:_keys",
            "projections.stream.parking.dynamo_items:_text",
            "projections.stream.parking.dynamo_items:_decision",
            "projections.stream.parking.dynamo_items:standing_of",
            "projections.stream.parking.lot:position_of",
        ),
        decode=lambda item: (standing_of(item), to_parked(item))[1],
        errors=(RowUnreadable,),
        valid=lambda: [(parked_item(PARKED), PARKED)],
        shapes=(Shape(mutate=of_item, samples=lambda: [parked_item(PARKED)]),),
    ),
    Decoder(
        name="cursor",
        covers=("projections.answers.cursors:decode_pair",),
        decode=lambda text: cursors.decode_cursor("orders", text),
        errors=(InvalidCursor,),
        valid=lambda: [(_CURSOR, cursors.Position("2026-03-01", "b"))],
        shapes=(
            Shape(mutate=of_text, samples=lambda: [_CURSOR]),
            Shape(mutate=of_json, samples=lambda: [_told()], finish=_as_cursor),
        ),
    ),
    Decoder(
        name="place in a live stream",
        covers=("projections.live.positions:decode",),
        decode=lambda text: positions.decode("c-1", text),
        errors=(NotAPosition,),
        valid=lambda: [(_POSITION, positions.Position(3, {"0123456789ab": 7}))],
        shapes=(Shape(mutate=of_text, samples=lambda: [_POSITION, "7"]),),
    ),
    Decoder(
        name="number in a live stream",
        covers=("projections.live.positions:parse_commit",),
        decode=positions.parse_commit,
        errors=(NotAPosition,),
        valid=lambda: [("7", 7)],
        shapes=(Shape(mutate=of_text, samples=lambda: ["7", "123456789"]),),
    ),
    Decoder(
        name="row of a key",
        covers=("orderstore.privacy.dynamo_keys:wrapped_in",),
        decode=lambda row: wrapped_in(row, "customer:c-1"),
        errors=(KeyUnusable,),
        valid=lambda: [({"subject": {"S": "s"}, "wrapped": {"B": b"k"}}, b"k"), ({"erased_at": {"N": "1"}}, None)],
        shapes=(
            Shape(
                mutate=of_item,
                samples=lambda: [{"subject": {"S": "s"}, "wrapped": {"B": b"k"}, "created_at": {"N": "1"}}],
            ),
        ),
    ),
    Decoder(
        name="row of a rebuild",
        covers=("projections.rebuild.dynamo_book:rebuild_in",),
        decode=lambda item: rebuild_in(item, "order_status"),
        errors=(ViewStoreRefused,),
        valid=lambda: [(_rebuild_row(json.dumps(rebuild_documents()[0])), REBUILD)],
        shapes=(
            Shape(mutate=of_json_text, samples=rebuild_documents, finish=_rebuild_row),
            Shape(mutate=of_item, samples=lambda: [_rebuild_row(json.dumps(rebuild_documents()[0]))]),
        ),
    ),
)
