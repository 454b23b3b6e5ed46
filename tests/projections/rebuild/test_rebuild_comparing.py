"""What stands in the way of a switch, what does not, and that no order is ever left out silently."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from orderstore.store.chain import seal
from orderstore.store.errors import Refused
from projections.rebuild.errors import NotNow
from projections.rebuild.runner import Wanted
from projections.rebuild.switching import discard, switch
from projections.view_store import ViewStoreRefused, ViewStoreThrottled, Write
from projections.views import VIEWS
from projections.views.view import Generation, Generations, OutOfPlace, View
from tests.projections.histories import TENANT, happy_commits, order_number, records_of
from tests.projections.rebuild.world import World
from tests.virtual_time import run_virtual
from workers.commands.views.listing import told_of

STATUS = next(view for view in VIEWS if view.name == "order_status")
SALES = next(view for view in VIEWS if view.sums is not None)


def calm(view: View[Any] = STATUS) -> World:
    world = World(1, view)
    world.views.faults = 0.0
    return world


def key(index: int, number: int = 1, view: View[Any] = STATUS) -> str:
    return Generation(view.name, number).key(TENANT, order_number(index))


def stream(index: int) -> str:
    return f"{TENANT}/order-{order_number(index)}"


def changed(write: Write, **fields: object) -> Write:
    return replace(write, document=orjson.dumps({**orjson.loads(write.document), **fields}))


async def append_undecodable(world: World, index: int) -> None:
    """An order whose second commit holds what no release ever wrote."""
    first, *_ = happy_commits(order_number(index))
    await world.store.append(first)
    bad = seal(
        stream=first.stream, number=2, recorded_at_ms=first.recorded_at_ms, body=b'{"events": 7}', previous=first
    )
    await world.store.append(bad)


def refusing(view: View[Any], order_id: str) -> View[Any]:
    """A build that cannot fold this order."""

    def evolve(state: Any, recorded: Any) -> Any:
        folded = view.evolve(state, recorded)
        if order_id in orjson.dumps(view.to_document(folded)).decode():
            raise OutOfPlace(f"{recorded.name} cannot stand here")
        return folded

    return replace(view, evolve=evolve)


def test_a_document_that_was_wrong_is_mended_and_says_by_which_commit() -> None:
    """The live one was changed by hand: it does not stop the switch, it is what the switch is for; and it is named."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(4))
        world.views._documents[key(2)] = changed(world.views._documents[key(2)], status="CANCELLED")

        row = await world.rebuilder("a").run(STATUS, Wanted())

        assert row.state == "switched"
        assert row.verdict is not None
        assert (row.verdict.documents, row.verdict.equal, row.verdict.mended) == (4, 3, 1)
        (mended,) = row.verdict.mended_orders
        assert mended.stream == stream(2)
        assert mended.detail == "status (by commit 8)", "what it says is in no row"
        await world.assert_all_equal_in(2)

    run_virtual(scenario)


def test_an_order_that_this_build_cannot_fold_blocks_when_readers_see_it() -> None:
    """It is counted and named, all others are filled, readers stay where they are; --accept-missing is a decision, not a default."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(5))
        broken = refusing(STATUS, order_number(3))

        row = await world.rebuilder("a").run(broken, Wanted())

        assert row.state == "ready"
        assert row.verdict is not None
        assert row.troubled[0].stream == stream(3)
        assert row.troubled[0].cause == "OutOfPlace"
        assert [(one.stream, one.cause) for one in row.verdict.blocking_orders] == [(stream(3), "missing")]
        assert row.verdict.equal == 4
        assert await world.generations() == Generations(current=1, building=2)
        options = {"to": 2, "now_ms": world.now_ms}
        with pytest.raises(NotNow, match=r"lose documents by the switch \(1\).*--accept-missing"):
            await switch(world.views, world.book, STATUS.name, **options)
        await switch(world.views, world.book, STATUS.name, **options, accept_missing=True)
        assert await world.generations() == Generations(current=2, former=1)

    run_virtual(scenario)


def test_an_order_that_the_live_view_lacks_equally_is_named_and_blocks_nothing() -> None:
    """Parked, say: the live projector could not fold it either. Nothing is lost by the switch; the order is not forgotten."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(3))
        for commit in happy_commits(order_number(7)):
            await world.store.append(commit)

        row = await world.rebuilder("a").run(refusing(STATUS, order_number(7)), Wanted())

        assert row.state == "switched"
        assert [one.stream for one in row.troubled] == [stream(7)]
        assert row.troubles == 1

    run_virtual(scenario)


