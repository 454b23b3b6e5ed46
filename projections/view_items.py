"""Documents as DynamoDB items and statements: names, encoding, requests. Pure.

Table: key `key`; global index `by_list` on `list_key`, `list_sort`, with everything in it. A document is a string of JSON, readable in the
console; compressed (zstd, as bytes) when that saves at least one write unit of 1 KB.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import zstandard

from projections.view_store import DOCUMENT_BYTES_MAX, Place, Stored, Write

INDEX: Final = "by_list"
STATEMENTS_PER_CALL: Final = 25  # AWS, "BatchExecuteStatement": at most 25 statements
BYTES_PER_CALL: Final = (
    900_000  # the HTTP client warns of bodies past 1 MiB, which hold up the event loop; AWS allows 16 MB
)
WRITE_UNIT_BYTES: Final = 1024
_LEVEL: Final = 3

Item = Mapping[str, Any]


def pointer_key(view: str) -> str:
    """The item that says which generation of a view its readers use."""
    return f"pointer/{view}"


def stored_from(item: Item) -> Stored:
    """The document in an item. Raises ValueError when it is none."""
    try:
        return Stored(
            key=item["key"]["S"],
            commit=int(item["last_commit"]["N"]),
            schema=int(item["schema"]["N"]),
            document=_document_bytes(item["document"]),
            list_key=item.get("list_key", {}).get("S"),
            list_sort=item.get("list_sort", {}).get("S"),
        )
    except (KeyError, TypeError, zstandard.ZstdError) as error:
        raise ValueError(f"no document of a view: {sorted(item)}") from error


def place_from(item: Item) -> Place:
    """Where in its list an item stands."""
    return Place(item["list_sort"]["S"], item["key"]["S"])


def start_key(list_key: str, place: Place) -> dict[str, Any]:
    """ExclusiveStartKey of a query of the index."""
    return {"list_key": {"S": list_key}, "list_sort": {"S": place.sort}, "key": {"S": place.key}}


def statement_for(table: str, write: Write) -> dict[str, Any]:
    """One conditional write as PartiQL: INSERT fails where there is an item, UPDATE where its commit is not the expected one.

    Names stand in quotes: some of them are reserved words.
    """
    values: dict[str, Any] = {
        "last_commit": {"N": str(write.commit)},
        "schema": {"N": str(write.schema)},
        "document": _document_value(write.document),
    }
    if write.list_key is not None:
        values |= {"list_key": {"S": write.list_key}, "list_sort": {"S": write.list_sort}}
    if write.expected_commit is None:
        values = {"key": {"S": write.key}, **values}
        fields = ", ".join(f"'{name}': ?" for name in values)
        return {"Statement": f'INSERT INTO "{table}" VALUE {{{fields}}}', "Parameters": list(values.values())}
    sets = " ".join(f'SET "{name}"=?' for name in values)
    removes = "" if write.list_key is not None else ' REMOVE "list_key" REMOVE "list_sort"'
    return {
        "Statement": f'UPDATE "{table}" {sets}{removes} WHERE "key"=? AND "last_commit"=?',
        "Parameters": [*values.values(), {"S": write.key}, {"N": str(write.expected_commit)}],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def calls(entries: Sequence[tuple[int, dict[str, Any]]]) -> list[list[tuple[int, dict[str, Any]]]]:
    """Numbered statements in calls that pass neither limit."""
    grouped: list[list[tuple[int, dict[str, Any]]]] = []
    bytes_left = 0
    for entry in entries:
        size = statement_bytes(entry[1])
        if not grouped or len(grouped[-1]) >= STATEMENTS_PER_CALL or size > bytes_left:
            grouped.append([])
            bytes_left = BYTES_PER_CALL
        grouped[-1].append(entry)
        bytes_left -= size
    return grouped


def statement_bytes(statement: Mapping[str, Any]) -> int:
    """About what a statement weighs on the wire: text is escaped, bytes travel as base64."""
    values = (next(iter(parameter.items())) for parameter in statement["Parameters"])
    return len(statement["Statement"]) + sum(
        math.ceil(len(value) * 4 / 3) if kind == "B" else len(json.dumps(value)) for kind, value in values
    )


def _document_value(document: bytes) -> dict[str, Any]:
    plain = {"S": document.decode()}
    if len(document) <= WRITE_UNIT_BYTES:
        return plain
    compressed = zstandard.ZstdCompressor(level=_LEVEL).compress(document)
    saved = math.ceil(len(document) / WRITE_UNIT_BYTES) - math.ceil(len(compressed) / WRITE_UNIT_BYTES)
    return {"B": compressed} if saved >= 1 else plain


def _document_bytes(value: Mapping[str, Any]) -> bytes:
    if "S" in value:
        return str(value["S"]).encode()
    return zstandard.ZstdDecompressor().decompress(value["B"], max_output_size=DOCUMENT_BYTES_MAX)
