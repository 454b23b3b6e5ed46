"""Which errors park an order and which make everybody wait; and that what is said of an error quotes nothing of a record."""

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from orderstore.codec import MalformedCommit, UnknownEvent, decode
from orderstore.domain.state import ImpossibleTransition
from orderstore.store import errors as s
from orderstore.store.chain import seal
from orderstore.store.port import Commit
from projections.parked_orders.judging import BUG_PATIENCE_S, BUG_TRIES, NEWER_EVENT_PATIENCE_S, PATIENCE_MAX_S, judge
from projections.projecting.errors import Contended, LogBehindStream
from projections.publishing import publisher as p
from projections.stream.gate import NotYet
from projections.stream.parking import LotUnavailable
from projections.view_store import port as v
from projections.views.view import OutOfPlace
from tests.projections.histories import happy_commits

STREAM = "main/order-6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"
SECRET = "jane.doe@example.com"

WAITING = (
    s.Throttled("Query", tries=8),
    s.Unavailable("Query", tries=8, ambiguous=False),
    s.Refused("PutItem", "AccessDeniedException", "not authorized"),
    s.Refused("PutItem", "ValidationException", "malformed"),
    v.ViewStoreThrottled("slow"),
    v.ViewStoreUnavailable("gone"),
    v.ViewStoreRefused("AccessDeniedException"),
    p.PublishUnavailable("no answer"),
    p.PublishRefused("PublishBatch: AuthorizationError: you may not"),
    p.PublishRefused("PublishBatch: NotFound: topic"),
    Contended("3 orders changed under 10 rounds"),
    NotYet("a restore is not finished"),
    LotUnavailable("out of reach"),
    ConnectionResetError(),
    TimeoutError(),
    MemoryError(),
    EndpointConnectionError(endpoint_url="http://x"),
    ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Query"),
    ExceptionGroup("many", [s.Throttled("Query", tries=8), KeyError("x")]),
)
PARKING = (
    UnknownEvent("commit 3 cannot be read: this build does not know OrderTeleported 2.0: there is no way"),
    MalformedCommit("commit 3 cannot be read"),
    s.CorruptCommit(STREAM, 3, "its hash is not that of its content"),
    s.StreamTooLong(STREAM, "a million"),
    LogBehindStream("the log ends"),
    OutOfPlace("created a second time by commit 4"),
    ImpossibleTransition("no"),
    v.DocumentTooLarge("400000 bytes"),
    p.PublishRefused("the topic refused 7a (InvalidParameter)", streams=[STREAM]),
    KeyError("a bug"),
    ExceptionGroup("two", [MalformedCommit("a"), MalformedCommit("b")]),
)


@pytest.mark.parametrize("error", WAITING, ids=repr)
def test_what_is_nobodys_fault_waits_for_ever(error: Exception) -> None:
    """Throttling, outages, contention, and above all permissions: none of it ever parks an order."""
    assert judge(error).cause is None


@pytest.mark.parametrize("error", PARKING, ids=repr)
def test_what_may_lie_at_an_order_parks_it(error: Exception) -> None:
    """After some tries, with its name."""
    verdict = judge(error)
    assert verdict.cause is not None
    assert verdict.tries_min >= 3


def test_every_error_of_the_log_and_the_views_is_judged_on_purpose() -> None:
    """A new one of the log's tree waits, until somebody decides otherwise."""
    parks = {s.CorruptCommit, s.StreamTooLong}
    for kind in s.StoreError.__subclasses__():
        error = kind.__new__(kind)
        if kind is s.CorruptCommit:
            error = s.CorruptCommit(STREAM, 1, "it is missing")
        assert (judge(error).cause is not None) is (kind in parks), kind
    for kind in v.ViewStoreError.__subclasses__():
        assert (judge(kind("x")).cause is not None) is (kind is v.DocumentTooLarge), kind


