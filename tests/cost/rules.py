"""What AWS charges for, as its documentation says it: pure arithmetic over sizes.

Each rule names its page. The examples of those pages are the tests (`test_rules_of_aws.py`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

WRITE_UNIT_BYTES: Final = 1024
READ_UNIT_BYTES: Final = 4096
STORED_OVERHEAD_BYTES: Final = 100
CHUNK_BYTES: Final = 64 * 1024

Item = Mapping[str, Any]
"""An item or a key in DynamoDB's own notation."""


def item_bytes(item: Item) -> int:
    """The size of an item: its attributes' names and values.

    Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats" (CapacityUnitCalculations.html). The hundred bytes of overhead are of
    storage alone, not of capacity.
    """
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def stored_bytes(item: Item | None) -> int:
    """What an item, or an entry of an index, takes of the storage that is charged: a hundred bytes on top (same page)."""
    return 0 if item is None else item_bytes(item) + STORED_OVERHEAD_BYTES


def value_bytes(value: Mapping[str, Any]) -> int:
    """The size of one value.

    Same page: strings by their UTF-8, numbers one byte for two significant digits and one more, binary as it is, null and boolean one byte,
    lists and maps three bytes and one more for each element.
    """
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return number_bytes(content)
        case "B":
            return len(content)
        case "BOOL" | "NULL":
            return 1
        case "SS":
            return sum(len(text.encode()) for text in content)
        case "NS":
            return sum(number_bytes(number) for number in content)
        case "BS":
            return sum(len(binary) for binary in content)
        case "L":
            return 3 + sum(1 + value_bytes(element) for element in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + value_bytes(element) for name, element in content.items())
    raise ValueError(f"no DynamoDB type: {kind}")


def number_bytes(number: str) -> int:
    """The size of a number: leading and trailing zeroes are trimmed, a sign takes a byte as in practice (the page says "approximately")."""
    mantissa, _, _ = number.lower().partition("e")
    digits = mantissa.lstrip("+-").replace(".", "").lstrip("0")
    significant = digits.rstrip("0")
    return math.ceil(len(significant) / 2) + 1 + mantissa.startswith("-")


def write_units(size: int, *, transactional: bool = False) -> int:
    """What a write of so many bytes costs: a unit for each KB begun, twice that in a transaction.

    "DynamoDB read and write operations" (read-write-operations.html), "Capacity unit consumption for write operations".
    """
    units = max(1, math.ceil(size / WRITE_UNIT_BYTES))
    return units * 2 if transactional else units


def read_units(size: int, *, consistent: bool, transactional: bool = False) -> float:
    """What a read of so many bytes costs: a unit for each 4 KB begun, half of it when it need not be consistent, twice in a transaction.

    Same page, "Capacity unit consumption for read operations". Also what is not there costs the least that there is.
    """
    units = max(1, math.ceil(size / READ_UNIT_BYTES))
    if transactional:
        return units * 2
    return units if consistent else units / 2


def written_units(before: Item | None, after: Item | None, *, transactional: bool = False) -> int:
    """What it costs the table that an item was `before` and is `after`: the larger of the two counts.

    Same page: PutItem, UpdateItem ("the larger of these item sizes"), DeleteItem ("the size of the deleted item"), and a condition that
    fails ("DynamoDB still consumes write capacity units"): then `after` is what was to be written, as far as it is known.
    """
    size = max(item_bytes(before) if before else 0, item_bytes(after) if after else 0)
    return write_units(size, transactional=transactional)


def index_units(before: Item | None, after: Item | None, keys: Sequence[str], *, transactional: bool = False) -> int:
    """What the same change costs a secondary index with these keys, given what the index held and holds of the item (None: nothing).

    "Using Global Secondary Indexes in DynamoDB" (GSI.html) and "Local Secondary Indexes" (LSI.html), "Write capacity units": nothing while
    the item is in the index neither before nor after; one write to put it in, to take it out, or to change what is projected; two when a
    key changes. An entry past 1 KB takes more. Neither page says what a transaction does to an index;
    DynamoDB Local says that it doubles, so it does here.
    """
    if before is None and after is None:
        return 0
    if before is None or after is None:
        return write_units(item_bytes(before or after or {}), transactional=transactional)
    if any(before[key] != after[key] for key in keys):
        return sum(write_units(item_bytes(entry), transactional=transactional) for entry in (before, after))
    if before == after:
        return 0
    return write_units(max(item_bytes(before), item_bytes(after)), transactional=transactional)


def billed_requests(payload: int) -> int:
    """How many requests of SQS or SNS a call is, by what it carries: each 64 KB begun is one, and a batch is one call.

    aws.amazon.com/sqs/pricing ("Each 64 KB chunk of a payload is billed as 1 request"), aws.amazon.com/sns/pricing ("Each 64KB chunk of
    published data is billed as 1 request").
    """
    return max(1, math.ceil(payload / CHUNK_BYTES))
