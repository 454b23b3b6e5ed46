"""How far each file is: a tree of ranges in a table, in which each line counts exactly once, however often its range is worked through.

    range: todo ── worked through ──> done
             └── cut into pieces ──> split ── its last piece is done ──> done

A range is done, and its parent has its figures, by one conditional transaction: whoever comes second changes nothing. Figures are summed up
along the tree, ten at a time, so that no item is everybody's. When the root is done, the file is.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Final, Literal

import anyio

from orderstore.store.trouble import Backoff
from workers.intake.bulk.files import FileName, Packing
from workers.tables.errors import ConditionRefused, TableContended, TransactionRefused
from workers.tables.port import Change, Item, Operation, PutNew, Table
from workers.tables.rows import reading, typed

FileState = Literal["running", "finished", "refused", "stopped"]
RangeState = Literal["todo", "split", "done"]
KEPT_S: Final = 90 * 86_400
"""How long the table remembers a file (its TTL). What it placed is remembered by the log, for ever."""
_HEAD: Final = "file"
_CONTENTION: Final = Backoff(tries_max=12, base_s=0.02, ceiling_s=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the lines of a range, or of a file."""

    lines: int = 0
    blank: int = 0
    accepted: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file. `size` is unpacked; `why` is the code of a refusal, or of a stop."""

    file: FileName
    size: int
    packing: Packing
    state: FileState
    why: str
    began_at_ms: int
    ended_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeRecord:
    """A range of a file's bytes. `cuts` are its pieces' ends, where it was cut; `rejects` is the object with what was refused in it."""

    start: int
    end: int
    state: RangeState
    parent: str
    cuts: tuple[int, ...]
    pieces_left: int
    are_pieces_sent: bool
    tally: Tally
    rejects: str
    done_at_ms: int

    @property
    def part(self) -> str:
        """Its sort key."""
        return part_of(self.start, self.end)

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """The ranges that it was cut into."""
        return list(pairwise(self.cuts))


def part_of(start: int, end: int) -> str:
    """The sort key of a range."""
    return f"{start:012x}-{end:012x}"


def total(ranges: Sequence[RangeRecord]) -> Tally:
    """The figures of several ranges."""
    names = ("lines", "blank", "accepted", "rejected")
    return Tally(**{name: sum(getattr(found.tally, name) for found in ranges) for name in names})


class Records:
    """Files and their ranges in the table. Every method may raise TableError."""

    def __init__(self, table: Table, *, now_ms: Callable[[], int], random: Random) -> None:
        self._table = table
        self._now_ms = now_ms
        self._random = random

    async def file(self, file_id: str) -> FileRecord | None:
        """What is known of a file."""
        item = await self._table.get(_key(file_id, _HEAD))
        return None if item is None else _file(item)

    async def begin(self, file: FileName, *, size: int, packing: Packing) -> FileRecord:
        """Put a file down with one range, all of it; one that is known stays as it is."""
        head = self._head(file, size=size, packing=packing, state="running", why="")
        root = self._range(file.id, 0, size, parent="")
        with suppress(TransactionRefused):
            await self._transact([head, root])
        return await self._known(file)

    async def refuse(self, file: FileName, *, size: int, why: str) -> FileRecord:
        """Put a file down that will not be worked through; one that is known stays as it is."""
        await self._table.put_new(self._head(file, size=size, packing="none", state="refused", why=why))
        return await self._known(file)

    def stopping(self, record: FileRecord, *, why: str) -> FileRecord:
        """As a running file will stand when it is stopped now."""
        return replace(record, state="stopped", why=why, ended_at_ms=self._now_ms())

    async def end(self, file_id: str, state: FileState, *, why: str = "") -> None:
        """Say that a running file came to its end; nothing if it has."""
        assign = {"state": state, "why": why, "ended_at_ms": self._now_ms()}
        try:
            await self._table.change(Change(key=_key(file_id, _HEAD), assign=assign, equals={"state": "running"}))
        except ConditionRefused:
            return

    async def range(self, file_id: str, part: str) -> RangeRecord | None:
        """What is known of a range."""
        item = await self._table.get(_key(file_id, part))
        return None if item is None else _range(item)

    async def cut(self, file_id: str, found: RangeRecord, cuts: Sequence[int]) -> None:
        """Cut a range into pieces, unless somebody has done something with it meanwhile."""
        change = Change(
            key=_key(file_id, found.part),
            assign={"state": "split", "cuts": list(cuts), "pieces_left": len(cuts) - 1},
            equals={"state": "todo"},
        )
        pieces = [self._range(file_id, a, b, parent=found.part) for a, b in pairwise(cuts)]
        await self._first([change, *pieces])

    async def sent(self, file_id: str, found: RangeRecord) -> None:
        """Remember that the pieces' messages are on their way: a second delivery need not send them again."""
        await self._table.change(Change(key=_key(file_id, found.part), assign={"are_pieces_sent": True}))

    async def done(self, file_id: str, found: RangeRecord, tally: Tally, *, rejects: str) -> bool:
        """Count a range that was worked through to its end. False: somebody else has, and nothing was counted."""
        assign = {"state": "done", "rejects": rejects, "done_at_ms": self._now_ms(), **_figures(tally)}
        change = Change(key=_key(file_id, found.part), assign=assign, equals={"state": "todo"})
        return await self._first([change, *self._counted(file_id, found, tally)])

    async def done_up_to(self, file_id: str, found: RangeRecord, place: int, tally: Tally, *, rejects: str) -> bool:
        """Count a range that was worked through up to a place: what is behind it is a range of its own. False: as `done`."""
        change = Change(
            key=_key(file_id, found.part),
            assign={"state": "split", "cuts": [found.start, place, found.end], "pieces_left": 1, **_figures(tally)},
            equals={"state": "todo"},
        )
        first = self._range(file_id, found.start, place, parent=found.part, state="done", rejects=rejects, tally=tally)
        return await self._first([change, first, self._range(file_id, place, found.end, parent=found.part)])

    async def climb(self, file_id: str, found: RangeRecord) -> RangeRecord | None:
        """From a range that is done to the root, closing what has no piece left; the root if it is done, else None."""
        while found.parent:
            parent = await self.range(file_id, found.parent)
            if parent is None or parent.state == "todo" or parent.pieces_left:
                return None
            if parent.state == "split":
                change = Change(
                    key=_key(file_id, parent.part),
                    assign={"state": "done", "done_at_ms": self._now_ms()},
                    equals={"state": "split", "pieces_left": 0},
                )
                await self._first([change, *self._counted(file_id, parent, parent.tally)])
            found = parent
        return await self.range(file_id, found.part)

    async def leaves(self, file_id: str, size: int) -> list[RangeRecord]:
        """The ranges that were not cut, in the file's order."""
        level = await self._ranges(file_id, [(0, size)])
        while any(found.cuts for found in level):
            pieces = iter(await self._ranges(file_id, [piece for found in level for piece in found.pieces]))
            level = [
                leaf for found in level for leaf in ([next(pieces) for _ in found.pieces] if found.cuts else [found])
            ]
        return level

    async def _ranges(self, file_id: str, bounds: Sequence[tuple[int, int]]) -> list[RangeRecord]:
        items = await self._table.get_many([_key(file_id, part_of(*both)) for both in bounds])
        return [_range(item) for item in items if item is not None]

    async def _known(self, file: FileName) -> FileRecord:
        found = await self.file(file.id)
        assert found is not None, "a file that was put down is there"
        return found

    async def _first(self, operations: Sequence[Operation]) -> bool:
        """Whether this was the first to do so."""
        try:
            await self._transact(operations)
        except TransactionRefused:
            return False
        return True

    async def _transact(self, operations: Sequence[Operation]) -> None:
        """Siblings meet at their parent: a little patience, and each gets through. Raises TransactionRefused."""
        for failures in range(1, _CONTENTION.tries_max):
            try:
                return await self._table.transact(operations)
            except TableContended:
                await anyio.sleep(_CONTENTION.sleep_s(failures, self._random))
        return await self._table.transact(operations)

    def _counted(self, file_id: str, found: RangeRecord, tally: Tally) -> list[Operation]:
        if not found.parent:
            return []
        add = {"pieces_left": -1, **_figures(tally)}
        return [Change(key=_key(file_id, found.parent), add=add, equals={"state": "split"})]

    def _head(self, file: FileName, *, size: int, packing: Packing, state: FileState, why: str) -> PutNew:
        now = self._now_ms()
        attributes = {
            "bucket": file.bucket,
            "object": file.key,
            "version": file.version,
            "etag": file.etag,
            "size": size,
            "packing": packing,
            "state": state,
            "why": why,
            "began_at_ms": now,
            "ended_at_ms": now if state != "running" else 0,
            "expires_at_s": now // 1000 + KEPT_S,
        }
        return PutNew(_key(file.id, _HEAD), attributes)

    def _range(
        self,
        file_id: str,
        start: int,
        end: int,
        *,
        parent: str,
        state: RangeState = "todo",
        rejects: str = "",
        tally: Tally | None = None,
    ) -> PutNew:
        now = self._now_ms()
        attributes: Item = {
            "start": start,
            "end": end,
            "state": state,
            "parent": parent,
            "cuts": [],
            "pieces_left": 0,
            "are_pieces_sent": False,
            "rejects": rejects,
            "done_at_ms": now if state == "done" else 0,
            "expires_at_s": now // 1000 + KEPT_S,
            **_figures(tally or Tally()),
        }
        return PutNew(_key(file_id, part_of(start, end)), attributes)


def _key(file_id: str, part: str) -> dict[str, str]:
    return {"file": file_id, "part": part}


def _figures(tally: Tally) -> dict[str, int]:
    return {"lines": tally.lines, "blank": tally.blank, "accepted": tally.accepted, "rejected": tally.rejected}


def _file(item: Item) -> FileRecord:
    """Raises RowUnreadable."""
    file = {"bucket": item.get("bucket"), "key": item.get("object"), "version": item.get("version")}
    return typed(FileRecord, {**item, "file": {**file, "etag": item.get("etag")}}, "a file of orders")


def _range(item: Item) -> RangeRecord:
    """Raises RowUnreadable."""
    with reading("a range of a file"):
        tally = {name: item[name] for name in ("lines", "blank", "accepted", "rejected")}
    return typed(RangeRecord, {**item, "tally": tally}, "a range of a file")
