"""The schemas say what is really written: golden files, published events and made-up ones are valid, and wrong ones are not."""

import dataclasses
import json
import types
import typing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orderstore import codec
from orderstore.contract import public_data, publish
from orderstore.domain import events as e
from orderstore.registry import BY_CLASS, EVENT_TYPES
from orderstore.schemas import documents as document_module
from orderstore.schemas import readme as readme_module
from orderstore.schemas.asyncapi import asyncapi
from orderstore.schemas.documents import documents
from orderstore.schemas.published import FORMS, PublicData
from orderstore.schemas.shape import NoSchema, schema_of
from orderstore.store.chain import seal
from projections.publishing.announcements import announcements
from tests.builders import NOON, order_created
from tests.ordering import cause
from tests.orderstore.golden_events import EARLIER, PRESENT
from tests.orderstore.schemas.instances import closed
from tests.orderstore.test_golden_history import golden, schema

SCHEMAS = {(one.form, one.name): one.schema for one in documents()}


def assert_valid(schema: Any, value: Any) -> None:
    """Valid, and nothing in it that the schema does not declare."""
    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(closed(schema)).iter_errors(value)] == []


def commit(*events: e.Event):
    body = codec.encode(events, cause=cause("test"), first_version=1, occurred_at=NOON)
    return seal(stream="main/order-o-1", number=1, recorded_at_ms=1, body=body, previous=None)


def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type, absurd ones included."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([of_type(member) for member in arguments])
    if origin is tuple:
        return st.lists(of_type(arguments[0]), max_size=3).map(tuple)
    if hint is e.FreeText:
        return st.builds(e.FreeText, plain=st.text()) | st.builds(e.FreeText, sealed=of_type(e.SealedText))
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{field.name: of_type(hints[field.name]) for field in dataclasses.fields(hint)})
    return {
        str: st.text(max_size=20),
        int: st.integers(0, 10**12),
        bool: st.booleans(),
        Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=4),
        datetime: st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1)),  # noqa: DTZ001 - hypothesis wants it so
        type(None): st.none(),
    }[hint]


def let_in(event: e.Event) -> e.Event:
    """The event with what the door lets in: a currency that we trade in, at least one piece; attempts and invoices count from 1."""
    changes: dict[str, Any] = {"currency": "USD", "attempt": 1}
    if isinstance(event, e.InvoiceIssued | e.CreditNoteIssued):
        changes["number"] = 1
    counted = {field.name: not_empty(getattr(event, field.name)) for field in dataclasses.fields(event)}
    return dataclasses.replace(event, **counted | {name: to for name, to in changes.items() if name in counted})


def not_empty(value: Any) -> Any:
    """The same with a piece more wherever pieces are counted."""
    if isinstance(value, tuple):
        return tuple(not_empty(part) for part in value)
    if isinstance(value, e.Allocation):
        return dataclasses.replace(value, lines=not_empty(value.lines))
    if isinstance(value, e.OrderLine | e.Pieces | e.InspectedPieces):
        return dataclasses.replace(value, quantity=value.quantity + 1)
    return value


def an_event() -> st.SearchStrategy[e.Event]:
    return st.one_of([of_type(entry.event) for entry in EVENT_TYPES])


@pytest.mark.parametrize("name", [*PRESENT, *EARLIER])
def test_every_golden_file_is_valid_under_the_committed_schema_of_its_version(name: str) -> None:
    """Versions of the past too."""  # E124
    assert_valid(schema(name), golden(name))


@pytest.mark.thorough
@given(an_event())
@settings(max_examples=3 * settings().max_examples)
def test_whatever_the_domain_can_say_is_stored_as_the_schema_says(event: e.Event) -> None:
    """The schema is derived from the class; what the codec writes of any instance is valid, and declared to the last field."""  # E124
    name = BY_CLASS[type(event)].name

    assert_valid(SCHEMAS["stored", name], json.loads(orjson.dumps(codec.data_of(event))))


@pytest.mark.thorough
@given(an_event())
@settings(max_examples=3 * settings().max_examples)
def test_whatever_the_domain_can_say_is_published_as_the_schema_says(event: e.Event) -> None:
    """E135 on the way out: the types hold the code, this holds the types to what is really sent."""  # E042, E135
    name = BY_CLASS[type(event)].name
    data = json.loads(orjson.dumps(public_data(let_in(event))))

    if name in FORMS:
        assert_valid(SCHEMAS["published", name], data)


@pytest.mark.parametrize("name", PRESENT)
def test_every_published_example_is_valid_whole(name: str) -> None:
    """Envelope, data, and the commit that it came from."""  # E042
    stored = commit(PRESENT[name])
    assert_valid(SCHEMAS["stored", "Commit"], orjson.loads(stored.body))
    public = publish(codec.decode(stored)[0])
    if public is not None:
        envelope = orjson.loads(public.body)
        assert_valid(SCHEMAS["published", "Envelope"], envelope)
        assert_valid(SCHEMAS["published", name.partition("-")[0]], envelope["data"])


