"""The arithmetic of the benchmarks is right, and the harness runs: no timing is judged here."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orderstore.history import History
from orderstore.snapshots.standing import COMMITS_BETWEEN
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from projections.view_store import Addition, Write
from projections.views import VIEWS, order_status
from tests.benchmarks import growing, logs, measures, parts, projecting, rebuilding, replaying, writing
from tests.benchmarks.measures import Comparison, Result, Side, compare, quartiles, table
from tests.benchmarks.real_orders import histories_of
from workers.intake.online_retail.model import CancelOrder, Line, RefundLine, RefundLines, Sale

AT = datetime(2011, 1, 5, 12, tzinfo=UTC)


def sale(number: int) -> Sale:
    lines = tuple(
        Line(line_number=place, sku=f"8512{place}", description="LANTERN", quantity=6, unit_price=Decimal("2.55"))
        for place in range(3)
    )
    return Sale(invoice=f"53636{number}", placed_at=AT, customer_id="17850", country="United Kingdom", lines=lines)


def test_the_median_round_counts_not_the_best() -> None:
    """One quiet round does not make a pass, nor one noisy round a failure."""
    compared = Comparison(ours=(90.0, 95.0, 10.0, 200.0, 92.0), bare=(100.0,) * 5)

    assert compared.ratio == pytest.approx(0.92)
    assert quartiles(compared.ratios) == (pytest.approx(0.90), pytest.approx(0.95))
    assert "5 rounds" in compared.spread


def test_a_ratio_is_taken_within_a_round() -> None:
    """A machine that is slow for one round slows both sides of it."""
    assert Comparison(ours=(50.0, 5.0), bare=(100.0, 10.0)).ratio == pytest.approx(0.5)


def test_quartiles_of_few_values() -> None:
    """From one value on; of none there are none."""
    assert quartiles([3.0]) == (3.0, 3.0)
    assert quartiles([4.0, 1.0, 2.0, 3.0]) == (1.5, 3.5)
    with pytest.raises(ValueError, match="no values"):
        quartiles([])


def test_floors_and_ceilings() -> None:
    """A floor is reached from above, a ceiling from below, and what has none cannot fail."""
    assert Result(name="a", value=0.9, floor=0.9).passed
    assert not Result(name="a", value=0.89, floor=0.9).passed
    assert Result(name="a", value=1.1, floor=1.1, at_most=True).passed
    assert not Result(name="a", value=1.2, floor=1.1, at_most=True).passed
    assert Result(name="a", value=0.0).passed
    shown = table({"log": [Result(name="bad", value=0.5, floor=0.9, note="why"), Result(name="told", value=151_234)]})
    assert "[log]" in shown
    assert "FAIL" in shown
    assert "why" in shown
    assert "151,234" in shown


async def test_sides_take_turns_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who goes first changes; preparation is outside the clock; both get the same number."""
    clock = [0.0]
    monkeypatch.setattr(measures, "perf_counter", lambda: clock[0])
    order: list[str] = []

    def side(name: str, seconds: float) -> Side:
        async def prepare(number: int):
            clock[0] += 1_000

            async def work() -> int:
                order.append(f"{name}{number}")
                clock[0] += seconds * (9 if number == 0 else 1)
                return 10

            return work

        return Side(prepare)

    compared = await compare(side("o", 2.0), side("b", 1.0), rounds=3)

    assert order == ["b0", "o0", "o1", "b1", "b2", "o2", "o3", "b3"]
    assert compared == Comparison(ours=(5.0,) * 3, bare=(10.0,) * 3)


@pytest.mark.parametrize(
    ("ratios", "took_s", "enough"),
    [
        ([1.0] * 7, 1.0, False),
        ([1.0] * 8, 1.0, True),
        ([0.5, 0.98, 0.99, 1.0, 1.0, 1.01, 1.02, 2.0], 1.0, True),
        ([0.5, 0.9, 0.95, 1.0, 1.0, 1.05, 1.1, 2.0], 1.0, False),
        ([0.5, 2.0], 500.0, False),
        ([0.5, 1.0, 2.0], 500.0, True),
        ([], 500.0, False),
    ],
)
def test_it_is_enough_when_the_middle_half_is_narrow_or_the_time_is_over(
    ratios: list[float], took_s: float, enough: bool
) -> None:
    """Never by what the median is; single rounds that are far off prolong nothing; and of two rounds nothing is concluded."""
    assert measures.is_enough(ratios, took_s=took_s) is enough


