"""Writes that move totals, as transactions: how they are packed, what a request says, what a cancellation says. Pure.

Several documents go together, so that what they add to the same totals is added once, to one row.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from projections.view_store import Write
from projections.view_store import items as view_items

DOCUMENTS_MAX: Final = 25  # one that lost its race sends the others again: not too many
ITEMS_MAX: Final = 100  # AWS, "TransactWriteItems": at most 100 items, 4 MB
BYTES_MAX: Final = view_items.BYTES_PER_CALL

Entry = tuple[int, Write]
"""A write, and its number among those of the call."""


def packed(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The writes in transactions that pass no limit, in their order."""
    packs: list[list[Entry]] = []
    names: set[str] = set()
    size = 0
    for number, write in entries:
        its_names = {addition.sum_key for addition in write.additions}
        its_size = view_items.item_bytes(view_items.item_of(write))
        full = (
            not packs
            or len(packs[-1]) >= DOCUMENTS_MAX
            or len(packs[-1]) + 1 + len(names | its_names) > ITEMS_MAX
            or size + its_size > BYTES_MAX
        )
        if full:
            packs.append([])
            names, size = set(), 0
        packs[-1].append((number, write))
        names |= its_names
        size += its_size
    return packs


def request(table: str, writes: Sequence[Write], *, slot: int, token: str) -> dict[str, Any]:
    """TransactWriteItems: the documents, each on its condition, then the totals, each in its row `slot`."""
    puts = [{"Put": view_items.put_of(table, write)} for write in writes]
    adds = [
        {"Update": view_items.addition_of(table, sum_key, amounts, slot=slot)}
        for sum_key, amounts in merged(writes).items()
    ]
    return {"TransactItems": [*puts, *adds], "ClientRequestToken": token}


def merged(writes: Sequence[Write]) -> dict[str, dict[str, int]]:
    """What the writes add together, by name; what comes to nothing is left out."""
    total: dict[str, dict[str, int]] = {}
    for write in writes:
        for addition in write.additions:
            into = total.setdefault(addition.sum_key, {})
            for measure, amount in addition.amounts.items():
                into[measure] = into.get(measure, 0) + amount
    moved = {name: {measure: n for measure, n in amounts.items() if n} for name, amounts in total.items()}
    return {name: amounts for name, amounts in moved.items() if amounts}


def reasons_in(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Why a transaction was cancelled, item by item in the order of the request; [] when it was not cancelled, or nobody says why."""
    reasons: list[Mapping[str, Any]] = response.get("CancellationReasons") or []
    return reasons if any(reason.get("Code", "None") != "None" for reason in reasons) else []
