"""Inboxes: each note once, numbered without holes, read once, empty for good after an erasure; the same on memory and on DynamoDB."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest
from aiobotocore.session import get_session

from tests.virtual_time import run_virtual
from tests.workers.service_tables import KINDS, client_settings
from workers.inbox.dynamo import DynamoInboxTable
from workers.inbox.memory import MemoryInboxTable
from workers.inbox.notes import DAY_S, NewNote, cut, owner_for
from workers.inbox.reading import InboxErasure, Inboxes
from workers.inbox.writing import InboxWriter
from workers.tables.errors import TableContended, TableRefused, TableThrottled, TableUnavailable
from workers.tables.port import Change

TENANT, CUSTOMER = "main", "C-1"
START_MS = 1_780_000_000_000


class Box:
    """One table, with everything that works on it."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.ms = START_MS
        self.writer = InboxWriter(table, now_ms=lambda: self.ms, random=Random(3), kept_days=90)
        self.inboxes = Inboxes(table, tenant=TENANT, now_ms=lambda: self.ms)
        self.erasure = InboxErasure(table, self.writer, tenant=TENANT)

    async def add(self, number: int, *, customer: str = CUSTOMER, **changes: Any) -> str:
        return await self.writer.add(note(number, customer=customer, **changes))


@asynccontextmanager
async def opened(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Box]:
    if kind == "memory":
        yield Box(MemoryInboxTable())
        return
    settings = request.getfixturevalue("environment")
    async with get_session().create_client("dynamodb", **client_settings(settings)) as client:
        name = f"{settings['ORDERSTORE_RESOURCE_PREFIX']}-inbox"
        yield Box(DynamoInboxTable(client, name, random=Random(3)))


def note(number: int, *, customer: str = CUSTOMER, **changes: Any) -> NewNote:
    event_id = f"6f0c0ac4-5a7c-5b11-8f2e-{number:012d}"
    values = {
        "owner": owner_for(TENANT, customer),
        "note_id": note_id(number),
        "order_id": "6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001",
        "event_id": event_id,
        "event_type": "PaymentCompleted",
        "template": "payment_completed.v1",
        "title": f"note {number}",
        "text": "paid",
    }
    return NewNote(**{**values, **changes})


def note_id(number: int) -> str:
    return f"{START_MS + number:013d}-6f0c0ac4-5a7c-5b11-8f2e-{number:012d}"


