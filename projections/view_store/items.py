"""Documents as DynamoDB items and statements: names, encoding, requests. Pure.

Table: key `key`; global index `by_list` on `list_key`, `list_sort`, with everything in it. A document is a string of JSON, readable in the
console; compressed (zstd, as bytes) when that saves at least one write unit of 1 KB.

The totals of a name are spread over `SLOTS` rows `<name>#<slot>`, so that writers of the same day do not wait for each other: each row has
the name in `total_of` and a number `sum_<measure>` for each measure; the total is the sum of the rows.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import zstandard

from orderstore.frames import unpacked_bytes
from projections.view_store import DOCUMENT_BYTES_MAX, Place, Stored, UnreadableDocument, ViewStoreRefused, Write
from projections.views.view import Generations

INDEX: Final = "by_list"
STATEMENTS_PER_CALL: Final = 25  # AWS, "BatchExecuteStatement": at most 25 statements
BYTES_PER_CALL: Final = (
    900_000  # the HTTP client warns of bodies past 1 MiB, which hold up the event loop; AWS allows 16 MB
)
WRITE_UNIT_BYTES: Final = 1024
_LEVEL: Final = 3
SLOTS: Final = 8  # may be raised; when it is lowered, the rows beyond it are forgotten
TOTAL_OF: Final = "total_of"
_MEASURE: Final = "sum_"

Item = Mapping[str, Any]
_FOREIGN: Final = (KeyError, TypeError, ValueError, AttributeError)
"""What attributes that are not as they were written raise when they are read."""


def pointer_key(view: str) -> str:
    """The item that says which generation of a view its readers use."""
    return f"pointer/{view}"


def generations_from(pointer: Item | None) -> Generations:
    """What a pointer item says. One from before there were rebuilds has the number of the current generation alone.

    Raises ViewStoreRefused: it is none, and which documents are to be read or written is not guessed.
    """
    if pointer is None:
        return Generations()
    try:
        return Generations(
            current=int(pointer["generation"]["N"]),
            building=_number(pointer, "building"),
            former=_number(pointer, "former"),
        )
    except _FOREIGN as error:
        raise ViewStoreRefused(f"no pointer to the generations of a view: {sorted(pointer)}") from error


def pointer_request(table: str, view: str, *, before: Generations, after: Generations) -> dict[str, Any]:
    """PutItem of a pointer, on the condition that it says `before`: where nobody ever wrote one, that is the first generation alone."""
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for name, number in _pointer_fields(before).items():
        if number is None:
            conditions.append(f"attribute_not_exists({name})")
        else:
            conditions.append(f"{name} = :{name}")
            values[f":{name}"] = {"N": str(number)}
    condition = " AND ".join(conditions)
    if before == Generations():
        condition = f"attribute_not_exists(#key) OR ({condition})"
    fields = {name: {"N": str(number)} for name, number in _pointer_fields(after).items() if number is not None}
    request = {
        "TableName": table,
        "Item": {"key": {"S": pointer_key(view)}, **fields},
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
    }
    return request | ({"ExpressionAttributeNames": {"#key": "key"}} if "#key" in condition else {})


def _pointer_fields(generations: Generations) -> dict[str, int | None]:
    return {"generation": generations.current, "building": generations.building, "former": generations.former}


def _number(item: Item, name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None


def total_keys(sum_key: str) -> tuple[str, ...]:
    """The rows that the totals of a name are spread over."""
    return tuple(f"{sum_key}#{slot}" for slot in range(SLOTS))


def addition_of(table: str, sum_key: str, amounts: Mapping[str, int], *, slot: int) -> dict[str, Any]:
    """What adds to a row of totals, and makes it if need be: an update of a transaction."""
    names = {f"#m{n}": f"{_MEASURE}{measure}" for n, measure in enumerate(amounts)}
    values = {f":m{n}": {"N": str(amount)} for n, amount in enumerate(amounts.values())}
    adds = ", ".join(f"#m{n} :m{n}" for n in range(len(amounts)))
    return {
        "TableName": table,
        "Key": {"key": {"S": total_keys(sum_key)[slot]}},
        "UpdateExpression": f"SET {TOTAL_OF} = :name ADD {adds}",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":name": {"S": sum_key}, **values},
    }


def totals_from(rows: Sequence[Item]) -> dict[str, dict[str, int]]:
    """By name, the sum of its rows. Raises ViewStoreRefused: a row is none, and a sum without it would be wrong."""
    totals: dict[str, dict[str, int]] = {}
    for row in rows:
        try:
            total = totals.setdefault(_text(row[TOTAL_OF]), {})
            for attribute, value in row.items():
                if attribute.startswith(_MEASURE):
                    measure = attribute.removeprefix(_MEASURE)
                    total[measure] = total.get(measure, 0) + int(value["N"])
        except _FOREIGN as error:
            raise ViewStoreRefused(f"no row of totals: {sorted(row)}") from error
    return totals


def stored_from(item: Item) -> Stored:
    """The document in an item. Raises UnreadableDocument when it is none."""
    try:
        return Stored(
            key=_text(item["key"]),
            commit=int(item["last_commit"]["N"]),
            schema=int(item["schema"]["N"]),
            document=_document_bytes(item["document"]),
            list_key=_text(item["list_key"]) if "list_key" in item else None,
            list_sort=_text(item["list_sort"]) if "list_sort" in item else None,
            contribution=_text(item["contribution"]) if "contribution" in item else "",
        )
    except (*_FOREIGN, zstandard.ZstdError) as error:
        raise UnreadableDocument(f"no document of a view: {sorted(item)}") from error


def place_from(item: Item) -> Place:
    """Where in its list an item stands. Raises UnreadableDocument."""
    try:
        return Place(_text(item["list_sort"]), _text(item["key"]))
    except _FOREIGN as error:
        raise UnreadableDocument(f"no place in a list: {sorted(item)}") from error


def _text(attribute: Mapping[str, Any]) -> str:
    value = attribute["S"]
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def start_key(list_key: str, place: Place) -> dict[str, Any]:
    """ExclusiveStartKey of a query of the index."""
    return {"list_key": {"S": list_key}, "list_sort": {"S": place.sort}, "key": {"S": place.key}}


def item_of(write: Write) -> dict[str, Any]:
    """The item that a write leaves, whatever stood there before."""
    return {"key": {"S": write.key}, **_values(write)}


def put_of(table: str, write: Write) -> dict[str, Any]:
    """The write as a put on its condition: of PutItem, and of a transaction."""
    request: dict[str, Any] = {
        "TableName": table,
        "Item": item_of(write),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if write.expected_commit is None:
        condition = {
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": "key"},
        }
        return request | condition
    values = {":commit": {"N": str(write.expected_commit)}}
    contributed = "attribute_not_exists(contribution)"
    if write.expected_contribution:
        contributed = "contribution = :contribution"
        values[":contribution"] = {"S": write.expected_contribution}
    return request | {
        "ConditionExpression": f"last_commit = :commit AND {contributed}",
        "ExpressionAttributeValues": values,
    }


def commit_in(item: Item | None) -> int | None:
    """The commit of an item that stood in a write's way; None where the answer did not show it."""
    commit = (item or {}).get("last_commit", {}).get("N")
    return None if commit is None else int(commit)


