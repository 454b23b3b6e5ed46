"""The codec guesses nothing: what is not exactly an event is refused, by a message that says where; what is newer is passed over."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from orderstore import codec
from orderstore.bounds import DIGITS_MAX, INTEGER_MAX, is_moment
from orderstore.domain import events as e
from orderstore.registry import EVENT_TYPES
from orderstore.store.chain import seal
from orderstore.store.port import Commit
from tests.builders import NOON, PAID, order_created
from tests.ordering import cause
from tests.orderstore.golden_events import COMPLETE

STREAM = "main/order-6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001"
Path = tuple[str | int, ...]


def body_of(event: e.Event) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(codec.encode((event,), cause=cause("test"), first_version=1, occurred_at=NOON))
    return body


def sealed(body: bytes) -> Commit:
    return seal(stream=STREAM, number=1, recorded_at_ms=1, body=body, previous=None)


def decoded(body: Any) -> e.Event:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return codec.decode(sealed(content))[0].event


def put(body: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """The body with another value at a place of its first event's data."""
    place: Any = body["events"][0]["data"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return body


def places(kind: type, of: Any, path: Path = (), *, required: bool = False) -> Iterator[Path]:
    """Where values of this type lie in the data of an event class; `required`: and None may not."""
    origin = get_origin(of)
    if origin in (Union, UnionType):
        for option in get_args(of):
            if option is not NoneType and not (required and option is kind):
                yield from places(kind, option, path, required=required)
    elif origin is tuple:
        yield from places(kind, get_args(of)[0], (*path, 0), required=required)
    elif dataclasses.is_dataclass(of):
        for name, hint in get_type_hints(of).items():
            yield from places(kind, hint, (*path, name), required=required)
    elif of is kind:
        yield path


def present(event: e.Event, path: Path) -> bool:
    place: Any = codec.data_of(event)
    for step in path:
        try:
            place = place[step]
        except (KeyError, IndexError):
            return False
    return True


def all_places(kind: type, *, required: bool = False) -> list[tuple[str, Path]]:
    """As far as COMPLETE fills them."""
    return [
        (entry.name, path)
        for entry in EVENT_TYPES
        for path in places(kind, entry.event, required=required)
        if present(COMPLETE[entry.name], path)
    ]


@pytest.mark.parametrize(("name", "path"), all_places(Decimal))
@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "nan", "", "1,50", True, [], {}])
def test_money_is_a_number_wherever_it_stands(name: str, path: Path, value: Any) -> None:
    """Every decimal of every event, also those that somebody adds one day."""
    with pytest.raises(codec.MalformedCommit, match=r"commit 1 of main/order-"):
        decoded(put(body_of(COMPLETE[name]), path, value))


@pytest.mark.parametrize(("name", "path"), all_places(int))
@pytest.mark.parametrize("value", ["1", 1.5, 1.0, True, [1]])
def test_a_count_is_a_whole_number_and_nothing_that_looks_like_one(name: str, path: Path, value: Any) -> None:
    """No conversion: what an older reader would have turned into another number is refused."""
    with pytest.raises(codec.MalformedCommit, match="Expected `int"):
        decoded(put(body_of(COMPLETE[name]), path, value))


@pytest.mark.parametrize(("name", "path"), all_places(str))
@pytest.mark.parametrize("value", [1, True, ["x"], {"x": 1}])
def test_a_text_is_a_text(name: str, path: Path, value: Any) -> None:
    """Numbers and objects are not turned into texts."""
    with pytest.raises(codec.MalformedCommit, match="Expected `str"):
        decoded(put(body_of(COMPLETE[name]), path, value))


@pytest.mark.parametrize(("name", "path"), all_places(bool))
@pytest.mark.parametrize("value", [1, 0, "true", "", [], {}])
def test_a_yes_or_no_is_nothing_else(name: str, path: Path, value: Any) -> None:
    """What is merely true enough for a program is no answer."""
    with pytest.raises(codec.MalformedCommit, match="Expected `bool`"):
        decoded(put(body_of(COMPLETE[name]), path, value))


@pytest.mark.parametrize(("name", "path"), all_places(datetime))
@pytest.mark.parametrize("value", ["yesterday", "2026-03-01", 1_772_366_400, "2026-13-01T12:00:00Z"])
def test_a_time_is_an_iso_8601_time(name: str, path: Path, value: Any) -> None:
    """A date alone, or seconds since 1970, is no time."""
    with pytest.raises(codec.MalformedCommit):
        decoded(put(body_of(COMPLETE[name]), path, value))


@pytest.mark.parametrize(
    ("name", "path"),
    [place for kind in (Decimal, int, str, bool, datetime) for place in all_places(kind, required=True)],
)
def test_nothing_is_no_value(name: str, path: Path) -> None:
    """A null where something has to be is refused; where nothing may be, it is the same as leaving it out."""
    with pytest.raises(codec.MalformedCommit, match="Expected `"):
        decoded(put(body_of(COMPLETE[name]), path, None))


def test_there_are_decimals_counts_texts_and_times_to_test() -> None:
    """The walk over the types finds what it is meant to find."""
    assert ("OrderCreated", ("lines", 0, "unit_price")) in all_places(Decimal)
    assert ("InventoryFailed", ("missing", 0, "wanted")) in all_places(int)
    assert ("OrderCreated", ("contact", "ciphertext")) in all_places(str)
    assert ("InvoiceIssued", ("supplied_at",)) in all_places(datetime)
    assert ("BackorderFilled", ("allocations", 0, "lines", 0, "quantity")) in all_places(int)
    assert all_places(bool) == [("OrderCreated", ("terms", "review")), ("PaymentCaptured", ("final",))]


