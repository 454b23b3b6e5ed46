"""The sandbox provider's books, read from its ledger as it lies there, and by nobody's code but this."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.projections.stream.fake_stream import wall_ms
from workers.payment.sandbox_cards import ASKS_CUSTOMER, held_until
from workers.reconciliation.payments import ProviderBooks, Standing, Theirs
from workers.sandbox.ledger import Entry, TableLedger

_BEGUN: Final = ("authorize", "charge")
_KEY: Final = re.compile(r"payment/(?P<attempt>[0-9a-f-]{36}:payment:(?P<number>[0-9]+)[^/]*)")


@dataclass(slots=True)
class AtProvider:
    """One payment as the provider has it. `given_back_at_once`: what the shop gave back of an attempt that it had given up."""

    key: str
    number: int
    begun: Entry
    settled: str | None = None
    acted: bool = False
    parts_minor: int = 0
    refunds: dict[str, int] = field(default_factory=dict)
    given_back_at_once: dict[str, int] = field(default_factory=dict)
    disputed_minor: int = 0
    dispute: str | None = None

    @property
    def _waits(self) -> bool:
        """For its customer, who was asked and has done nothing."""
        return self.begun.details.get("card") == ASKS_CUSTOMER and not self.acted

    @property
    def taken_minor(self) -> int:
        """What was taken."""
        if self.begun.kind == "charge":
            return 0 if self._waits or self.settled == "void" else int(self.begun.details["amount_minor"])
        return self.parts_minor

    @property
    def holds(self) -> bool:
        """Whether money is held that nobody has taken or let go, and that has not run out."""
        if self.begun.kind != "authorize" or self.settled is not None or self._waits:
            return False
        until = held_until(self.begun)
        return until is None or until.timestamp() * 1_000 > wall_ms()

    @property
    def standing(self) -> Standing:
        """In the words of a reconciliation."""
        return "taken" if self.taken_minor else "held" if self.holds else "nothing"

    @property
    def taken_back_minor(self) -> int:
        """By a bank, for now or for ever."""
        return 0 if self.dispute in (None, "won") else self.disputed_minor


def attempts_in(ledger: Iterable[Entry]) -> Sequence[AtProvider]:
    """The payments among these entries, the declined ones left out."""
    entries = sorted(ledger, key=lambda entry: entry.key)
    begun = {
        entry.key: AtProvider(entry.key, int(found["number"]), entry)
        for entry in entries
        if (found := _KEY.fullmatch(entry.key)) and entry.kind in _BEGUN
    }
    for entry in entries:
        found = _KEY.match(entry.key)
        payment = None if found is None else begun.get(found[0])
        if payment is not None and entry.key != payment.key:
            _told(payment, entry.key.removeprefix(f"{payment.key}/"), entry)
    return list(begun.values())


def _told(payment: AtProvider, what: str, entry: Entry) -> None:
    minor = int(entry.details.get("amount_minor", 0))
    match what.partition("/")[0], entry.kind:
        case "settled", kind:
            payment.settled = kind
            payment.parts_minor += minor if kind == "capture" else 0
        case "part", _:
            payment.parts_minor += minor
        case "acted", _:
            payment.acted = True
        case "refund", _:
            at_once = what.endswith(":return")
            (payment.given_back_at_once if at_once else payment.refunds)[entry.key] = minor
        case "dispute", "dispute":
            payment.disputed_minor, payment.dispute = minor, "open"
        case _:
            pass
    if what == "dispute/closed":
        payment.dispute = str(entry.details["outcome"])


class Books(ProviderBooks):
    """The same as a reconciliation reads a real provider's."""

    def __init__(self, ledger: TableLedger, *, begun_at_s: int) -> None:
        self._ledger = ledger
        self._begun_at_s = begun_at_s

    async def payments(self, since_s: int, until_s: int) -> AsyncIterator[Theirs]:
        """See `ProviderBooks`. A run fits into its first day."""
        if since_s <= self._begun_at_s < until_s:
            for payment in attempts_in([entry async for entry in self._ledger.entries()]):
                yield _theirs(payment)

    async def payment(self, reference: str) -> Theirs | None:
        """See `ProviderBooks`."""
        begun = await self._ledger.get(reference)
        if begun is None or begun.kind not in _BEGUN:
            return None
        mine = [entry async for entry in self._ledger.entries(order=begun.order)]
        return next(_theirs(one) for one in attempts_in(mine) if one.key == reference)

    async def touched(self, since_s: int, until_s: int) -> AsyncIterator[str]:
        """See `ProviderBooks`. Whatever was touched was begun on the same day."""
        nothing: tuple[str, ...] = ()
        for reference in nothing:
            yield reference


def _theirs(payment: AtProvider) -> Theirs:
    return Theirs(
        reference=payment.key,
        attempt_key=payment.key.removeprefix("payment/"),
        order_id=payment.begun.order,
        standing=payment.standing,
        amount_minor=payment.taken_minor or int(payment.begun.details["amount_minor"]),
        currency=str(payment.begun.details["currency"]),
        refunded_minor=sum(payment.refunds.values()) + sum(payment.given_back_at_once.values()),
        disputed_minor=payment.taken_back_minor,
    )