def statement_for(table: str, write: Write) -> dict[str, Any]:
    """One conditional write as PartiQL: INSERT fails where there is an item, UPDATE where its commit is not the expected one.

    Names stand in quotes: some of them are reserved words. For writes that leave the contribution as it is.
    """
    if write.expected_commit is None:
        values = item_of(write)
        fields = ", ".join(f"'{name}': ?" for name in values)
        return {"Statement": f'INSERT INTO "{table}" VALUE {{{fields}}}', "Parameters": list(values.values())}
    values = _values(write)
    sets = " ".join(f'SET "{name}"=?' for name in values)
    removes = "" if write.list_key is not None else ' REMOVE "list_key" REMOVE "list_sort"'
    contributed = [{"S": write.expected_contribution}] if write.expected_contribution else []
    condition = '"key"=? AND "last_commit"=?' + (' AND "contribution"=?' if contributed else "")
    return {
        "Statement": f'UPDATE "{table}" {sets}{removes} WHERE {condition}',
        "Parameters": [*values.values(), {"S": write.key}, {"N": str(write.expected_commit)}, *contributed],
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
    """About what a statement weighs on the wire."""
    return len(statement["Statement"]) + sum(map(_value_bytes, statement["Parameters"]))


def item_bytes(item: Item) -> int:
    """About what an item weighs on the wire."""
    return sum(len(name) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    """Text is escaped, bytes travel as base64."""
    [(kind, content)] = value.items()
    return math.ceil(len(content) * 4 / 3) if kind == "B" else len(json.dumps(content))


def _values(write: Write) -> dict[str, Any]:
    values: dict[str, Any] = {
        "last_commit": {"N": str(write.commit)},
        "schema": {"N": str(write.schema)},
        "document": _document_value(write.document),
    }
    if write.list_key is not None:
        values |= {"list_key": {"S": write.list_key}, "list_sort": {"S": write.list_sort}}
    return values | ({"contribution": {"S": write.contribution}} if write.contribution else {})


def _document_value(document: bytes) -> dict[str, Any]:
    plain = {"S": document.decode()}
    if len(document) <= WRITE_UNIT_BYTES:
        return plain
    compressed = zstandard.ZstdCompressor(level=_LEVEL).compress(document)
    saved = math.ceil(len(document) / WRITE_UNIT_BYTES) - math.ceil(len(compressed) / WRITE_UNIT_BYTES)
    return {"B": compressed} if saved >= 1 else plain


def _document_bytes(value: Mapping[str, Any]) -> bytes:
    if "S" in value:
        return _text(value).encode()
    # The size stands in the frame's head. It is looked at first, so that a small item cannot be made to fill the memory.
    if unpacked_bytes(value["B"]) > DOCUMENT_BYTES_MAX:
        raise ValueError("unpacked it would be longer than any document")
    return zstandard.ZstdDecompressor().decompress(
        value["B"], max_output_size=DOCUMENT_BYTES_MAX, allow_extra_data=False
    )
