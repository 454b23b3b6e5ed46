"""The expected version, through the write path and over every backend: no order, some order, exactly this one, whatever it is."""

import anyio
import pytest

from orderstore.expected import Exactly, Expected, NoStream, OneOf, StreamExists, Whatever, WrongVersion
from orderstore.history import History
from tests.contract.event_logs import STREAM, WRITERS, Log, everywhere
from tests.contract.order_logs import order_of_four_events, placing, refund, transactor_over


@everywhere
@pytest.mark.parametrize(
    "expected", [Whatever(), StreamExists(), Exactly(4), OneOf((2, 4))], ids=["any", "exists", "exact", "one-of"]
)
async def test_what_is_as_expected_is_appended(log: Log, expected: Expected) -> None:
    """The order is at version 4: its third commit holds versions 3 and 4."""
    history = await order_of_four_events(log)
    decide, because = refund("a")

    grown = await transactor_over(log).transact(history, decide, cause=because, expected=expected)

    assert grown.version == 5
    assert (await transactor_over(log).load(STREAM)).version == 5


@everywhere
@pytest.mark.parametrize(
    "expected",
    [NoStream(), Exactly(1), Exactly(2), Exactly(3), Exactly(5), OneOf((1, 2, 3)), OneOf(())],
    ids=["no-stream", "first", "past", "inside-a-commit", "future", "one-of-others", "one-of-none"],
)
async def test_what_is_not_as_expected_is_refused_and_nothing_is_sent(log: Log, expected: Expected) -> None:
    """Also a version from inside a commit: nobody ever saw the order there, and history must not fork there."""
    history = await order_of_four_events(log)
    stored = await log.store.read(STREAM)
    decide, because = refund("a")
    if log.wire is not None:
        log.wire.calls.clear()

    with pytest.raises(WrongVersion) as wrong:
        await transactor_over(log).transact(history, decide, cause=because, expected=expected)

    assert (wrong.value.expected, wrong.value.version) == (expected, 4)
    if log.wire is not None:
        assert not log.wire.calls
    assert await log.store.read(STREAM) == stored


@everywhere
@pytest.mark.parametrize("expected", [StreamExists(), Exactly(1), OneOf((1, 2))], ids=["exists", "exact", "one-of"])
async def test_an_order_that_is_not_there_meets_no_expectation_of_one(log: Log, expected: Expected) -> None:
    """Nothing is written."""
    decide, because = placing("first")

    with pytest.raises(WrongVersion):
        await transactor_over(log).transact(History(stream=STREAM), decide, cause=because, expected=expected)

    assert await log.store.read(STREAM) == ()


@everywhere
async def test_an_order_is_created_once_where_none_is_expected(log: Log) -> None:
    """Whether the second writer knows of the first, or learns of it by the conflict."""
    nothing, transactor = History(stream=STREAM), transactor_over(log)
    decide, because = placing("first")
    first = await transactor.transact(nothing, decide, cause=because, expected=NoStream())
    decide, because = placing("second")

    for known in (first, nothing):
        with pytest.raises(WrongVersion) as wrong:
            await transactor.transact(known, decide, cause=because, expected=NoStream())
        assert wrong.value.version == 1

    assert (await transactor.load(STREAM)).events == first.events


@everywhere
@pytest.mark.parametrize("expected", [Exactly(4), OneOf((3, 4))], ids=["exact", "one-of"])
async def test_the_version_is_looked_at_again_when_somebody_came_between(log: Log, expected: Expected) -> None:
    """The conflict brings the winner along: the answer names the version that the order has by now, and nothing was read for it."""
    stale, transactor = await order_of_four_events(log), transactor_over(log)
    decide, because = refund("theirs")
    current = await transactor.transact(stale, decide, cause=because)
    decide, because = refund("ours")
    if log.wire is not None:
        log.wire.calls.clear()

    with pytest.raises(WrongVersion) as wrong:
        await transactor.transact(stale, decide, cause=because, expected=expected)

    assert wrong.value.version == current.version == 5
    if log.wire is not None:
        assert log.wire.calls == {"put_item": 1}
    assert (await transactor.load(STREAM)).events == current.events


@everywhere
async def test_what_is_so_already_asks_for_no_version(log: Log) -> None:
    """A repeat is answered as the first time was, although the version has moved, by its own doing (RFC 9110, 13.1.1)."""
    before = await order_of_four_events(log)
    decide, because = refund("a")
    first = await transactor_over(log).transact(before, decide, cause=because, expected=Exactly(4))

    again = await transactor_over(log).transact(before, decide, cause=because, expected=Exactly(4))
    from_the_log = await transactor_over(log).transact(first, decide, cause=because, expected=Exactly(4))

    assert first.events == again.events == from_the_log.events


@everywhere
@pytest.mark.parametrize("creating", [True, False], ids=["no-stream", "exact"])
async def test_of_64_who_expect_the_same_version_one_is_right(log: Log, *, creating: bool) -> None:
    """All 64 are right when they begin; 63 are told by the first conflict that they no longer are."""
    start = History(stream=STREAM) if creating else await order_of_four_events(log)
    expected = NoStream() if creating else Exactly(start.version)
    transactor = transactor_over(log)
    landed: list[History] = []
    refused: list[int] = []

    async def write(n: int) -> None:
        decide, because = placing(f"order-{n}") if creating else refund(f"refund-{n}")
        try:
            landed.append(await transactor.transact(start, decide, cause=because, expected=expected))
        except WrongVersion as wrong:
            refused.append(wrong.version)

    async with anyio.create_task_group() as writers:
        for n in range(WRITERS):
            writers.start_soon(write, n)

    assert len(landed) == 1
    assert refused == [start.version + 1] * (WRITERS - 1)
    assert (await transactor.load(STREAM)).events == landed[0].events
