"""One event for one endpoint, and everything that was tried. A value; `deliveries.py` keeps them.

pending ──> delivered
   ├──────> failed      every attempt of the schedule failed
   ├──────> abandoned   tried, then the endpoint was disabled or removed
   └──────> skipped     never tried: the endpoint was disabled
and from each of these back to pending: somebody replays it, under the same webhook-id
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from workers.tables.rows import typed

DeliveryState = Literal["pending", "delivered", "failed", "abandoned", "skipped"]
STATES: Final[tuple[DeliveryState, ...]] = get_args(DeliveryState)
UNDELIVERED: Final[tuple[DeliveryState, ...]] = ("failed", "abandoned", "skipped")
ATTEMPTS_KEPT: Final = 20
ANSWER_SHOWN_MAX: Final = 512
TEST_EVENTS: Final = "test_"
"""What the ids of tests begin with; those of events are UUIDs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try. `status` is 0 without an answer; `error` is empty for a success; `answer` the first of what came back."""

    at_ms: int
    status: int
    duration_ms: int
    error: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """As it stands. `tries` counts the attempts since it was last made pending, `claims` everybody who took it in hand."""

    id: str
    endpoint: str
    event: str
    event_type: str
    order: str
    occurred_at_ms: int
    created_at_ms: int
    payload: str
    state: DeliveryState
    due_at_ms: int
    """Of the next attempt, while it is pending; while somebody is at it, when others may take over."""
    tries: int
    claims: int
    attempts: tuple[Attempt, ...]
    """The last ones, oldest first."""
    replay: str
    """Which replay made it pending last."""


def is_test(delivery: str) -> bool:
    """Whether a delivery, by its id, is a test that somebody waits for."""
    return delivery.partition("/")[2].startswith(TEST_EVENTS)


def delivery_id(endpoint: str, event: str) -> str:
    """The key: an event is one delivery of an endpoint, however often it is heard."""
    return f"{endpoint}/{event}"


def from_row(row: Mapping[str, Any]) -> Delivery:
    """What is stored. Raises RowUnreadable."""
    return typed(Delivery, {"due_at_ms": 0, **row, "id": row.get("delivery")}, "a webhook delivery")


def shown(answer: bytes) -> str:
    """The first of an answer as text, with whatever cannot be printed escaped."""
    text = answer[: ANSWER_SHOWN_MAX * 4].decode("utf-8", "replace")[:ANSWER_SHOWN_MAX]
    return "".join(one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in text)
