"""What a change of a schema breaks, and that a validator of JSON Schema agrees."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orderstore.schemas.compatibility import Change, changes, keeps, verdict
from tests.orderstore.schemas.instances import corners, valid, written

ORDER: dict[str, Any] = {
    "type": "object",
    "title": "An order",
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z]+$"},
        "amount": {"type": "integer", "minimum": 1},
        "mode": {"type": "string", "enum": ["a", "b"]},
        "note": {"type": "string", "maxLength": 5},
        "lines": {
            "type": "array",
            "items": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]},
        },
    },
    "required": ["id", "amount", "mode"],
}


def changed(edit) -> dict[str, Any]:
    schema = deepcopy(ORDER)
    edit(schema)
    return schema


def told(edit) -> tuple[str, list[str]]:
    found = changes(ORDER, changed(edit))
    return verdict(found), [str(change) for change in found]


@pytest.mark.parametrize(
    ("edit", "expected", "reason"),
    [
        (lambda s: s["properties"].update(extra={"type": "string"}), "FULL", "extra: added, optional"),
        (
            lambda s: (s["properties"].update(extra={"type": "string"}), s["required"].append("extra")),
            "FORWARD",
            "extra: added, required",
        ),
        (lambda s: s["required"].append("undeclared"), "FORWARD", "undeclared: added, required"),
        (lambda s: s["properties"].pop("note"), "FULL", "note: removed, was optional"),
        (
            lambda s: (s["properties"].pop("amount"), s["required"].remove("amount")),
            "BACKWARD",
            "amount: removed, was required",
        ),
        (lambda s: s["required"].append("note"), "FORWARD", "note: became required"),
        (lambda s: s["required"].remove("amount"), "BACKWARD", "amount: became optional"),
        (
            lambda s: s["properties"].update(amount={"type": "string"}),
            "NONE",
            "amount: type changed from integer to string",
        ),
        (
            lambda s: s["properties"]["amount"].update(type="number"),
            "BACKWARD",
            "amount: type changed from integer to number",
        ),
        (
            lambda s: s["properties"]["note"].update(type=["string", "null"]),
            "BACKWARD",
            "note: type changed from string to null or string",
        ),
        (lambda s: s["properties"]["mode"]["enum"].append("c"), "BACKWARD", "mode: enum widened by c"),
        (lambda s: s["properties"]["mode"]["enum"].remove("b"), "FORWARD", "mode: enum narrowed by b"),
        (lambda s: s["properties"]["mode"].pop("enum"), "BACKWARD", "mode: enum widened: was one of a, b"),
        (lambda s: s["properties"]["note"].update(enum=["x"]), "FORWARD", "note: enum narrowed to x"),
        (
            lambda s: s["properties"]["amount"].update(minimum=0),
            "BACKWARD",
            "amount: minimum changed from 1 to 0 (wider)",
        ),
        (
            lambda s: s["properties"]["amount"].update(maximum=9),
            "FORWARD",
            "amount: maximum changed from none to 9 (narrower)",
        ),
        (
            lambda s: s["properties"]["note"].update(maxLength=4),
            "FORWARD",
            "note: maxLength changed from 5 to 4 (narrower)",
        ),
        (
            lambda s: s["properties"]["id"].update(pattern="^[0-9]+$"),
            "NONE",
            "id: pattern changed from ^[a-z]+$ to ^[0-9]+$",
        ),
        (lambda s: s["properties"]["id"].pop("pattern"), "BACKWARD", "id: pattern changed from ^[a-z]+$ to none"),
        (
            lambda s: s["properties"]["note"].update(format="date-time"),
            "FORWARD",
            "note: format changed from none to date-time",
        ),
        (
            lambda s: s["properties"]["lines"]["items"]["properties"].update(sku={"type": "integer"}),
            "NONE",
            "lines[].sku: type changed from string to integer",
        ),
        (lambda s: s["properties"]["lines"]["items"]["required"].clear(), "BACKWARD", "lines[].sku: became optional"),
        (
            lambda s: s["properties"]["lines"].update(maxItems=9),
            "FORWARD",
            "lines: maxItems changed from none to 9 (narrower)",
        ),
        (lambda s: s["properties"]["note"].update({"not": {}}), "NONE", "note: not changed"),
        (
            lambda s: (s.pop("properties"), s["required"].clear()),
            "BACKWARD",
            "(whole): fields are no longer declared",
        ),
    ],
)
def test_each_way_to_change_a_schema_has_its_verdict_and_its_reason(edit, expected, reason) -> None:
    """The exact words, because people act on them."""  # E046, E124
    assert told(edit) == (expected, [reason])


def test_what_is_only_said_to_people_is_no_change() -> None:
    """Titles and descriptions may be put better, a note may be added, an event may be deprecated."""
    edit = {"title": "x", "description": "y", "deprecated": True, "x-owner": "z"}

    assert changes(ORDER, ORDER | edit) == ()
    assert told(lambda s: s["properties"]["note"].update(description="Somebody's words.")) == ("FULL", [])


def test_every_change_is_told_and_the_worst_of_them_counts() -> None:
    """One widened and one narrowed field together break both directions."""
    found = changes(
        ORDER,
        changed(lambda s: (s["properties"]["mode"]["enum"].append("c"), s["properties"]["amount"].update(minimum=2))),
    )

    assert [change.verdict for change in found] == ["FORWARD", "BACKWARD"]
    assert verdict(found) == "NONE"


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ("FULL", {"FULL", "BACKWARD", "FORWARD", "NONE"}),
        ("BACKWARD", {"BACKWARD", "NONE"}),
        ("FORWARD", {"FORWARD", "NONE"}),
        ("NONE", {"NONE"}),
    ],
)
def test_a_promise_is_kept_by_at_least_what_it_asks_for(found, kept) -> None:
    """FULL keeps them all; NONE promises nothing."""
    assert {promise for promise in ("FULL", "BACKWARD", "FORWARD", "NONE") if keeps(found, promise)} == kept


def leaves() -> st.SearchStrategy[dict[str, Any]]:
    low, high = st.integers(0, 3), st.integers(4, 8)
    words = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)
    return st.one_of(
        st.just({"type": "string"}),
        st.builds(lambda a, b: {"type": "string", "minLength": a, "maxLength": b}, low, high),
        st.sampled_from(["^[a-z]+$", "^[0-9]+$"]).map(lambda pattern: {"type": "string", "pattern": pattern}),
        words.map(lambda chosen: {"type": "string", "enum": chosen}),
        st.just({"type": "integer"}),
        low.map(lambda least: {"type": "integer", "minimum": least}),
        st.builds(lambda a, b: {"type": "integer", "minimum": a, "maximum": b}, low, high),
        st.just({"type": "number"}),
        st.just({"type": ["string", "null"]}),
        st.just({"type": "boolean"}),
    )


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda fields, needed: {"type": "object", "properties": fields, "required": sorted(needed & set(fields))},
        st.dictionaries(st.sampled_from("pqr"), inner, max_size=3),
        st.sets(st.sampled_from("pqr"), max_size=3),
    )


def nested() -> st.SearchStrategy[dict[str, Any]]:
    lists = st.builds(
        lambda items, least: {"type": "array", "items": items, **least},
        objects(leaves()),
        st.sampled_from([{}, {"minItems": 1}, {"maxItems": 3}]),
    )
    return objects(st.one_of(leaves(), lists, objects(leaves())))


@st.composite
def pairs(draw) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two versions of a schema: strangers now and then, neighbours mostly."""
    old = draw(nested())
    if draw(st.booleans()):
        return old, draw(nested())
    new = deepcopy(old)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from("pqr"))
        match draw(st.integers(0, 2)):
            case 0:
                new["properties"][name] = draw(leaves())
            case 1:
                new["properties"].pop(name, None)
            case _:
                pass
        needed = set(new["required"]) ^ ({name} if draw(st.booleans()) else set())
        new["required"] = sorted(needed & set(new["properties"]))
    return old, new


@pytest.mark.thorough
@given(pairs(), st.data())
def test_a_verdict_is_what_a_validator_says_of_anything_that_is_written(pair, data) -> None:
    """BACKWARD: whatever the old schema lets be written is valid under the new one; FORWARD: the other way round."""
    old, new = pair
    found = changes(old, new)

    if all(change.backward for change in found):
        assert valid(new, data.draw(written(old)))
    if all(change.forward for change in found):
        assert valid(old, data.draw(written(new)))


def undecided(found: tuple[Change, ...]) -> bool:
    """Whether a list of words meets a bound or a pattern: whether each word keeps it is not looked at, the change counts as a break."""
    words = {change.field for change in found if change.what.startswith("enum")}
    return any(change.field in words and not change.what.startswith("enum") for change in found)


@pytest.mark.thorough
@given(pairs())
def test_a_break_is_never_claimed_without_a_witness(pair) -> None:
    """Where a verdict says that readers break, there are data that they cannot read; a corner of the schema is enough to find them."""
    old, new = pair
    found = changes(old, new)
    assume(not undecided(found))

    assert all(change.backward for change in found) == all(valid(new, corner) for corner in corners(old))
    assert all(change.forward for change in found) == all(valid(old, corner) for corner in corners(new))
