"""The reckoning after a load run: the one of the killed processes (`tests/e2e/chaos/reckoning.py`), on everything that the run left."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from orderstore.domain.state import Cancelled, Completed, Placed, Rejected
from tests.e2e.chaos import reckoning
from tests.e2e.chaos.customers import Shop
from tests.e2e.chaos.reckoning import Books
from tests.e2e.chaos.run import explained, proven
from tests.load.report import Report
from tests.load.stage import Stage

COMMAND_S_MAX: Final = 7_200.0
"""Looking through a year takes its time."""
MARGIN_S: Final = 5.0
"""Beyond the patience of who sends a mail: to write down that it gave up takes a moment, on a busy machine a long one."""


async def reckon(
    stage: Stage, report: Report, *, stocked: Mapping[str, int], shop: Shop | None = None, mail: str = "sent"
) -> Books:
    """Hold everything against the log. AssertionError names the order and who disagrees. `shop`: what customers were answered."""
    stage.tell("drained; now the reckoning")
    books = await reckoning.read_books(stage.settings)
    assert books.dead == [], f"dead letters: {Counter(letter.queue for letter in books.dead)}"
    assert books.waiting == [], f"messages that still wait: {Counter(message.queue for message in books.waiting)}"
    check_final(books)
    if shop is not None:
        reckoning.check_ends(books, shop)
    reckoning.check_effects(books, stocked=stocked, mail=mail)
    patience_s = float(stage.settings["ORDERSTORE_HANDLER_DEADLINE_S"])
    twice = reckoning.mails_too_many(books)
    by_blow, by_patience = explained(twice, stage.fleet, within_s=patience_s + MARGIN_S)
    assert stage.fleet.troubles == [], f"a process ended as it must not: {stage.fleet.troubles}"
    stage.tell("the books agree; now chains, views and archive by the operator's own commands")
    await proven(stage.settings, stage.folder, books, within_s=COMMAND_S_MAX)
    report.events_per_order = events_per_order(books)
    report.figures["in the end"] = figures(books) | {"mails sent twice": by_blow + by_patience}
    stage.tell("proven")
    return books


def shop_of(stage: Stage) -> Shop:
    """What the door noted, as the reckoning takes it."""
    door = stage.door
    return Shop(
        door.url, door.token, stage.fleet.story, accepted=dict(door.accepted), broken=list(door.broken), ended=True
    )


def check_final(books: Books) -> None:
    """Every order came to an end, and owes nobody anything."""
    for order_id, history in books.histories.items():
        state = history.state
        assert isinstance(state, Completed | Cancelled | Rejected), f"{order_id} is {type(state).__name__}"
        assert isinstance(state, Placed)
        assert not state.payment.refunds_pending, f"{order_id}: a refund is pending"


def figures(books: Books) -> dict[str, Any]:
    """How many of what there are."""
    events = sum(len(history.events) for history in books.histories.values())
    return {
        "orders": len(books.histories),
        "events": events,
        "ends": dict(Counter(type(history.state).__name__ for history in books.histories.values())),
        "mails": len(books.mails),
        "invoices": sum(books.series.values()),
    }


def events_per_order(books: Books) -> float:
    """The mean."""
    return sum(len(history.events) for history in books.histories.values()) / max(1, len(books.histories))
