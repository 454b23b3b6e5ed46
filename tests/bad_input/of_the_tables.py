"""Rows of the service tables, as DynamoDB hands them out and as what they stand for."""

from collections.abc import Callable
from typing import Any, Final

from tests.bad_input.decoder import Decoder, Shape
from tests.bad_input.mutations import of_item, of_plain
from workers.inbox import notes
from workers.intake.bulk import records as intake
from workers.inventory import levels, reservation
from workers.notification import suppression
from workers.notification.records import record_of
from workers.payment import attempts, stripe_intents
from workers.reconciliation import daily
from workers.sandbox import ledger
from workers.tables.attributes import decode_item, encode_item
from workers.tables.errors import RowUnreadable
from workers.webhooks import deliveries, delivery, endpoint

ENDPOINT: Final = {
    "endpoint": "e-1",
    "tenant": "main",
    "url": "https://one.example/hook",
    "event_types": ["OrderCreated"],
    "description": "shop",
    "state": "enabled",
    "cause": "",
    "since_ms": 5,
    "failing_since_ms": 0,
    "secrets": [{"id": "s", "ciphertext": "v1.AA", "created_at_ms": 1, "retires_at_ms": 0}],
    "created_at_ms": 1,
    "changes": [{"at_ms": 1, "actor_type": "operator", "actor": "ada", "what": "added", "reason": "why"}],
    "revision": 1,
}
DELIVERY: Final = {
    "delivery": "e-1/x",
    "endpoint": "e-1",
    "event": "x",
    "event_type": "OrderCreated",
    "order": "o-1",
    "occurred_at_ms": 1,
    "created_at_ms": 2,
    "payload": "{}",
    "state": "pending",
    "due_at_ms": 3,
    "tries": 1,
    "claims": 1,
    "attempts": [{"at_ms": 1, "status": 500, "duration_ms": 3, "error": "x", "answer": "y"}],
    "replay": "",
}
NOTIFICATION: Final = {
    "order": "o-1",
    "notification": "x:email",
    "channel": "email",
    "template": "order_created",
    "state": "sent",
    "channels": ["email", "inbox"],
    "claimed_at_ms": 1,
    "begun_at_ms": 1,
    "finished_at_ms": 2,
    "subject": "customer:c-1",
    "detail": "m-1",
    "delivered_at_ms": 7,
    "resend": {"by": "ada"},
}
SUPPRESSION: Final = {
    "address": "0" * 64,
    "kind": "email",
    "reason": "bounce",
    "source": "ses",
    "since_ms": 1,
    "active": True,
    "order": "",
    "customer": "",
    "detail": "",
    "lifted_at_ms": 0,
    "lifted_by": "",
    "lifted_because": "",
}
ASKED: Final = {"attempt": "a", "order": "o", "amount_minor": 5, "currency": "USD", "begun_at_ms": 1}
ATTEMPTS: Final = (
    {"attempt": "a", "state": "abandoned", "order": "o", "abandoned_at_ms": 1},
    {**ASKED, "state": "begun", "capture": True},
    {**ASKED, "state": "authorized", "capture": True, "reference": "r", "capture_before_s": 9, "taken": True},
    {**ASKED, "state": "declined", "capture": False, "category": "hard", "code": "c"},
)
ENTRY: Final = {"key": "payment/a", "order": "o", "kind": "charge", "at_ms": 1, "amount_minor": 5, "currency": "USD"}
LEVEL: Final = {"key": "sku/TEA", "on_hand": 5, "available": 3, "reserved": 2}
FULL_LEVEL: Final = {**LEVEL, "on_hand": 10, "committed": 4, "damaged": 1, "moves": 9}
HEAD: Final = {
    "key": "reservation/r",
    "state": "failed",
    "chunks": 0,
    "missing": [{"sku": "TEA", "wanted": 2, "available": 1}],
}
CHUNK: Final = {"key": "reservation/r/0", "state": "held", "quantities": {"TEA": 2}, "untracked": ["POST"]}
PARTED: Final = {
    "key": "reservation/r/0",
    "state": "parted",
    "quantities": {"TEA": 2, "MILK": 0},
    "elsewhere": {"north": {"TEA": 1}},
    "untracked": ["POST"],
    "awaited": {"MILK": 4},
    "done": {"commit/s": "0123456789ab"},
    "filled": {"1": {"north": {"TEA": 1}}},
    "revision": 3,
}
NOTE: Final = {
    "owner": "main/customer:c-1",
    "note": "0000000000001-x",
    "number": 1,
    "order_id": "o-1",
    "event_id": "x",
    "event_type": "OrderCreated",
    "template": "t",
    "title": "Thanks",
    "text": "Thank you",
    "created_at_ms": 1,
    "expires_at_s": 10**10,
    "unread_until": 10**10,
    "read_at_ms": 5,
}
FILE: Final = {
    "bucket": "b",
    "object": "intake/x.ndjson",
    "version": "v",
    "etag": "e",
    "size": 10,
    "packing": "none",
    "state": "running",
    "why": "",
    "began_at_ms": 1,
    "ended_at_ms": 0,
}
RANGE: Final = {
    "start": 0,
    "end": 10,
    "state": "split",
    "parent": "",
    "cuts": [0, 5, 10],
    "pieces_left": 2,
    "are_pieces_sent": True,
    "rejects": "",
    "done_at_ms": 0,
    "lines": 1,
    "blank": 0,
    "accepted": 1,
    "rejected": 0,
}
DAY: Final = {"attempt": "reconciliation/2026-03-01", "claimed_at_ms": 1, "done": False}


