"""A log in memory that can be tampered with, and the roots over it."""

from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from orderstore import codec
from orderstore.audit.findings import Reason
from orderstore.audit.root_maker import RootMaker
from orderstore.audit.root_store import RootStore
from orderstore.audit.roots import SignedRoot, parse_root, signed_root
from orderstore.audit.signing import MemorySigner, Signature
from orderstore.audit.whole import Report, verify_log
from orderstore.domain import events as e
from orderstore.objects import MemoryObjectStore
from orderstore.recorded import Actor, Cause
from orderstore.store.chain import hash_of, seal
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.builders import BOOKED, CAPTURED, DISPATCHED, NOON, PAID, RESERVED, order_created

NOON_MS = 1_772_366_400_000
HOUR_MS = 3_600_000
LOG = "test-events"
INVOICE = e.InvoiceIssued(
    series="UK-2026",
    number=7,
    invoice_number="UK-2026-000007",
    total_minor=90_000,
    currency="USD",
    issued_at=NOON.replace(minute=5, microsecond=123_456),
    supplied_at=NOON,
)


def stream_named(name: str) -> str:
    return f"test/order-{name}"


def commit_after(
    previous: Commit | None, stream: str, *events: e.Event, version: int, at_ms: int, actor: Actor
) -> Commit:
    cause = Cause(
        causation_id=f"request-{version}", purpose="test", correlation_id="correlation-1", actor=actor, source="test"
    )
    body = codec.encode(events, cause=cause, first_version=version, occurred_at=NOON)
    number = 1 if previous is None else previous.number + 1
    return seal(stream=stream, number=number, recorded_at_ms=at_ms, body=body, previous=previous)


def an_order(name: str, *, at_ms: int = NOON_MS) -> list[Commit]:
    """Four commits of one order: created, paid and reserved, shipped, invoiced."""
    stream = stream_named(name)
    written: list[Commit] = []
    created = order_created(order_id=name, reference=name)
    groups: tuple[tuple[Actor, tuple[e.Event, ...]], ...] = (
        (Actor("customer", "customer-1"), (created,)),
        (Actor("service", "payment"), (PAID, RESERVED)),
        (Actor("service", "shipping"), (BOOKED, DISPATCHED)),
        (Actor("service", "billing"), (INVOICE, CAPTURED)),
    )
    version = 1
    for number, (actor, events) in enumerate(groups):
        previous = written[-1] if written else None
        written.append(
            commit_after(previous, stream, *events, version=version, at_ms=at_ms + number * 1000, actor=actor)
        )
        version += len(events)
    return written


def shown_invoice(order: str) -> dict[str, Any]:
    """The invoice of `an_order`, as the view shows it."""
    return {
        "invoiceNumber": "UK-2026-000007",
        "series": "UK-2026",
        "number": 7,
        "currency": "USD",
        "totalMinor": 90_000,
        "total": "900.00",
        "issuedAt": "2026-03-01T12:05:00.123Z",
        "suppliedAt": "2026-03-01T12:00:00.000Z",
        "orderId": order,
        "customerId": "customer-1",
        "totalExact": "900",
        "lineCount": 2,
        "linesOmitted": 0,
        "lines": [
            {"sku": "LAPTOP-001", "description": "", "quantity": 1, "unitPrice": "850", "amount": "850"},
            {"sku": "MOUSE-002", "description": "", "quantity": 2, "unitPrice": "25", "amount": "50"},
        ],
    }


def rewritten(commits: list[Commit], number: int, **changes: Any) -> list[Commit]:
    """The order by somebody who changes a commit, and makes every hash from there on right again."""
    made: list[Commit] = []
    for commit in commits:
        changed = replace(commit, **changes) if commit.number == number else commit
        previous = made[-1] if made else None
        made.append(
            seal(
                stream=changed.stream,
                number=changed.number,
                recorded_at_ms=changed.recorded_at_ms,
                body=changed.body,
                previous=previous,
            )
        )
    return made


def resealed(commit: Commit, **changes: Any) -> Commit:
    changed = replace(commit, **changes)
    return replace(changed, hash=hash_of(changed))


class Tamperable(MemoryEventStore):
    """The log, with its door open at the back."""

    @property
    def orders(self) -> dict[str, list[Commit]]:
        return self._commits


class OpenObjects(MemoryObjectStore):
    """The bucket, with its door open at the back."""

    @property
    def contents(self) -> dict[str, bytes]:
        return self._contents


@dataclass
class Audited:
    """A log with roots, a clock, and a signing key."""

    store: Tamperable = field(default_factory=Tamperable)
    objects: OpenObjects = field(default_factory=OpenObjects)
    signer: MemorySigner = field(default_factory=MemorySigner)
    at_ms: int = NOON_MS

    def now_ms(self) -> int:
        return self.at_ms

    def maker(self, **options: Any) -> RootMaker:
        signer = options.pop("signer", self.signer)
        return RootMaker(self.store, self.objects, signer, log=LOG, now_ms=self.now_ms, **options)

    async def append(self, *commits: Commit) -> None:
        for commit in commits:
            await self.store.append(commit)

    async def root(self) -> SignedRoot:
        """An hour later, a root."""
        self.at_ms += HOUR_MS
        return await self.maker().make()

    async def verify(self, **options: Any) -> Report:
        return await verify_log(self.store, self.objects, log=LOG, **options)

    async def named(self, **options: Any) -> list[tuple[str, int, Reason]]:
        """What is wrong, in short."""
        report = await self.verify(**options)
        return [(finding.stream, finding.commit, finding.reason) for finding in report.findings]

    async def roots(self) -> list[SignedRoot]:
        store = RootStore(self.objects)
        return [parse_root(self.objects.contents[f"roots/{number:012d}.json"]) async for number in store.numbers()]

    async def resign(self, root: SignedRoot, signer: MemorySigner | None = None, **changes: Any) -> SignedRoot:
        """The root's document with changes, signed by somebody, put in its place."""
        text = orjson.dumps({**orjson.loads(root.text), **changes})
        made = signed_root(text, await (signer or self.signer).sign(text))
        self.objects.contents[root.key] = made.content
        return made

    def replace_root(self, root: SignedRoot, *, signature: Signature | None = None, text: bytes | None = None) -> None:
        """Another signature, or another text under the same signature."""
        made = signed_root(text or root.text, signature or root.signature)
        self.objects.contents[root.key] = made.content


async def three_orders() -> Audited:
    """A, B and C, four commits each, and one root over them."""
    audited = Audited()
    for name in ("a", "b", "c"):
        await audited.append(*an_order(name))
    await audited.root()
    return audited


def drop(audited: Audited, name: str) -> None:
    """Remove an order."""
    del audited.store.orders[stream_named(name)]
