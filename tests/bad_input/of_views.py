"""The read side: items and documents of views, totals, pointers, rebuilds; and an order folded into all of them."""

import json
from dataclasses import replace
from typing import Any, Final

import orjson
import zstandard

from orderstore import codec, contract
from orderstore.audit.moments import instant
from orderstore.domain import events as e
from orderstore.domain.state import ImpossibleTransition
from orderstore.history import History
from orderstore.recorded import Actor
from orderstore.store.chain import seal
from orderstore.store.port import Commit
from projections.answers.orders import document_in
from projections.comparing.differences import _shown
from projections.projecting import contributions
from projections.view_store import Place, Stored, UnreadableDocument, ViewStoreRefused, Write
from projections.view_store import items as view_items
from projections.views import daily_figures, deadlines, exceptions, invoices, order_status
from projections.views.view import Generations, NotADocument, OutOfPlace, View
from tests.bad_input.decoder import Decoder, Shape, samples
from tests.bad_input.documents import written
from tests.bad_input.mutations import of_bytes, of_item, of_json, of_json_text, of_tree
from tests.bad_input.of_the_log import AT_MS
from tests.builders import BOOKED, CAPTURED, DELIVERED, DISPATCHED, PAID, RESERVED, order_created
from tests.orderstore.audit.proofs import INVOICE, commit_after

VIEWS: Final[tuple[View[Any], ...]] = (
    order_status.VIEW,
    invoices.VIEW,
    deadlines.VIEW,
    exceptions.VIEW,
    daily_figures.VIEW,
)


@samples
def order() -> list[Commit]:
    """An order that was held, paid, shipped, invoiced, delivered and refunded in part; each commit with what happened at once."""
    actor = Actor("service", "test")
    groups: tuple[tuple[e.Event, ...], ...] = (
        (order_created(order_id="b", allowances=e.Allowances()),),
        (e.OrderHeld(hold_id="h1", reason="fraud_review"),),
        (e.OrderHoldReleased(hold_id="h1"),),
        (PAID,),
        (RESERVED, e.OrderConfirmed()),
        (BOOKED,),
        (DISPATCHED,),
        (INVOICE, CAPTURED),
        (DELIVERED,),
        (e.RefundRequested(refund_id="r1", amount_minor=2_500, lines=(e.Pieces(line=1, quantity=1),)),),
        (e.RefundIssued(refund_id="r1", amount_minor=2_500, provider_reference="re_1"),),
    )
    made: list[Commit] = []
    version = 1
    for group in groups:
        previous = made[-1] if made else None
        made.append(commit_after(previous, "test/order-b", *group, version=version, at_ms=AT_MS, actor=actor))
        version += len(group)
    return made


@samples
def histories() -> list[Any]:
    """An order's bodies, beside their commits."""
    return [[json.loads(commit.body) for commit in order()]]


def _sealed(bodies: Any) -> list[Commit]:
    made: list[Commit] = []
    for number, body in enumerate(bodies if isinstance(bodies, list | tuple) else [bodies], start=1):
        content = written(body).encode("utf-8", "surrogatepass")
        made.append(
            seal(
                stream=order()[0].stream,
                number=number,
                recorded_at_ms=order()[0].recorded_at_ms,
                body=content,
                previous=made[-1] if made else None,
            )
        )
    return made


def _folded(commits: list[Commit]) -> int:
    """The order, every view of it as it is stored, and what is published of it."""
    history = History(stream=order()[0].stream).then(*commits)
    for view in VIEWS:
        state = None
        for recorded in history.events:
            state = view.evolve(state, recorded)
        if state is not None:
            view.read(orjson.dumps(view.to_document(state)))
            view.listing(state)
            if view.sums is not None:
                contributions.written(view.sums(state))
    for recorded in history.events:
        contract.publish(recorded)
        instant(recorded.occurred_at)
    return len(history.events)


@samples
def states() -> list[tuple[View[Any], Any]]:
    history = History(stream=order()[0].stream).then(*order())
    found = []
    for view in VIEWS:
        state = None
        for recorded in history.events:
            state = view.evolve(state, recorded)
        if state is not None:
            found.append((view, state))
    return found


def documents_of(view: View[Any]) -> list[Any]:
    return [view.to_document(state) for known, state in states() if known is view]


@samples
def writes() -> list[Write]:
    view, state = states()[0]
    document = orjson.dumps(view.to_document(state))
    write = Write(
        key="g1/order_status/main/b",
        expected_commit=None,
        commit=4,
        schema=view.schema,
        document=document,
        list_key="g1/order_status/main/customer/c-1",
        list_sort="2026-03-01T12:00:00.000Z/b",
        contribution='{"2026-03-01/USD":{"orders":1}}',
        expected_contribution="",
        additions=(),
    )
    return [write, replace(write, list_key=None, list_sort=None, document=document + b" " * 5_000)]


