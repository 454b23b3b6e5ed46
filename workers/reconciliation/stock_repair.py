"""Putting right what the reconciliation of stock has found: by conditional writes that keep the invariant, each told.

What nobody can know from the rows is left to a person: an article that is short of what is set aside (count it), a row that is unreadable.
"""

from dataclasses import dataclass
from typing import Final

from workers.inventory.levels import LevelRow, level_key, untouched
from workers.inventory.reservation import reservation_of
from workers.inventory.stock import Place, Stock
from workers.reconciliation.stock import Finding, Report
from workers.tables.errors import ConditionRefused
from workers.tables.port import Change, Table

# A level is weighed as it stood still: so before what moves it.
_ORDER: Final = ("reserved_differs", "does_not_add_up", "order_ended", "order_unknown", "unreadable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What became of a finding; `told` says it in words."""

    finding: Finding
    done: bool
    told: str


async def repair(table: Table, stock: Stock, report: Report) -> tuple[Repair, ...]:
    """Every finding of a report, in an order in which none spoils the next. Raises StockError, TableError; may be repeated."""
    repairs, released = [], set[str]()
    all_known = not any(one.kind == "unreadable" and reservation_of(one.subject) for one in report.findings)
    for finding in sorted(report.findings, key=lambda one: _ORDER.index(one.kind)):
        match finding.kind:
            case "reserved_differs" if not all_known:
                told = "a reservation is unreadable: nobody knows what it holds"
                repairs.append(Repair(finding=finding, done=False, told=told))
            case "reserved_differs":
                repairs.append(await _reserved(table, finding))
            case "does_not_add_up":
                repairs.append(await _sum(table, finding))
            case "order_ended" | "order_unknown":
                if finding.subject not in released:
                    released.add(finding.subject)
                    await stock.release(finding.subject)
                repairs.append(Repair(finding=finding, done=True, told="released"))
            case "unreadable":
                repairs.append(Repair(finding=finding, done=False, told="for a person"))
    return tuple(repairs)


async def _reserved(table: Table, finding: Finding) -> Repair:
    """What is reserved follows the reservations: they are what orders were promised."""
    row, more = finding.seen, finding.ours - finding.theirs
    if row is None or row.available < more:
        return Repair(finding=finding, done=False, told="fewer pieces are available than are missing: count them")
    told = f"reserved {row.reserved} -> {finding.ours}, available {row.available} -> {row.available - more}"
    return await _write(table, finding, row, add={"reserved": more, "available": -more, "moves": 1}, told=told)


async def _sum(table: Table, finding: Finding) -> Repair:
    """What is on hand follows its parts."""
    row = finding.seen
    if row is None or min(row.available, row.reserved, row.committed, row.damaged) < 0:
        return Repair(finding=finding, done=False, told="a part of it is below zero: count the article")
    told = f"on hand {row.on_hand} -> {finding.ours}"
    return await _write(table, finding, row, add={"on_hand": finding.ours - row.on_hand, "moves": 1}, told=told)


async def _write(table: Table, finding: Finding, row: LevelRow, *, add: dict[str, int], told: str) -> Repair:
    change = Change(key=level_key(Place(finding.location, finding.sku)), add=add, equals=untouched(row))
    try:
        await table.change(change)
    except ConditionRefused:
        return Repair(finding=finding, done=False, told="it has moved meanwhile: run again")
    return Repair(finding=finding, done=True, told=told)
