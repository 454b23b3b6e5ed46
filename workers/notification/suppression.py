"""The suppression list: addresses that must not be written to any more, because they do not exist or somebody complained.

A row's key is a keyed hash of the address, never the address: whoever reads the table learns nobody's. The hash's key is one of the key
ring's (`service:suppressions`), wrapped by KMS as all the others. A row is never removed: lifted, it says by whom and why, and what
was reported before that moment does not bring it back.

    active ── lifted by an operator ──> lifted ── a later bounce or complaint ──> active
"""

import hashlib
import hmac
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any, Final, Literal

from workers.tables.errors import ConditionRefused, TableContended
from workers.tables.port import Change, Item, PutNew, Table
from workers.tables.rows import typed

Kind = Literal["email", "phone"]
Reason = Literal["bounce", "complaint", "operator"]
KEY_SUBJECT: Final = "service:suppressions"
TRIES_MAX: Final = 4

KeyFor = Callable[[str], Awaitable[bytes]]
"""The key of a subject, made on first use: `KeyRing.key_for`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One row. Times are milliseconds since 1970. `order` and `customer` are those by which it was come upon."""

    id: str
    kind: Kind
    reason: Reason
    source: str
    since_ms: int
    active: bool
    order: str = ""
    customer: str = ""
    detail: str = ""
    lifted_at_ms: int = 0
    lifted_by: str = ""
    lifted_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Why an address is to be suppressed. `at_ms` is when that happened, not when it was heard of."""

    reason: Reason
    source: str
    at_ms: int
    order: str = ""
    customer: str = ""
    detail: str = ""


class Suppressions:
    """Methods raise `TableError`, and what the key ring raises."""

    def __init__(self, table: Table, *, key_for: KeyFor, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._key_for = key_for
        self._now_ms = now_ms

    async def id_of(self, kind: Kind, address: str) -> str:
        """What stands for the address: the same for every way of writing it."""
        key = await self._key_for(KEY_SUBJECT)
        return hmac.new(key, f"{kind}\n{normalised(kind, address)}".encode(), hashlib.sha256).hexdigest()

    async def of(self, kind: Kind, address: str) -> Suppression | None:
        """The row that forbids this address; None: it may be written to."""
        found = await self.row(await self.id_of(kind, address))
        return found if found is not None and found.active else None

    async def row(self, suppression_id: str) -> Suppression | None:
        """A row, lifted or not."""
        row = await self._table.get({"address": suppression_id})
        return None if row is None else _suppression(row)

    async def add(self, kind: Kind, address: str, report: Report) -> bool:
        """Suppress the address; False when it was already, or the report is older than what lifted it. Raises TableContended."""
        suppression_id = await self.id_of(kind, address)
        for _ in range(TRIES_MAX):
            existing = await self._table.put_new(PutNew({"address": suppression_id}, _row(kind, report)))
            if existing is None:
                return True
            stands = _suppression({**existing, "address": suppression_id})
            if stands.active or report.at_ms <= stands.lifted_at_ms:
                return False
            again = {"active": True, "reason": report.reason, "source": report.source, "since_ms": report.at_ms,
                     "order": report.order, "customer": report.customer, "detail": report.detail}  # fmt: skip
            if await self._change(suppression_id, existing, again):
                return True
        raise TableContended("the suppression is changed by many at once")

    async def lift(self, suppression_id: str, *, actor: str, reason: str) -> bool:
        """Allow the address again; False when nothing forbids it. Raises TableContended."""
        for _ in range(TRIES_MAX):
            row = await self._table.get({"address": suppression_id})
            if row is None or not _suppression(row).active:
                return False
            lifted = {"active": False, "lifted_at_ms": self._now_ms(), "lifted_by": actor, "lifted_because": reason}
            if await self._change(suppression_id, row, lifted):
                return True
        raise TableContended("the suppression is changed by many at once")

    async def all(self) -> AsyncIterator[Suppression]:
        """Every row, in no order, lifted ones too. Reads the whole table."""
        async for row in self._table.scan():
            yield _suppression(row)

    async def _change(self, suppression_id: str, row: Item, assign: Item) -> bool:
        expected = {name: row[name] for name in ("active", "lifted_at_ms", "since_ms")}
        try:
            await self._table.change(Change(key={"address": suppression_id}, assign=assign, equals=expected))
        except ConditionRefused:
            return False
        return True


def normalised(kind: Kind, address: str) -> str:
    """One form for all ways of writing an address: case and composition of letters, the domain as DNS has it. A phone's number is E.164
    already. The part before the @ is compared without case too: no provider of note tells `Ada@` from `ada@`."""
    if kind == "phone":
        return address.strip()
    bare = parseaddr(address)[1] or address
    local, at, domain = unicodedata.normalize("NFC", bare).strip().casefold().rpartition("@")
    with suppress(UnicodeError):  # no name that DNS knows is left as it is written
        domain = domain.encode("idna").decode("ascii")
    return f"{local}{at}{domain}"


def _row(kind: Kind, report: Report) -> dict[str, Any]:
    return {
        "kind": kind,
        "reason": report.reason,
        "source": report.source,
        "since_ms": report.at_ms,
        "active": True,
        "order": report.order,
        "customer": report.customer,
        "detail": report.detail,
        "lifted_at_ms": 0,
        "lifted_by": "",
        "lifted_because": "",
    }


def _suppression(row: Item) -> Suppression:
    """Raises RowUnreadable: whether somebody may be written to is not guessed."""
    return typed(Suppression, {**row, "id": row.get("address")}, "a suppression")
