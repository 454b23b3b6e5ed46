"""The promises of the payment attempts and of the sandbox's ledger, on memory and on DynamoDB's emulator."""

from datetime import UTC, datetime

import anyio
import pytest

from orderstore.domain.money import Money
from tests.workers.service_tables import KINDS, open_table
from workers.payment.attempts import TableAttempts
from workers.payment.gateway import Authorized, Declined
from workers.sandbox.ledger import TableLedger

AMOUNT = Money(90_000, "USD")


@pytest.fixture(params=KINDS)
async def attempts(request):
    async with open_table(request.param, "payments", request) as table:
        yield TableAttempts(table, now_ms=lambda: 1_000)


@pytest.fixture(params=KINDS)
async def ledger(request):
    async with open_table(request.param, "sandbox", request) as table:
        yield TableLedger(table, now_ms=lambda: 1_000)


async def test_of_32_beginners_one_owns_the_attempt(attempts) -> None:
    """Everybody else knows that the provider may have been called."""  # E071
    found = []

    async def begin() -> None:
        found.append(await attempts.begin("a", order_id="o", amount=AMOUNT, capture=True))

    async with anyio.create_task_group() as tasks:
        for _ in range(32):
            tasks.start_soon(begin)

    assert [attempt.own for attempt in found].count(True) == 1
    assert {(attempt.state, attempt.capture) for attempt in found} == {("begun", True)}


async def test_beginning_and_abandoning_exclude_each_other(attempts) -> None:
    """Whichever comes first stands for ever."""
    assert (await attempts.abandon("a", order_id="o")).state == "abandoned"
    assert (await attempts.begin("a", order_id="o", amount=AMOUNT, capture=False)).state == "abandoned"
    assert (await attempts.begin("b", order_id="o", amount=AMOUNT, capture=False)).own
    assert (await attempts.abandon("b", order_id="o")).state == "begun"


HELD = Authorized("ref", datetime(2026, 3, 8, 12, 0, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "result",
    [Authorized("ref"), HELD, Authorized("ref", taken=True), Declined("soft", "insufficient_funds")],
    ids=["held", "held until", "taken over", "declined"],
)
async def test_a_result_is_kept_and_the_first_one_stays(attempts, result) -> None:
    """A later word of the provider does not change what was recorded."""  # E014
    begun = await attempts.begin("a", order_id="o", amount=AMOUNT, capture=False)

    assert (await attempts.complete(begun, result)).result == result
    assert (await attempts.complete(begun, Authorized("another"))).result == result
    again = await attempts.begin("a", order_id="o", amount=Money(1, "EUR"), capture=True)
    assert (again.result, again.amount, again.capture) == (result, AMOUNT, False), "what was asked for stays too"
    assert (await attempts.abandon("a", order_id="o")).state == "completed"


async def test_the_ledger_keeps_the_first_row_of_a_key(ledger) -> None:
    """One key, one effect; and every effect can be listed."""  # E074
    first = await ledger.put("k1", order="o1", kind="charge", details={"amount_minor": 5})
    again = await ledger.put("k1", order="o1", kind="void", details={})
    await ledger.put("k2", order="o2", kind="charge", details={})

    assert first == again == await ledger.get("k1")
    assert await ledger.get("k3") is None
    assert [entry.key async for entry in ledger.entries(order="o2")] == ["k2"]
    assert sorted([entry.key async for entry in ledger.entries()]) == ["k1", "k2"]
