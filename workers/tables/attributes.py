"""Plain values <-> DynamoDB's low-level attribute values."""

from collections.abc import Mapping, Sequence
from typing import Any

from workers.tables.port import Item
from workers.tables.rows import reading


def encode_item(item: Item) -> dict[str, Any]:
    """An item as the low-level client takes it."""
    return {name: encode(value) for name, value in item.items()}


def decode_item(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """An item as the low-level client gives it. Raises RowUnreadable."""
    with reading("an item of a table"):
        return {name: decode(value) for name, value in attributes.items()}


def encode(value: object) -> dict[str, Any]:
    """One value. Raises TypeError for what the port does not know (floats, None, bytes)."""
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case Mapping():
            return {"M": {name: encode(inner) for name, inner in value.items()}}
        case Sequence() if not isinstance(value, bytes | bytearray):
            return {"L": [encode(inner) for inner in value]}
        case _:
            raise TypeError(f"a table stores no {type(value).__name__}")


def decode(attribute: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the shape is the stored item's
    """One attribute value. Raises ValueError for a type that `encode` never writes."""
    ((kind, value),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return int(value)
        case "M":
            return {name: decode(inner) for name, inner in value.items()}
        case "L":
            return [decode(inner) for inner in value]
        case _:
            raise ValueError(f"an attribute of type {kind} was not written by this service")
