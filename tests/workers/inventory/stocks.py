"""What suites about stock share: answers as they should be, rows as older builds wrote them, and a look at every row."""

from collections.abc import Mapping
from typing import Any

from workers.inventory.levels import level_of, place_of
from workers.inventory.stock import MAIN, Level, Place, Reserved
from workers.tables.memory import MemoryTable
from workers.tables.port import PutNew

OLD_WHOLE = {"state": "reserved", "quantities": {"A": 2}, "untracked": []}
OLD_CHUNKED = {"state": "reserved", "chunks": 1, "missing": []}
OLD_CHUNK = {"state": "held", "quantities": {"A": 2}, "untracked": []}


def reserved(quantities: Mapping[str, int], *untracked: str, at: str = MAIN) -> Reserved:
    """Everything at one location."""
    return Reserved(untracked, {at: dict(quantities)} if quantities else {})


async def put_old(table: Any, *, chunked: bool, begun: bool) -> None:
    """Five pieces of A, two of them held by `order-1`, as builds of before November 2026 (chunked) and of that month wrote it; `begun`:
    and its release was begun."""
    await table.put_new(PutNew({"key": "sku/A"}, {"on_hand": 5, "available": 3, "reserved": 2}))
    head = OLD_CHUNKED if chunked else OLD_WHOLE
    state = {"state": "releasing"} if begun else {}
    await table.put_new(PutNew({"key": "reservation/order-1"}, {**head, **state}))
    if chunked:
        await table.put_new(PutNew({"key": "reservation/order-1/0"}, OLD_CHUNK))


def all_levels(table: MemoryTable) -> dict[Place, Level]:
    """Every level at this moment, without a call that others could come in between."""
    found = {place_of(str(item["key"])): level_of(item) for item in table._items.values() if "on_hand" in item}
    return {place: level for place, level in found.items() if place is not None and level is not None}
