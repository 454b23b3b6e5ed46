"""A type, as JSON Schema (draft 2020-12): the part of it that says what our events look like, and no more.

Written here rather than taken from a library, because the result is committed and compared from release to release: an upgrade must not
change it. Nested objects stand where they are used. Additional properties are allowed everywhere: readers ignore what is new (E045).
"""

import inspect
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Schema = dict[str, Any]

_PLAIN: Final[Mapping[object, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    # As the codec writes them: an exact decimal in a string, a moment in ISO 8601.
    Decimal: {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
    datetime: {"type": "string", "format": "date-time"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a type alone does not say, in `Annotated[…, Shape(…)]`."""

    minimum: int | None = None
    pattern: str | None = None
    format: str | None = None

    def members(self) -> Schema:
        """As members of a schema."""
        found = {"minimum": self.minimum, "pattern": self.pattern, "format": self.format}
        return {name: value for name, value in found.items() if value is not None}


class NoSchema(TypeError):
    """A type that has no place in an event."""


def schema_of(annotation: object) -> Schema:
    """The schema of a type. Raises NoSchema."""
    origin = get_origin(annotation)
    if annotation in _PLAIN:
        return dict(_PLAIN[annotation])
    if origin is Annotated:
        inner, *notes = get_args(annotation)
        found = schema_of(inner)
        for note in notes:
            if isinstance(note, Shape):
                found |= note.members()
        return found
    if origin in (Required, NotRequired):
        return schema_of(get_args(annotation)[0])
    if origin is Literal:
        return {"type": "string", "enum": _words(annotation)}
    if origin in (Union, UnionType):
        return _nullable(annotation)
    if origin is tuple and get_args(annotation)[1:] == (Ellipsis,):
        return {"type": "array", "items": schema_of(get_args(annotation)[0])}
    if origin is list:
        return {"type": "array", "items": schema_of(get_args(annotation)[0])}
    if origin is Mapping:
        return {"type": "object"}
    if isinstance(annotation, type) and is_typeddict(annotation):
        return _typed_dict(annotation)
    if isinstance(annotation, type) and is_dataclass(annotation):
        return _dataclass(annotation)
    raise NoSchema(f"{annotation!r} has no place in an event: say how it is written, in orderstore/schemas/shape.py")


def described(annotation: object) -> str:
    """The first paragraph of a type's docstring, in one line."""
    return " ".join((inspect.getdoc(annotation) or "").split("\n\n")[0].split())


def _words(annotation: object) -> list[str]:
    words = list(get_args(annotation))
    if not all(isinstance(word, str) for word in words):
        raise NoSchema(f"{annotation!r}: the words of an event are strings")
    return words


def _nullable(annotation: object) -> Schema:
    """`X | None`: the only union that an event may hold."""
    inner = [member for member in get_args(annotation) if member is not NoneType]
    if len(inner) != 1:
        raise NoSchema(f"{annotation!r} is not one type or nothing")
    found = schema_of(inner[0])
    if "enum" in found:
        found["enum"] = [*found["enum"], None]
    return {**found, "type": [found["type"], "null"]}


def _typed_dict(annotation: type) -> Schema:
    hints = get_type_hints(annotation, include_extras=True)
    required = [name for name in hints if name in vars(annotation)["__required_keys__"]]
    return _object({name: schema_of(hint) for name, hint in hints.items()}, required)


def _dataclass(annotation: type) -> Schema:
    """An event's own class. The codec leaves absent values out, so a field that may be None is one that may be missing."""
    hints = get_type_hints(annotation, include_extras=True)
    properties: Schema = {}
    required: list[str] = []
    for field in fields(annotation):
        found = schema_of(hints[field.name])
        if isinstance(found["type"], list):
            found["type"] = found["type"][0]
            found |= {"enum": [word for word in found["enum"] if word is not None]} if "enum" in found else {}
        elif field.default is MISSING and field.default_factory is MISSING:
            required.append(field.name)
        properties[field.name] = found
    return _object(properties, required)


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required}
