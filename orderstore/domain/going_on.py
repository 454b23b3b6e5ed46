"""What an order says by itself when a stage that stalled goes on, or the outcome of a payment comes that nobody knew: the same as a person
would who let it go on. So what stalls begins and ends with events that are rare, and whoever follows them follows nothing else."""

from orderstore.domain import events as e
from orderstore.domain.parts import Stall
from orderstore.domain.state import NotPlaced, State, fold
from orderstore.domain.waiting import PAYMENT


def with_what_went_on(state: State, events: tuple[e.Event, ...]) -> tuple[e.Event, ...]:
    """These events of an order in this state, and after them what goes on because of them; usually nothing. For every decision alike."""
    if not events or isinstance(state, NotPlaced) or not (state.stalls or state.payment.unknown):
        return events
    after = fold(state, events)
    assert not isinstance(after, NotPlaced), "an order that was placed stays so"
    over = [stall for stall in state.stalls if stall not in after.stalls]
    if state.payment.unknown and not after.payment.unknown:
        over.append(Stall("outcomes", PAYMENT))
    said = {Stall(event.stage, event.subject) for event in events if isinstance(event, e.OrderProcessResumed)}
    wanted = dict.fromkeys(stall for stall in over if stall not in said)
    return (
        *events,
        *(e.OrderProcessResumed(stage=stall.stage, action="resume", subject=stall.subject) for stall in wanted),
    )