def test_a_new_document_that_is_not_what_the_log_says_blocks() -> None:
    """Changed by somebody between filling and comparing: it is not taken over."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(3))
        row = await world.rebuilder("a").run(STATUS, Wanted(switch=False))
        world.views._documents[key(1, 2)] = changed(world.views._documents[key(1, 2)], status="REJECTED")

        row = await world.rebuilder("a").run(STATUS, Wanted())

        assert row.state == "ready"
        assert row.verdict is not None
        assert [(one.stream, one.cause) for one in row.verdict.blocking_orders] == [
            (stream(1), "the new one is different")
        ]

    run_virtual(scenario)


def test_totals_that_are_not_the_sum_of_the_documents_block() -> None:
    """A total of the new generation was changed by hand: no document shows it, the sums do."""

    async def scenario() -> None:
        world = calm(SALES)
        await world.fill(range(3))
        await world.rebuilder("a").run(SALES, Wanted(switch=False))
        name = next(name for name in world.views._totals if name.startswith(f"g2/{SALES.name}#"))
        measure = next(iter(world.views._totals[name]))
        world.views._totals[name][measure] += 1

        row = await world.rebuilder("a").run(SALES, Wanted())

        assert row.state == "ready"
        assert row.verdict is not None
        assert row.verdict.blocking == 1
        assert measure in row.verdict.blocking_orders[0].detail
        assert (row.verdict.documents, row.verdict.equal) == (3, 3), "a total is no document"
        assert not row.verdict.may_switch

    run_virtual(scenario)


def test_totals_that_are_the_sum_of_the_documents_are_counted_as_proved() -> None:
    """As many as there are, and none is left open."""

    async def scenario() -> None:
        world = calm(SALES)
        await world.fill(range(3))

        row = await world.rebuilder("a").run(SALES, Wanted())

        assert row.verdict is not None
        buckets = {name async for name in world.views.sum_keys(Generation(SALES.name, 2).sums_prefix)}
        assert (row.verdict.totals_equal, row.verdict.totals_moving) == (len(buckets), 0)
        assert row.verdict.moving_totals == ()

    run_virtual(scenario)


def test_totals_that_move_during_every_look_are_named_and_stop_nothing() -> None:
    """Sales go on all the time: their bucket is neither called equal nor wrong, and a shop that sells can be switched."""

    async def scenario() -> None:
        world = calm(SALES)
        await world.fill(range(3))
        await world.rebuilder("a").run(SALES, Wanted(switch=False))
        totals, sold = world.views.totals, [100]

        async def sell(sum_keys: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
            commits = happy_commits(order_number(sold[0]))
            sold[0] += 1
            for commit in commits:
                await world.store.append(commit)
            await world.projectors[0].apply(records_of(commits))
            return await totals(sum_keys)

        world.views.totals = sell

        row = await world.rebuilder("a").run(SALES, Wanted())

        assert row.state == "switched"
        assert row.verdict is not None
        assert row.verdict.totals_moving == len(row.verdict.moving_totals) > 0
        assert all(name.startswith(f"{TENANT}/") for name in row.verdict.moving_totals)
        assert "moved during every look" in "\n".join(told_of(row))
        world.views.totals = totals
        await world.assert_all_equal()

    run_virtual(scenario)


def test_trouble_in_passing_while_totals_are_compared_is_waited_out() -> None:
    """A throttled read of totals ends no rebuild, and what was found before it counts once."""

    async def scenario() -> None:
        world = calm(SALES)
        await world.fill(range(3))
        await world.rebuilder("a").run(SALES, Wanted(switch=False))
        name = next(name for name in world.views._totals if name.startswith(f"g2/{SALES.name}#"))
        world.views._totals[name][next(iter(world.views._totals[name]))] += 1
        totals, asked = world.views.totals, [0]

        async def throttled(sum_keys: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
            asked[0] += 1
            if asked[0] in (1, 4):
                raise ViewStoreThrottled("slower")
            return await totals(sum_keys)

        world.views.totals = throttled

        row = await world.rebuilder("a").run(SALES, Wanted())

        assert row.verdict is not None
        assert (row.state, row.verdict.blocking, row.verdict.documents) == ("ready", 1, 3)

    run_virtual(scenario)


@pytest.mark.parametrize(
    "error", [Refused("Query", "AccessDenied", "no"), ViewStoreRefused("no"), TimeoutError(), MemoryError()]
)
def test_what_says_nothing_of_an_order_is_blamed_on_none(error: Exception) -> None:
    """Permissions, the machine: the rebuild stops with what it has, and names no order. It goes on when that is mended."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(3))
        write = world.views.write

        async def failing(writes: Sequence[Write]) -> Any:
            raise error

        world.views.write = failing
        with pytest.raises(type(error)):
            await world.rebuilder("a").run(STATUS, Wanted())
        left = await world.book.read(STATUS.name)
        assert left is not None
        assert (left.state, left.troubles) == ("paused", 0)
        world.views.write = write

        row = await world.rebuilder("a").run(STATUS, Wanted())

        assert (row.state, row.troubles) == ("switched", 0)

    run_virtual(scenario)


