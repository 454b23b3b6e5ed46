"""A process that dies before or after any single call to any port: the message comes again and the end is the same."""

import pytest

from tests.moments import moments
from tests.virtual_time import run_virtual
from tests.workers.world import Crash, Faults, World

SKUS = ("LAPTOP-001", "MOUSE-002")


async def _happy(world: World) -> str:
    order_id = await world.place()
    await world.deliver()
    return order_id


async def _declined(world: World) -> str:
    order_id = await world.place(paymentOutcome="declined")
    await world.deliver()
    return order_id


async def _out_of_stock(world: World) -> str:
    order_id = await world.place(stocked=False)
    await world.deliver()
    return order_id


async def _cancelled_before_anything(world: World) -> str:
    order_id = await world.place()
    await world.cancel(order_id)
    await world.deliver()
    return order_id


async def _cancelled_when_confirmed(world: World) -> str:
    order_id = await world.place()
    confirms = ("OrderConfirmed", "PaymentCompleted")
    world.wants = lambda queue, event_type: queue != "shipping" or event_type not in confirms
    await world.deliver()
    await world.cancel(order_id)
    await world.deliver()
    return order_id


async def _refunded(world: World) -> str:
    order_id = await world.place()
    await world.deliver()
    await world.refund(order_id, line=1, quantity=1)
    await world.deliver()
    return order_id


async def _outcome(world: World, scenario) -> tuple[object, ...]:
    order_id = await scenario(world)
    events = sorted(await world.events(order_id))
    notified = await world.notifications()
    reserved = () if scenario is _out_of_stock else await world.stock_is_sound(*SKUS)
    return await world.status(order_id), events, await world.effects(), notified, reserved


SCENARIOS = {
    _happy: ("Completed", ["authorize", "booking", "capture", "dispatched"], (1, 2)),
    _declined: ("Cancelled", ["decline"], (0, 0)),
    _out_of_stock: ("Cancelled", ["authorize", "void"], ()),
    _cancelled_before_anything: ("Cancelled", [], (0, 0)),
    _cancelled_when_confirmed: ("Cancelled", ["authorize", "cancelled", "void"], (0, 0)),
    _refunded: ("Completed", ["authorize", "booking", "capture", "dispatched", "refund"], (1, 2)),
}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__.strip("_"))
def test_without_a_crash_every_effect_happens_once(scenario) -> None:
    """The scenario itself, as the measure for its crashes."""  # E014, E019, D27
    status, effects, reserved = SCENARIOS[scenario]

    found = run_virtual(_outcome, World(), scenario)

    assert (found[0], found[2], found[4]) == (status, effects, reserved)
    assert found[3]["pending"] == found[3]["sending"] == 0


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__.strip("_"))
@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.thorough)], ids=["before", "after"])
def test_a_crash_at_any_call_changes_nothing_in_the_end(scenario, after: bool) -> None:
    """One charge, one reservation, one booking, one invoice, one record of each notification, and the same final state."""
    # E070, E073, E074, D35
    measure = Faults()
    expected = run_virtual(_outcome, World(faults=measure), scenario)
    assert measure.calls > 5

    for number in moments(measure.calls):
        world = World(faults=Faults(at=number, after=after))
        found = run_virtual(_outcome, world, scenario)
        assert [type(error) for error in world.errors] == [Crash], world.errors
        assert found == expected, f"{'after' if after else 'before'} call {number}, {measure.names[number - 1]}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__.strip("_"))
def test_every_message_three_times_is_every_message_once(scenario) -> None:
    """At-least-once delivery gives the same log, the same effects and the same mails."""  # E070, E044, D35
    expected = run_virtual(_outcome, World(), scenario)

    async def thrice() -> None:
        world = World()
        deliver = world.deliver
        world.deliver = lambda: deliver(copies=3)  # type: ignore[method-assign]
        found = await _outcome(world, scenario)
        assert found == expected
        assert len(world.mailbox.sent) == found[3]["sent"]

    run_virtual(thrice)


@pytest.mark.thorough
def test_at_most_one_mail_is_repeated_and_only_by_a_death_between_sending_and_writing() -> None:
    """The one effect that cannot be asked about: SES has no idempotency key."""  # E074
    measure = Faults()
    run_virtual(_outcome, World(faults=measure), _happy)
    for number in moments(measure.calls):
        world = World(faults=Faults(at=number, after=True))
        run_virtual(_outcome, world, _happy)
        ids = [mail.notification_id for mail in world.mailbox.sent]
        twice = len(ids) - len(set(ids))
        assert twice == (1 if measure.names[number - 1] == "mail.send" else 0), measure.names[number - 1]