@pytest.mark.parametrize("error", PARKING, ids=repr)
def test_no_order_is_given_more_than_seconds(error: Exception) -> None:
    """Its shard waits with it: what takes longer, as a deployment does, is retried when it is over."""
    assert 0 <= judge(error).patience_s <= PATIENCE_MAX_S <= 15


def test_an_event_of_a_newer_build_is_tried_again_and_the_row_says_what_is_missing() -> None:
    """Its worker may be replaced in this moment."""
    verdict = judge(PARKING[0])
    assert verdict.patience_s == NEWER_EVENT_PATIENCE_S > 0
    assert verdict.cause is not None
    assert verdict.cause.message == (
        "this build does not know OrderTeleported 2.0 (commit 3): deploy one that does, then retry"
    )


def test_a_bug_is_parked_after_more_tries_and_names_its_place() -> None:
    """The line in our own code, and not a word of the message."""
    try:
        decode(replace(happy_commits()[0], body=3))  # type: ignore[arg-type]  # on purpose
    except AttributeError as error:
        verdict = judge(error)
    assert verdict.cause is not None
    assert (verdict.tries_min, verdict.patience_s) == (BUG_TRIES, BUG_PATIENCE_S)
    assert verdict.cause.error == "AttributeError"
    assert verdict.cause.message.startswith("not foreseen, at orderstore.codec:")


def test_an_error_that_names_its_orders_says_where_to_look() -> None:
    """So that the search need not halve."""
    assert judge(p.PublishRefused("refused", streams=[STREAM])).keys == {STREAM}
    assert judge(s.CorruptCommit(STREAM, 3, "its hash is not that of its content")).keys == {STREAM}


def body_with(text: str) -> list[bytes]:
    """Bodies that break a parser at every kind of place, with a text in each that must not come out of it."""
    good = happy_commits()[0].body
    return [
        text.encode(),
        good.replace(b'"OrderCreated"', f'"{text}"'.encode()),
        good.replace(b'"eventVersion":"', f'"eventVersion":"{text}'.encode()),
        good.replace(b'"currency":"', f'"currency":["{text}"],"x":"'.encode()),
        good.replace(b'"occurredAt":"', f'"occurredAt":"{text}'.encode(), 1),
        good.replace(b'"type":"', f'"type":"{text}'.encode(), 1),
        good.replace(b'"unit_price":"', f'"unit_price":"{text}'.encode(), 1),
        good.replace(b'"lines":[', f'"lines":["{text}",'.encode(), 1),
        good.replace(b'"unit_price":"850"', b'"unit_price":"NaN"'),
    ]


def failure_of(commit: Commit) -> Exception | None:
    try:
        decode(commit)
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    return None


@pytest.mark.parametrize("text", [SECRET, f"{SECRET})", f"x` at `$.{SECRET}`", "Jane Doe"])
def test_what_is_said_of_an_error_quotes_nothing_of_the_record(text: str) -> None:
    """An erasure has nothing to look for in a row: the parser's message quotes what it could not read, ours does not."""
    first = happy_commits()[0]
    failures = []
    for body in body_with(text):
        commit = seal(stream=first.stream, number=1, recorded_at_ms=1, body=body, previous=None)
        failures += [error for error in [failure_of(commit)] if error is not None]
    assert len(failures) >= 6
    for error in failures:
        cause = judge(error).cause
        assert cause is not None, error
        for word in ("jane", "Jane", "Doe", ".doe", "example"):
            assert word not in f"{cause.error} {cause.message}", (cause, error)
    for error in (
        KeyError(text),
        ValueError(text),
        OutOfPlace(f"commit 3 of {text}"),
        v.DocumentTooLarge(text),
        s.CorruptCommit(STREAM, 3, f"its attributes are not those of a commit: {text}"),
        s.CorruptCommit(STREAM, 3, text),
        UnknownEvent(f"this build does not know {text} 1.0"),
    ):
        cause = judge(error).cause
        assert cause is not None
        assert "jane" not in cause.message.lower(), cause