async def test_a_comparison_ends_when_another_round_would_tell_nothing_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight equal rounds of the sixty that it may take; of unequal ones all."""
    clock = [0.0]
    monkeypatch.setattr(measures, "perf_counter", lambda: clock[0])

    def side(durations: list[float]) -> Side:
        async def prepare(number: int):
            async def work() -> int:
                clock[0] += durations[number % len(durations)]
                return 10

            return work

        return Side(prepare)

    assert len((await compare(side([0.1]), side([0.2]), rounds=60)).ours) == measures.ROUNDS_ENOUGH
    assert len((await compare(side([0.1, 0.2, 0.3]), side([0.1]), rounds=30)).ours) == 30


async def test_the_histories_are_those_of_orders_lived_through() -> None:
    """Completed, cancelled and refunded, by the real departments; their measurement runs."""
    refund = RefundLines(
        sale="536362",
        cancellation="C1",
        requested_at=AT,
        line_number=9,
        lines=(RefundLine(line_index=0, sku="85120", quantity=1, unit_price=Decimal("2.55")),),
    )
    cancel = CancelOrder(sale="536363", cancellation="C2", requested_at=AT, line_number=10)
    histories = await histories_of([(sale(1), []), (sale(2), [refund]), (sale(3), [cancel])])

    ends = [type(History(stream=commits[0].stream).then(*commits).state).__name__ for commits in histories]
    assert ends == ["Completed", "Completed", "Cancelled"]
    assert "RefundIssued" in {names for names, *_ in replaying.write_units(histories)}
    assert {(names, mean) for names, _, _, mean, _ in replaying.write_units(histories) if "InvoiceIssued" in names} == {
        ("InvoiceIssued + OrderCompleted", 4.0)
    }
    assert len(replaying.replay(histories, rounds=1)) == 5
    assert replaying.flat_memory(histories).value > 0


def test_a_renamed_history_is_another_order_with_the_same_bytes() -> None:
    """Sealed anew, valid, and of the same length, so that both sides of a comparison store as much."""
    commits = growing.long_history("test/order-ffffffff-0000-0000-0000-000000000001", 6)
    copy = logs.renamed(commits, "ab12")

    assert [commit.body for commit in copy] == [commit.body for commit in commits]
    assert len(copy[0].stream) == len(commits[0].stream)
    assert copy[0].stream.endswith("ab12")
    assert History(stream=copy[0].stream).then(*copy).version == 6


def test_the_long_order_is_long_enough_for_a_snapshot() -> None:
    """Otherwise its comparison would show nothing."""
    assert COMMITS_BETWEEN < 5_000
    assert parts.APPEND_MIN == 0.9
    assert parts.STEP_MIN == 0.85
    assert replaying.EVENTS_PER_S_MIN == 120_000


def test_each_round_has_its_own_work_and_both_sides_the_same() -> None:
    """Round by round through all there is, and around again."""
    assert writing._part("abcde", 0, 3) == ["a", "b", "c"]
    assert writing._part("abcde", 1, 3) == ["d", "e", "a"]


def orders(*lengths: int) -> tuple[tuple[Commit, ...], ...]:
    return tuple(
        tuple(growing.long_history(f"test/order-ffffffff-0000-0000-0000-{number:012d}", length))
        for number, length in enumerate(lengths)
    )


def test_the_stream_that_is_made_up_keeps_each_order_in_order_and_so_many_under_way() -> None:
    """One commit of each in turn; an order that has ended makes room for the next."""
    histories = orders(6, 4, 5, 4)

    stream = projecting.interleaved(histories, in_flight=2)

    for order in histories:
        assert [commit.number for commit in stream if commit.stream == order[0].stream] == list(
            range(1, len(order) + 1)
        )
    assert len(stream) == 19
    under_way = [
        sum(1 for order in histories if any(c in order for c in stream[:at]) and any(c in order for c in stream[at:]))
        for at in range(len(stream))
    ]
    assert max(under_way) == 2
    assert [commit.number for commit in stream[:4]] == [1, 1, 2, 2]


async def test_page_by_page_or_record_by_record_the_documents_are_the_same_and_the_units_those_of_the_writes() -> None:
    """What is saved are writes, not contents."""
    histories = await histories_of([(sale(number), []) for number in range(4)])
    log = MemoryEventStore()
    for commits in histories:
        for commit in commits:
            await log.append(commit)
    records = [projecting.record_of(commit) for commit in projecting.interleaved(histories, in_flight=3)]

    alone = await projecting.counted(log, records, at_once=1)
    together = await projecting.counted(log, records, at_once=1_000)

    keys = [key async for key in alone.keys("")]
    assert await alone.get(keys) == await together.get(keys)
    assert len(keys) >= 4 * 2
    assert together.documents == len(keys)
    assert alone.documents > 2 * together.documents
    assert alone.units > together.units > together.documents


async def test_units_are_those_that_dynamodb_charges() -> None:
    """One per started KB; twice that for what goes in a transaction, where each total is a row of its own."""
    counted = projecting.CountedStore()
    plain = Write(key="v/1", expected_commit=None, commit=1, schema=1, document=b"{}")
    large = replace(plain, key="v/2", document=b'"' + os.urandom(1_100).hex().encode() + b'"')
    moving = replace(plain, key="v/3", contribution="a", additions=(Addition("s", {"n": 1}), Addition("t", {"n": 1})))

    await counted.write([plain])
    assert (counted.documents, counted.units) == (1, 1)
    await counted.write([large])
    assert (counted.documents, counted.units) == (2, 1 + 2)  # 2,202 digits, 1,100 bytes when compressed, and the names
    await counted.write([moving])
    assert (counted.documents, counted.units) == (3, 3 + 2 * (1 + 2))


async def test_the_bare_loop_writes_what_the_view_comes_to() -> None:
    """A put for each commit, the last of which is the document that the projector leaves in one write."""
    histories = await histories_of([(sale(1), [])])
    log = MemoryEventStore()
    for commit in histories[0]:
        await log.append(commit)
    [target] = projecting.targets([order_status.VIEW], 1)

    puts = [write for _, write in projecting.writes_one_by_one(histories, target)]
    records = [projecting.record_of(commit) for commit in histories[0]]
    left = await (await projecting.counted(log, records, at_once=1_000)).get([puts[-1].key])

    assert [write.expected_commit for write in puts] == [None, *range(1, len(puts))]
    assert left[puts[-1].key].document == puts[-1].document
    assert left[puts[-1].key].commit == puts[-1].commit == len(puts)


def test_the_floors_of_the_views() -> None:
    """Those of the design; every view is written in the run that says so."""
    assert projecting.STREAM_TO_VIEW_MIN == 3.0
    assert rebuilding.LINEAR_MIN == 0.8
    assert rebuilding.FLAT_MAX == 1.25
    assert {target.view.name for target in projecting.targets(VIEWS, 1)} == {view.name for view in VIEWS}
