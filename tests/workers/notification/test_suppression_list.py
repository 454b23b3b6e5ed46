"""The suppression list: one row for every way of writing an address, no address in it, lifted on record; on memory and the emulator."""

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.service_tables import KINDS, open_table
from tests.workers.world import World, a_key
from workers.notification.suppression import Report, Suppressions, normalised
from workers.runtime.outcome import Done
from workers.tables.errors import TableUnavailable
from workers.tables.memory import MemoryTable

BOUNCE = Report(reason="bounce", source="ses", at_ms=1_000, order="o-1", customer="c-1", detail="General")


@pytest.fixture(params=KINDS)
async def suppressions(request):
    async with open_table(request.param, "suppressions", request) as table:
        yield Suppressions(table, key_for=a_key, now_ms=lambda: 5_000)


async def test_an_address_is_suppressed_lifted_and_suppressed_again(suppressions) -> None:
    """Each step once; the row stays, and says who lifted it and why."""
    assert await suppressions.of("email", "ada@example.com") is None
    assert await suppressions.add("email", "ada@example.com", BOUNCE)
    assert not await suppressions.add("email", "ada@example.com", BOUNCE)
    row = await suppressions.of("email", "ada@example.com")
    assert (row.reason, row.since_ms, row.source, row.order, row.customer) == ("bounce", 1_000, "ses", "o-1", "c-1")
    assert await suppressions.lift(row.id, actor="ops", reason="ticket 7")
    assert not await suppressions.lift(row.id, actor="ops", reason="ticket 7")
    assert await suppressions.of("email", "ada@example.com") is None
    lifted = await suppressions.row(row.id)
    assert (lifted.active, lifted.lifted_by, lifted.lifted_because) == (False, "ops", "ticket 7")
    late = Report(reason="bounce", source="ses", at_ms=4_999)
    new = Report(reason="complaint", source="ses", at_ms=5_001)
    assert not await suppressions.add("email", "ada@example.com", late)
    assert await suppressions.add("email", "ada@example.com", new)
    assert (await suppressions.of("email", "ada@example.com")).reason == "complaint"
    assert [found.id async for found in suppressions.all()] == [row.id]


async def test_many_reports_of_one_address_at_once_make_one_row(suppressions) -> None:
    """One of them was the first; a lift in between is not lost."""
    results = []

    async def add() -> None:
        results.append(await suppressions.add("email", "ada@example.com", BOUNCE))

    async with anyio.create_task_group() as tasks:
        for _ in range(16):
            tasks.start_soon(add)
    assert results.count(True) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada@Example.COM", " ada@example.com ", True),
        ("Ada Lovelace <ada@example.com>", "ada@example.com", True),
        ("jürgen@bücher.example", "JÜRGEN@xn--bcher-kva.example", True),
        ("cafe\u0301@example.com", "caf\u00e9@example.com", True),
        ("ada+shop@example.com", "ada@example.com", False),
        ("ada@example.com", "ada@example.org", False),
        ("a.da@example.com", "ada@example.com", False),
    ],
)
def test_one_address_has_one_form(one: str, other: str, same: bool) -> None:
    """However it is written; but what may be somebody else's mailbox is another address."""
    assert (normalised("email", one) == normalised("email", other)) == same


def test_the_row_is_named_by_a_keyed_hash() -> None:
    """Another key gives another name; a phone's number and a mailbox never share one; no address is stored."""  # D31

    async def scenario() -> None:
        async def other_key(subject: str) -> bytes:
            assert subject == "service:suppressions"
            return b"another"

        table = MemoryTable()
        ours = Suppressions(table, key_for=a_key, now_ms=lambda: 0)
        theirs = Suppressions(table, key_for=other_key, now_ms=lambda: 0)
        await ours.add("email", "ada@example.com", BOUNCE)
        ids = {await ours.id_of("email", "x"), await ours.id_of("phone", "x"), await theirs.id_of("email", "x")}
        assert len(ids) == 3
        assert "ada" not in str([row async for row in table.scan()])

    run_virtual(scenario)


def test_who_is_on_the_list_gets_no_mail_and_the_record_says_why() -> None:
    """The order goes its way; lifted, the next event is mailed again."""  # E026, D10

    async def scenario() -> None:
        world = World()
        await world.suppressions.add("email", "ADA@example.com", BOUNCE)
        order_id = await world.place()
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert world.mailbox.sent == []
        rows = [row async for row in world.tables["notifications"].scan()]
        assert {(row["state"], row["detail"]) for row in rows} == {("suppressed", "suppression_list:bounce")}
        row = await world.suppressions.of("email", "ada@example.com")
        assert row is not None
        world.time_ms += 1
        assert await world.suppressions.lift(row.id, actor="ops", reason="mended")
        await world.place()
        await world.deliver()
        assert len(world.mailbox.sent) == 3

    run_virtual(scenario)


def test_a_list_that_cannot_be_read_delays_the_mail_and_nothing_else() -> None:
    """Nobody is written to who may be on it; afterwards everybody is told once."""

    async def scenario() -> None:
        world = World()
        real, left = world.suppressions.of, ["gone"] * 2

        async def of(kind, address):
            if left:
                raise TableUnavailable(left.pop())
            return await real(kind, address)

        world.suppressions.of = of
        order_id = await world.place()
        await world.deliver()
        assert await world.status(order_id) == "Completed"
        assert len(world.mailbox.sent) == 3
        assert (
            await world.handlers["notification"](
                next(message for queue, message in world.history if queue == "notification")
            )
            == Done()
        )

    run_virtual(scenario)