def test_a_document_of_another_schema_is_counted_not_compared() -> None:
    """The usual reason of a rebuild: what the live ones say cannot be held against the new ones."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(3))
        row = await world.rebuilder("a").run(replace(STATUS, schema=STATUS.schema + 1), Wanted())

        assert row.state == "switched"
        assert row.verdict is not None
        assert (row.verdict.other_schema, row.verdict.blocking) == (3, 0)

    run_virtual(scenario)


def test_a_document_that_fell_behind_is_brought_up_before_it_is_judged() -> None:
    """Taken away from the new generation while nobody looked: comparing puts it back from the log."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(3))
        await world.rebuilder("a").run(STATUS, Wanted(switch=False))
        del world.views._documents[key(1, 2)]

        row = await world.rebuilder("a").run(STATUS, Wanted())

        assert row.state == "switched"
        assert row.verdict is not None
        assert (row.verdict.brought_up, row.verdict.equal) == (1, 3)
        await world.assert_all_equal()

    run_virtual(scenario)


def test_a_commit_that_cannot_be_decoded_is_named_with_its_order() -> None:
    """The scan goes on, the order alone is set aside."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(3))
        await append_undecodable(world, 9)

        row = await world.rebuilder("a").run(STATUS, Wanted())

        assert row.state == "switched"
        assert [one.stream for one in row.troubled] == [stream(9)]
        await world.assert_all_equal_in(2, but={stream(9)})

    run_virtual(scenario)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [(Wanted(source="archive"), "from the log in 2 segments"), (Wanted(segments=3), "leave --from and --segments out")],
)
def test_a_rebuild_goes_on_as_it_was_begun(wanted: Wanted, why: str) -> None:
    """Another source or another number of segments would not fit the positions: refused, with what to do."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(3))
        await world.rebuilder("a").run(STATUS, Wanted(segments=2, switch=False))
        with pytest.raises(NotNow, match=why):
            await world.rebuilder("a").run(STATUS, wanted)

    run_virtual(scenario)


def test_who_dies_right_after_the_switch_leaves_nothing_undone() -> None:
    """Readers were switched, the row says `ready` still: the rebuild is over, and neither is it taken up again nor is anything stuck."""

    async def scenario() -> None:
        world = calm()
        await world.fill(range(3))
        await world.rebuilder("a").run(STATUS, Wanted(switch=False))
        after = Generations(current=2, former=1)
        await world.views.change_generations(STATUS.name, before=await world.generations(), after=after)

        with pytest.raises(NotNow, match="generation 1, from before the last switch, is still kept"):
            await world.rebuilder("a").run(STATUS, Wanted())
        await discard(
            world.views, world.book, STATUS.name, owner="a", now_ms=world.now_ms, settle_s=1, readers_forget_s=1
        )
        row = await world.rebuilder("a").run(STATUS, Wanted())

        assert (row.state, row.generation) == ("switched", 3)
        await world.assert_all_equal()

    run_virtual(scenario)
