"""Data that a schema lets be written: at random, and at every corner. A writer writes what is declared and nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

Schema = Mapping[str, Any]


def valid(schema: Schema, value: Any) -> bool:
    """What a JSON Schema validator says."""
    return bool(Draft202012Validator(schema).is_valid(value))


def closed(schema: Any) -> Any:
    """The schema as its writer keeps it: no field that is not declared."""
    if isinstance(schema, list):
        return [closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(inner) for name, inner in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        found["additionalProperties"] = False
    return found


def kinds(schema: Schema) -> tuple[str, ...]:
    found = schema["type"]
    return (found,) if isinstance(found, str) else tuple(found)


def written(schema: Schema) -> st.SearchStrategy[Any]:
    """Anything that a writer may write under this schema."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return st.one_of([_of_kind(kind, schema) for kind in kinds(schema)])


def _of_kind(kind: str, schema: Schema) -> st.SearchStrategy[Any]:
    if kind == "object":
        needed = schema.get("required", ())
        fields = {name: written(inner) for name, inner in schema.get("properties", {}).items()}
        return st.fixed_dictionaries(
            {name: strategy for name, strategy in fields.items() if name in needed},
            optional={name: strategy for name, strategy in fields.items() if name not in needed},
        )
    if kind == "array":
        return st.lists(
            written(schema["items"]), min_size=schema.get("minItems", 0), max_size=schema.get("maxItems", 4)
        )
    if kind == "string":
        if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        return st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 12))
    if kind == "integer":
        return st.integers(min_value=schema.get("minimum"), max_value=schema.get("maximum"))
    if kind == "number":
        whole = st.integers(min_value=schema.get("minimum"), max_value=schema.get("maximum"))
        return whole | st.floats(schema.get("minimum", -1e9), schema.get("maximum", 1e9), allow_nan=False)
    if kind == "boolean":
        return st.booleans()
    assert kind == "null"
    return st.none()


def corners(schema: Schema) -> Iterator[Any]:
    """What a writer may write at the edges: each word, each bound, each field there and absent, the rest as small as it may be."""
    if "enum" in schema:
        yield from schema["enum"]
        return
    for kind in kinds(schema):
        yield from _corners_of(kind, schema)


def _corners_of(kind: str, schema: Schema) -> Iterator[Any]:
    if kind == "object":
        fields = schema.get("properties", {})
        least = {name: next(corners(inner)) for name, inner in fields.items() if name in schema.get("required", ())}
        yield least
        for name, inner in fields.items():
            for corner in corners(inner):
                yield {**least, name: corner}
    elif kind == "array":
        low, high = schema.get("minItems", 0), schema.get("maxItems", 9)
        first = next(corners(schema["items"]))
        yield [first] * low
        yield [first] * high
        for corner in corners(schema["items"]):
            yield [corner] * max(low, 1)
    elif kind == "string":
        if "pattern" in schema:
            letter = {"^[a-z]+$": "a", "^[0-9]+$": "1"}[schema["pattern"]]
            yield from (letter, letter * 40)
        else:
            yield "x" * schema.get("minLength", 0)
            yield "X" * schema.get("maxLength", 40)
    elif kind == "integer":
        yield schema.get("minimum", -(10**6))
        yield schema.get("maximum", 10**6)
    elif kind == "number":
        yield schema.get("minimum", -(10**6)) + 0.5
        yield from _corners_of("integer", schema)
    else:
        yield from (True, False) if kind == "boolean" else (None,)