@samples
def view_documents() -> list[Any]:
    return [view_items.item_of(write) for write in writes()]


def _stored(write: Write) -> Stored:
    return Stored(
        key=write.key,
        commit=write.commit,
        schema=write.schema,
        document=write.document,
        list_key=write.list_key,
        list_sort=write.list_sort,
        contribution=write.contribution,
    )


@samples
def packed_documents() -> list[bytes]:
    return [zstandard.compress(write.document) for write in writes()]


def _packed_document(content: bytes) -> Any:
    return {**view_documents()[0], "document": {"B": content}}


@samples
def total_rows() -> list[Any]:
    return [{"key": {"S": "t#1"}, "total_of": {"S": "t"}, "sum_orders": {"N": "3"}, "sum_net": {"N": "-5"}}]


@samples
def pointers() -> list[Any]:
    return [{"key": {"S": "pointer/x"}, "generation": {"N": "2"}, "building": {"N": "3"}, "former": {"N": "1"}}]


def _told_and_compared(document: bytes) -> object:
    """As the API tells it; a comparison finds it to be another than the right one."""
    stored = replace(_stored(writes()[0]), document=document)
    if _shown(stored) == _shown(_stored(writes()[0])):
        raise AssertionError("a broken document is taken for the right one")
    return document_in(stored)


def _view_decoder(view: View[Any]) -> Decoder:
    return Decoder(
        name=f"view {view.name}",
        covers=(f"projections.views.{view.name}:from_document", "projections.views.view:View.read"),
        decode=view.read,
        errors=(NotADocument,),
        valid=lambda: [(orjson.dumps(view.to_document(state)), state) for known, state in states() if known is view],
        shapes=(Shape(mutate=of_json, samples=samples(lambda: documents_of(view) or [{}])),),
    )


DECODERS: Final = (
    Decoder(
        name="order's history",
        covers=(),
        decode=_folded,
        errors=(codec.CodecError, ImpossibleTransition, OutOfPlace),
        valid=lambda: [(order(), 13)],
        shapes=(Shape(mutate=of_tree, samples=histories, finish=_sealed),),
        weight=3,
    ),
    Decoder(
        name="view item",
        covers=(
            "orderstore.frames:unpacked_bytes",
            "projections.view_store.items:stored_from",
            "projections.view_store.items:_document_bytes",
            "projections.view_store.items:_text",
        ),
        decode=view_items.stored_from,
        errors=(UnreadableDocument,),
        valid=lambda: [(item, _stored(write)) for item, write in zip(view_documents(), writes(), strict=True)],
        shapes=(
            Shape(mutate=of_item, samples=view_documents),
            Shape(mutate=of_bytes, samples=packed_documents, finish=_packed_document),
        ),
    ),
    Decoder(
        name="place in a list",
        covers=("projections.view_store.items:place_from",),
        decode=view_items.place_from,
        errors=(UnreadableDocument,),
        valid=lambda: [(view_documents()[0], Place(writes()[0].list_sort or "", writes()[0].key))],
        shapes=(Shape(mutate=of_item, samples=view_documents),),
    ),
    Decoder(
        name="row of totals",
        covers=("projections.view_store.items:totals_from",),
        decode=lambda row: view_items.totals_from([row, row]),
        errors=(ViewStoreRefused,),
        valid=lambda: [(total_rows()[0], {"t": {"orders": 6, "net": -10}})],
        shapes=(Shape(mutate=of_item, samples=total_rows),),
    ),
    Decoder(
        name="pointer of a view",
        covers=("projections.view_store.items:generations_from", "projections.view_store.items:_number"),
        decode=view_items.generations_from,
        errors=(ViewStoreRefused,),
        valid=lambda: [(pointers()[0], Generations(current=2, building=3, former=1)), (None, Generations())],
        shapes=(Shape(mutate=of_item, samples=pointers),),
    ),
    *map(_view_decoder, VIEWS),
    Decoder(
        name="document in an answer",
        covers=(
            "projections.answers.orders:document_in",
            "projections.comparing.differences:_shown",
            "projections.rebuild.comparing:Comparison._shown",
        ),
        decode=_told_and_compared,
        errors=(UnreadableDocument,),
        valid=lambda: [(b'{"a": 1}', {"a": 1})],
        shapes=(Shape(mutate=of_json, samples=lambda: [{"a": 1, "b": [{"c": None}]}]),),
    ),
    Decoder(
        name="contribution to totals",
        covers=("projections.projecting.contributions:read",),
        decode=contributions.read,
        errors=(ValueError,),
        valid=lambda: [(writes()[0].contribution, {"2026-03-01/USD": {"orders": 1}})],
        shapes=(Shape(mutate=of_json_text, samples=lambda: [{"2026-03-01/USD": {"orders": 1, "net": -5}}]),),
    ),
)
