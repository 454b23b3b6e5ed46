"""Where a client is, as the id of the last event that it was given. Pure.

    an order's stream      the number of a commit: `7`
    a customer's stream    `<mark>.<notes>.<order>-<commit>.<order>-<commit>...`: the number of the last note that it was given, and the
                           last commit of each order that is followed; `mark` is the customer's, so that nobody goes on from another's id

No process keeps anything for a client: whichever it comes back to knows from the id what is due.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

POSITION_CHARACTERS_MAX: Final = 2_048
ORDERS_MAX: Final = 64
_COMMIT: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_POSITION: Final = re.compile(
    r"([0-9a-f]{8})\.(0|[1-9][0-9]{0,11})((?:\.[0-9a-f]{12}-(?:0|[1-9][0-9]{0,8})){0,64})", re.ASCII
)
_SHORT_CHARACTERS: Final = 12


class NotAPosition(ValueError):
    """The id is not one that this stream gave."""


@dataclass(frozen=True, slots=True)
class Position:
    """Of a customer's stream: the last note, and the last commit of each order (by the beginning of its id)."""

    notes: int
    orders: Mapping[str, int]

    def of(self, order_id: str) -> int | None:
        """The last commit that was given of this order; None when none was."""
        return self.orders.get(short(order_id))


def parse_commit(text: str) -> int:
    """The commit in the id of an order's stream; 0 is before the first. Raises NotAPosition."""
    if not _COMMIT.fullmatch(text):
        raise NotAPosition("the id of the last event of an order's stream is the number of a commit")
    return int(text)


def encode(customer_id: str, notes: int, orders: Mapping[str, int]) -> str:
    """The id of a customer's stream, with its orders by their whole ids."""
    told = "".join(f".{short(order_id)}-{commit}" for order_id, commit in orders.items())
    return f"{_mark(customer_id)}.{notes}{told}"


def decode(customer_id: str, text: str) -> Position:
    """The position in an id. Raises NotAPosition for what `encode` did not make for this customer."""
    found = _POSITION.fullmatch(text) if len(text) <= POSITION_CHARACTERS_MAX else None
    if found is None:
        raise NotAPosition("the id is not one that a customer's stream gave")
    if found[1] != _mark(customer_id):
        raise NotAPosition("the id is of another customer's stream")
    pairs = [pair.split("-") for pair in found[3].split(".")[1:]]
    return Position(int(found[2]), {order: int(commit) for order, commit in pairs})


def short(order_id: str) -> str:
    """The beginning of an order's id, in which the few orders of one customer differ."""
    return order_id.replace("-", "")[:_SHORT_CHARACTERS]


def _mark(customer_id: str) -> str:
    return f"{crc32(customer_id.encode()):08x}"