@pytest.mark.parametrize("kind", KINDS)
async def test_the_life_of_an_inbox(kind: str, request: pytest.FixtureRequest) -> None:
    """Notes come in once each, are shown newest first, are counted until they are read, and are gone after an erasure."""  # E031
    async with opened(kind, request) as box:
        inboxes = box.inboxes
        assert await inboxes.page(CUSTOMER, before=None, limit=10) == ([], None)
        assert (await inboxes.last_number(CUSTOMER), await inboxes.unread(CUSTOMER)) == (0, (0, False))
        assert [await box.add(number) for number in (1, 4, 2, 3, 4)] == ["added"] * 4 + ["there"]
        assert await box.add(1, customer="C-2") == "added"

        page, following = await inboxes.page(CUSTOMER, before=None, limit=3)
        assert [one["title"] for one in page] == ["note 4", "note 3", "note 2"]
        assert following == page[-1]["id"]
        rest, end = await inboxes.page(CUSTOMER, before=following, limit=3)
        assert ([one["title"] for one in rest], end) == (["note 1"], None)

        assert [one["title"] for one in await inboxes.after(CUSTOMER, 1, limit=2)] == ["note 4", "note 2"]
        assert [one["number"] for one in await inboxes.after(CUSTOMER, 0, limit=9)] == [1, 2, 3, 4]
        assert await inboxes.after(CUSTOMER, 4, limit=9) == []
        assert await inboxes.last_numbers([CUSTOMER, "C-2", "C-3"]) == {CUSTOMER: 4, "C-2": 1}
        assert await inboxes.last_numbers([]) == {}

        assert await inboxes.unread(CUSTOMER) == (4, False)
        read = await inboxes.mark_read(CUSTOMER, note_id(2))
        box.ms += 5_000
        assert (await inboxes.mark_read(CUSTOMER, note_id(2)))["readAt"] == read["readAt"] == "2026-05-28T20:26:40.000Z"
        assert await inboxes.unread(CUSTOMER) == (3, False)
        assert [one["readAt"] is None for one in page] == [True] * 3
        for nowhere in (note_id(9), "head"):
            with pytest.raises(LookupError):
                await inboxes.mark_read(CUSTOMER, nowhere)

        await box.erasure.forget("customer:C-1")
        await box.erasure.forget("customer:C-1")
        assert await inboxes.page(CUSTOMER, before=None, limit=10) == ([], None)
        assert await inboxes.after(CUSTOMER, 0, limit=9) == []
        assert await inboxes.unread(CUSTOMER) == (0, False)
        assert await box.add(5) == "closed"
        assert await inboxes.last_number(CUSTOMER) == 4
        assert len((await inboxes.page("C-2", before=None, limit=9))[0]) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_notes_that_come_at_once_are_numbered_without_holes(kind: str, request: pytest.FixtureRequest) -> None:
    """Whoever has read up to a number has missed nothing: no lower one comes later. The first two race for the head itself."""
    async with opened(kind, request) as box:
        results: list[str] = []

        async def add(number: int) -> None:
            results.append(await box.add(number))

        for numbers in (range(1, 4), range(2, 8)):
            async with anyio.create_task_group() as group:
                for number in numbers:
                    group.start_soon(add, number)
        assert sorted(results) == ["added"] * 7 + ["there"] * 2
        assert [one["number"] for one in await box.inboxes.after(CUSTOMER, 0, limit=99)] == list(range(1, 8))


@pytest.mark.parametrize("kind", KINDS)
async def test_what_came_in_last_is_found_however_far_down_it_stands(kind: str, request: pytest.FixtureRequest) -> None:
    """A note of long ago that is late, one that an older build wrote with its number in another place, and some that are gone."""
    async with opened(kind, request) as box:
        for number in (50, 60, 70, 80, 90, 100, 110, 10, 20):
            await box.add(number)
        assert [one["title"] for one in await box.inboxes.after(CUSTOMER, 8, limit=9)] == ["note 20"]
        assert [one["title"] for one in await box.inboxes.after(CUSTOMER, 7, limit=9)] == ["note 10", "note 20"]
        assert [one["number"] for one in await box.inboxes.after(CUSTOMER, 2, limit=3)] == [3, 4, 5]
        assert await box.inboxes.after(CUSTOMER, 99, limit=3) == []

        owner = owner_for(TENANT, CUSTOMER)
        old = {"owner": owner, "note": note_id(50)}
        await box.table.change(Change(key=old, assign={"number": 1}, remove=("ordinal",)))
        assert [one["number"] for one in await box.inboxes.after(CUSTOMER, 0, limit=2)] == [1, 2]
        assert [one["number"] for one in (await box.inboxes.page(CUSTOMER, before=None, limit=9))[0]][-3:] == [1, 9, 8]

        assert await box.table.remove(owner, limit=2) == 2  # as what has expired: the head knows nothing of it
        left = [one["number"] for one in await box.inboxes.after(CUSTOMER, 0, limit=9)]
        assert len(left) == 7
        assert left == sorted(left)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_erasure_wins_over_notes_that_are_on_their_way(kind: str, request: pytest.FixtureRequest) -> None:
    """Also over the very first one: afterwards the inbox is empty, and stays so."""
    async with opened(kind, request) as box:
        for customer in ("C-1", "C-7"):
            if customer == "C-1":
                await box.add(1)
            async with anyio.create_task_group() as group:
                for number in range(2, 6):
                    group.start_soon(box.writer.add, note(number, customer=customer))
                group.start_soon(box.erasure.forget, f"customer:{customer}")
            assert (await box.inboxes.page(customer, before=None, limit=9))[0] == []
            assert await box.add(9, customer=customer) == "closed"