@pytest.mark.parametrize("name", COMPLETE)
def test_every_required_field_is_missed(name: str) -> None:
    """Leave out each in turn: the message names the event."""
    event = COMPLETE[name]
    for field in dataclasses.fields(event):
        if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING:
            continue
        body = body_of(event)
        del body["events"][0]["data"][field.name]
        with pytest.raises(codec.MalformedCommit, match=rf"{name} .*missing required field `{field.name}`"):
            decoded(body)


@pytest.mark.parametrize("name", COMPLETE)
def test_fields_of_a_newer_minor_version_are_passed_over(name: str) -> None:
    """On every level: this build reads what it knows."""  # E045
    body = body_of(COMPLETE[name])
    stored = body["events"][0]
    stored["eventVersion"] = stored["eventVersion"].partition(".")[0] + ".99"
    for place in (body, stored, stored["data"], *stored["data"].get("lines", [])):
        place["novelty"] = {"deep": [1, "é", None]}

    assert decoded(body) == COMPLETE[name]


def stored_again(change: Callable[[bytes], bytes]) -> bytes:
    return change(codec.encode((order_created(),), cause=cause("test"), first_version=1, occurred_at=NOON))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"{",
        stored_again(lambda body: body[:-1]),
        stored_again(lambda body: body + b"}"),
        stored_again(lambda body: body.replace(b'"api"', b'"a\xffi"')),
        stored_again(lambda body: body.replace(b'"source"', b'"more":"\xff","source"')),
        stored_again(
            lambda body: body.replace(b'"source"', b'"more":' + b"[" * 100_000 + b"]" * 100_000 + b',"source"')
        ),
        stored_again(lambda body: body.replace(b'"total_minor":90000', b'"total_minor":NaN')),
        stored_again(lambda body: body.replace(b'"total_minor":90000', b'"total_minor":1e400')),
        stored_again(lambda body: body.replace(b'"total_minor":90000', b'"total_minor":' + b"9" * 5_000)),
        stored_again(lambda body: body.replace(b'"firstVersion":1', b'"firstVersion":"1"')),
        stored_again(lambda body: body.replace(b'"type":"service"', b'"type":"burglar"')),
        stored_again(lambda body: body.replace(b'"events":[', b'"events":[null,')),
    ],
    ids=lambda body: repr(body[:12]) + f"+{len(body)}",
)
def test_what_is_no_commit_is_malformed_and_never_anything_else(body: bytes) -> None:
    """One error for whatever bytes there are: not JSON, not UTF-8 (also where nobody reads), too deep, of another shape."""
    with pytest.raises(codec.MalformedCommit, match=r"commit 1 of main/order-.* cannot be read"):
        decoded(body)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    """Whatever is stored: an answer or a CodecError."""
    try:
        codec.decode(sealed(body))
    except codec.CodecError:
        return


def test_a_whole_number_is_never_rounded() -> None:
    """It comes back as it was written. What JSON readers that go through floats would lose is beyond all bounds, and refused."""
    for number in (INTEGER_MAX, INTEGER_MAX - 1, -INTEGER_MAX, INTEGER_MAX + 1, 2**53 + 1, 2**63, 2**64 + 1, -(2**70)):
        body = stored_again(
            lambda body, number=number: body.replace(b'"total_minor":90000', b'"total_minor":%d' % number)
        )
        if abs(number) > INTEGER_MAX:
            with pytest.raises(codec.MalformedCommit, match="total_minor is beyond all bounds"):
                decoded(body)
            continue
        event = decoded(body)
        assert isinstance(event, e.OrderCreated)
        assert event.total_minor == number


def test_nothing_happened_beyond_all_calendars() -> None:
    """Its date may be asked for in any zone; inside the data or beside them."""
    for year in ("0001", "9999"):
        body = body_of(PAID)
        body["events"][0]["occurredAt"] = f"{year}-06-01T12:00:00.000Z"
        with pytest.raises(codec.MalformedCommit, match="PaymentCompleted: it occurred beyond all calendars"):
            decoded(body)


@given(
    moment=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])).filter(is_moment),
    price=st.decimals(allow_nan=False, allow_infinity=False).filter(lambda price: abs(price.adjusted()) <= DIGITS_MAX),
    text=st.text(),
)
def test_data_are_written_as_ever(moment: datetime, price: Decimal, text: str) -> None:
    """The bytes are those that pydantic wrote while it did the writing, whatever the time, the decimal and the text; and they read back."""
    event = order_created(placed_at=moment, total_exact=price, channel=text)
    data = codec.data_of(event)

    assert data == TypeAdapter(e.OrderCreated).dump_python(event, mode="json", exclude_none=True)
    try:
        body = codec.encode((event,), cause=cause("test"), first_version=1, occurred_at=NOON)
    except TypeError:  # a lone surrogate is no text that can be stored
        return
    assert decoded(body) == event


def test_an_unknown_event_names_itself_and_its_commit() -> None:
    """Name or version: the reader is told what to deploy."""
    body = body_of(PAID)
    body["events"][0]["eventType"] = "PaymentExploded"
    with pytest.raises(codec.UnknownEvent, match=r"commit 1 of main/order-.*does not know PaymentExploded"):
        decoded(body)
    body = body_of(PAID)
    body["events"][0]["eventVersion"] = "7.0"
    with pytest.raises(codec.UnknownEvent, match=r"commit 1 of main/order-.*PaymentCompleted 7\.0"):
        decoded(body)


def test_a_time_without_its_offset_is_no_time() -> None:
    """Nobody could say when it was, and it could not be compared with any other."""
    body = body_of(PAID)
    body["events"][0]["occurredAt"] = "2026-11-21T12:00:00"

    with pytest.raises(codec.MalformedCommit, match="timezone"):
        decoded(body)
