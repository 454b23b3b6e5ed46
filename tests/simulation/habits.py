"""What customers, banks, carriers, warehouses and the people at the desk do in a run: one frozen record of named numbers, drawn from the
run's seed and from nothing else, so that what goes wrong in a run (`faults.py`) stays what it was.

In every fifth run nobody has a habit: such a run is the simplest order's, as it was before there were any.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

PLAIN_ONE_IN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """A probability of one order (of a question, a return, a look of somebody) unless the name says otherwise. All zero: none of it."""

    # what an order asks for
    terms: float = 0.0  # it has terms of its own: each of them one of its choices
    per_shipment: float = 0.0  # of these, that each parcel is paid for when it leaves
    review: float = 0.0  # of these, that somebody looks at it before goods leave
    grace: float = 0.0  # of these, that nobody begins with it for a while
    promised: float = 0.0  # of these, that it says by when it leaves
    # how it is paid
    soft_decline: float = 0.0
    bank_asks: float = 0.0
    hold_runs_out: float = 0.0
    hold_s: int = 60
    taken_once: float = 0.0
    refund_fails: float = 0.0
    # what becomes of a parcel of it
    refused: float = 0.0
    lost: float = 0.0
    delayed: float = 0.0
    # what its customer does
    pays_again: float = 0.0  # at one look at a payment that was declined
    does_what_the_bank_asks: float = 0.0
    answers: float = 0.0  # at one look at a question
    cancels_lines: float = 0.0
    wants_more: float = 0.0  # of the same order, which is kept here for that
    sends_back: float = 0.0
    exchanges: float = 0.0  # of what is sent back, that another order is to replace it
    disputes: float = 0.0
    dispute_won: float = 0.5
    # what people of the shop do
    delays: float = 0.0  # somebody says that it will leave later, and asks
    unattended: float = 0.0  # nobody at the desk ever cares for it
    # of the run
    locations: int = 1
    pieces: int = 12  # of each article at each location, in the beginning
    goods_in_every_s: float = 0.0
    impatient: bool = False  # stages may take seconds and not days: so they stall

    @property
    def plain(self) -> bool:
        """Whether nobody has any."""
        return self == PLAIN


PLAIN: Final = Habits()


def habits_of(seed: int) -> Habits:
    """Some of everything, or none of it: the seed decides."""
    if seed % PLAIN_ONE_IN == 0:
        return PLAIN
    random = Random(f"habits {seed}")

    def up_to(most: float) -> float:
        return random.choice((0.0, random.uniform(0, most)))

    return Habits(
        terms=random.uniform(0.6, 1.0),
        per_shipment=random.choice((0.0, 0.5, 1.0)),
        review=up_to(0.6),
        soft_decline=up_to(0.5),
        bank_asks=up_to(0.3),
        hold_runs_out=up_to(0.4),
        hold_s=random.choice((20, 40, 60)),
        taken_once=up_to(0.2),
        refund_fails=up_to(0.3),
        refused=up_to(0.2),
        lost=up_to(0.3),
        delayed=up_to(0.3),
        pays_again=random.uniform(0.1, 0.7),
        does_what_the_bank_asks=random.uniform(0.1, 0.7),
        answers=random.uniform(0.0, 0.5),
        cancels_lines=up_to(1.0),
        sends_back=random.uniform(0.2, 1.0),
        exchanges=up_to(0.5),
        disputes=up_to(0.5),
        delays=up_to(0.4),
        unattended=up_to(0.3),
        locations=random.choice((1, 2, 3)),
        pieces=random.choice((1, 2, 4)),
        goods_in_every_s=random.choice((0.0, 15.0, 40.0)),
        impatient=random.random() < 0.5,
        grace=up_to(0.5),
        promised=up_to(0.6),
        wants_more=up_to(0.5),
    )