def test_a_guest_has_no_inbox_to_close() -> None:
    """Erasing a guest leaves no row behind."""

    async def scenario() -> None:
        box = Box(MemoryInboxTable())
        await box.erasure.forget("guest:6f0c0ac4-5a7c-5b11-8f2e-0d7a4f6f0001")
        assert [row async for row in box.table.scan()] == []

    run_virtual(scenario)


def test_what_has_expired_is_not_shown_although_it_is_still_there() -> None:
    """DynamoDB deletes within some days, not at once: until then nobody sees, counts or reads it."""

    async def scenario() -> None:
        box = Box(MemoryInboxTable())
        await box.add(1)
        box.ms += 90 * DAY_S * 1000 - 1_000
        assert (
            len((await box.inboxes.page(CUSTOMER, before=None, limit=9))[0]),
            await box.inboxes.unread(CUSTOMER),
        ) == (1, (1, False))
        box.ms += 1_000
        assert (await box.inboxes.page(CUSTOMER, before=None, limit=9))[0] == []
        assert await box.inboxes.unread(CUSTOMER) == (0, False)
        with pytest.raises(LookupError):
            await box.inboxes.mark_read(CUSTOMER, note_id(1))
        await box.add(2)
        assert await box.inboxes.last_number(CUSTOMER) == 2

    run_virtual(scenario)


@pytest.mark.parametrize("kind", KINDS)
async def test_unread_notes_are_counted_up_to_a_bound(
    kind: str, request: pytest.FixtureRequest, monkeypatch: Any
) -> None:
    """A customer who never looks costs no more than a hundred notes a page, one who has read all of a great many no more than a thousand;
    and both are told that there may be more."""
    for module in ("dynamo", "memory"):
        monkeypatch.setattr(f"workers.inbox.{module}.UNREAD_AMONG", 12)
    monkeypatch.setattr("workers.inbox.dynamo.NOTES_PER_CALL", 5)
    monkeypatch.setattr("workers.inbox.reading.UNREAD_MAX", 8)
    async with opened(kind, request) as box:
        for number in range(1, 8):
            await box.add(number)
        assert await box.inboxes.unread(CUSTOMER) == (7, False)
        await box.add(8)
        assert await box.inboxes.unread(CUSTOMER) == (8, True)
        for number in range(9, 16):
            await box.add(number)
        for number in range(4, 16):
            await box.inboxes.mark_read(CUSTOMER, note_id(number))
        assert await box.inboxes.unread(CUSTOMER) == (0, True), "the three oldest are not looked at"
        owner = owner_for(TENANT, CUSTOMER)
        assert await box.table.remove(owner, limit=4) == 4
        assert await box.inboxes.unread(CUSTOMER) == (0, False)


def test_texts_are_bounded() -> None:
    """A row stays small whatever a template makes of an order."""

    async def scenario() -> None:
        box = Box(MemoryInboxTable())
        await box.add(1, title="t" * 999, text="x" * 99_999)
        (shown,) = (await box.inboxes.page(CUSTOMER, before=None, limit=9))[0]
        assert (len(shown["title"]), len(shown["text"])) == (200, 4_000)
        assert shown["text"].endswith("x…")

    run_virtual(scenario)
    assert cut("abc", 3) == "abc"


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        (TableThrottled, ConnectionError),
        (TableUnavailable, ConnectionError),
        (TableContended, ConnectionError),
        (TableRefused, TableRefused),
    ],
)
def test_what_may_pass_is_told_apart_from_a_fault_of_ours(raised: type[Exception], shown: type[Exception]) -> None:
    """The API answers 503 to the one, 500 to the other."""

    class Failing(MemoryInboxTable):
        async def number(self, owner: str) -> int:
            raise raised("x")

    async def scenario() -> None:
        with pytest.raises(shown):
            await Box(Failing()).inboxes.last_number(CUSTOMER)

    run_virtual(scenario)