def _row(name: str, covers: tuple[str, ...], read: Callable[[Any], object], *rows: Any) -> Decoder:
    """A row is broken behind the library that turned it into plain values, and in front of it."""
    as_stored = [encode_item(row) for row in rows]

    def from_the_table(item: Any) -> object:
        return read(decode_item(item))

    return Decoder(
        name=name,
        covers=covers,
        decode=lambda given: from_the_table(given["stored"]) if "stored" in given else read(given["plain"]),
        errors=(RowUnreadable,),
        valid=lambda: [
            *(({"plain": row}, read(row)) for row in rows),
            *(({"stored": item}, read(row)) for item, row in zip(as_stored, rows, strict=True)),
        ],
        shapes=(
            Shape(mutate=of_item, samples=lambda: as_stored, finish=lambda item: {"stored": item}),
            Shape(mutate=of_plain, samples=lambda: rows, finish=_a_row),
        ),
    )


def _a_row(found: Any) -> Any:
    return {"plain": found if isinstance(found, dict) else {"it": found}}


DECODERS: Final = (
    Decoder(
        name="table item",
        covers=(
            "workers.tables.attributes:decode",
            "workers.tables.attributes:decode_item",
            "workers.tables.rows:typed",
            "workers.tables.rows:reading",
        ),
        decode=decode_item,
        errors=(RowUnreadable,),
        valid=lambda: [(encode_item(row), row) for row in (ENDPOINT, HEAD, CHUNK, NOTIFICATION)],
        shapes=(Shape(mutate=of_item, samples=lambda: [encode_item(row) for row in (ENDPOINT, HEAD, CHUNK)]),),
    ),
    _row("webhook endpoint", ("workers.webhooks.endpoint:from_row",), endpoint.from_row, ENDPOINT),
    _row("webhook delivery", ("workers.webhooks.delivery:from_row",), delivery.from_row, DELIVERY),
    _row("webhook delivery in a list", (), deliveries._listed, DELIVERY),
    _row("webhook delivery that is due", (), deliveries._due, DELIVERY),
    _row("notification", ("workers.notification.records:record_of",), record_of, NOTIFICATION),
    _row("suppression", (), suppression._suppression, SUPPRESSION),
    _row("payment attempt", (), attempts._attempt, *ATTEMPTS),
    _row("payment intent", (), stripe_intents._intent_in, {"attempt": "a:intent", "intent": "pi_1"}),
    _row("sandbox entry", (), ledger._entry, ENTRY),
    _row("stock level", (), levels.level_of, LEVEL, FULL_LEVEL),
    _row(
        "reservation",
        ("workers.inventory.reservation:missing_of",),
        lambda item: (reservation.head_of(item), reservation.missing_of(item)),
        HEAD,
    ),
    _row("part of a reservation", (), lambda item: reservation.records_of([item]), CHUNK, PARTED),
    _row("note in the inbox", (), lambda row: (notes.document_of(row), notes.is_kept(row, now_ms=1)), NOTE),
    _row("inbox", (), notes.last_number_of, {"owner": "o", "note": "head", "last_number": 5, "closed": False}),
    _row("record of a file of orders", (), intake._file, FILE),
    _row("range of a file of orders", ("workers.intake.bulk.records:_range",), intake._range, RANGE),
    _row("day of the reconciliation", (), daily._day_in, DAY),
)