@pytest.mark.parametrize("name", [name for name in PRESENT if name.partition("-")[0] in FORMS])
def test_what_may_be_published_of_an_event_is_published(name: str) -> None:
    """Of a complete event every field that its form declares; of a minimal one every field that the form requires."""
    schema = SCHEMAS["published", name.partition("-")[0]]
    wanted = schema["properties"] if name.endswith("complete") else schema["required"]

    assert set(public_data(PRESENT[name])) >= set(wanted)


def test_an_event_that_travels_by_reference_is_valid_too() -> None:
    """`dataRef` in the place of `data`."""
    lines = tuple(e.OrderLine(sku=f"SKU-{i}", quantity=1, unit_price=Decimal(1)) for i in range(2_000))
    public = publish(codec.decode(commit(order_created(lines)))[0])
    assert public is not None

    assert_valid(SCHEMAS["published", "Envelope"], orjson.loads(public.body))


def test_the_notice_of_an_internal_commit_is_valid() -> None:
    """What only the archive hears."""
    [notice] = announcements(commit(e.PaymentVoided()))

    assert_valid(SCHEMAS["published", "CommitRecorded"], orjson.loads(notice.body))


def test_every_published_event_has_a_form_and_every_form_an_event() -> None:
    """The table of forms and the registry's column are one; the union that `public_data` returns has them all."""
    assert set(FORMS) == {entry.name for entry in EVENT_TYPES if entry.published}
    assert set(FORMS.values()) <= set(typing.get_args(PublicData))


def test_no_published_field_may_hold_what_is_personal() -> None:
    """By name, in the schemas themselves: a new field of these names is a decision, not an accident."""  # D31, K1
    personal = ("email", "name", "address", "contact", "phone", "note", "buyer", "cipher", "hooks", "providerReference")
    for (form, name), found in SCHEMAS.items():
        if form == "published":
            fields = [field.lower() for field in fields_of(found)]
            assert [word for word in personal if any(field.endswith(word.lower()) for field in fields)] == [], name


def fields_of(schema: Any) -> list[str]:
    """The name of every field, at any depth; the words of an enumeration are no fields."""
    if isinstance(schema, list):
        return [field for part in schema for field in fields_of(part)]
    if not isinstance(schema, dict):
        return []
    own = list(schema.get("properties", {}))
    return own + [field for part in schema.values() for field in fields_of(part)]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("OrderCreated", {"totalMinor": "900"}),
        ("OrderCreated", {"totalMinor": -1}),
        ("OrderCreated", {"currency": "usd"}),
        ("OrderCreated", {"items": [{"sku": "A", "quantity": 0, "price": "1"}]}),
        ("OrderCreated", {"totalAmount": "nine"}),
        ("PaymentCompleted", {"mode": "promised"}),
        ("InvoiceIssued", {"issuedAt": "2026-03-01"}),
    ],
)
def test_a_wrong_value_is_not_valid(name: str, change: dict[str, Any]) -> None:
    """A schema that accepts everything says nothing."""
    data = orjson.loads(
        orjson.dumps(public_data(next(event for event in PRESENT.values() if BY_CLASS[type(event)].name == name)))
    )
    validator = Draft202012Validator(SCHEMAS["published", name])

    assert validator.is_valid(data)
    assert not validator.is_valid(data | change)
    for field in data:
        assert not validator.is_valid({other: value for other, value in data.items() if other != field}), field


def test_a_type_without_a_place_in_an_event_is_refused() -> None:
    """A float, a dict of anything, a union: somebody has to say how it is written first."""
    for hint in (float, dict[str, int], int | str, Literal[1], bytes, tuple[int, str]):
        with pytest.raises(NoSchema):
            schema_of(hint)


def test_types_become_schemas() -> None:
    """Absent and null are two things: a published field may be null, a stored one is left out."""

    class Form(typing.TypedDict):
        a: int | None
        b: typing.NotRequired[Literal["x", "y"] | None]

    @dataclasses.dataclass
    class Stored:
        a: int
        b: Literal["x"] | None = None
        c: tuple[int, ...] = ()

    assert schema_of(Form) == {
        "type": "object",
        "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": ["string", "null"], "enum": ["x", "y", None]}},
        "required": ["a"],
    }
    assert schema_of(Stored) == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "string", "enum": ["x"]},
            "c": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["a"],
    }


def test_a_deprecated_event_says_so_everywhere(monkeypatch) -> None:
    """In its schemas, in the AsyncAPI document and in the table, with what to use in its place."""  # E124
    said = "use OrderCancelled, from 2.0.0"
    entries = [
        dataclasses.replace(entry, deprecated=said) if entry.name == "OrderRejected" else entry for entry in EVENT_TYPES
    ]
    for module in (document_module, readme_module):
        monkeypatch.setattr(module, "EVENT_TYPES", entries)
    found = [one.schema for one in documents() if one.name == "OrderRejected"]

    assert [(one["deprecated"], one["x-deprecated"]) for one in found] == [(True, said)] * 2
    assert asyncapi()["components"]["schemas"]["OrderRejected"]["deprecated"] is True
    assert f"| OrderRejected (deprecated: {said}) |" in readme_module.readme()
    assert not any("deprecated" in one.schema for one in documents() if one.name != "OrderRejected")
