"""The orders whose cost is counted, one after the other on an idle service, each until nothing of it is under way any more."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import anyio

from tests.cost.fleet import Fleet, running_fleet
from tests.cost.meter import Call
from workers.departments import stock_of

QUIET_S: Final = 1.0
"""So long nobody may have made a call for the order: then it is at its end."""
SCENARIO_S_MAX: Final = 300.0
AS_DEPLOYED: Final[Mapping[str, str]] = {"ORDERSTORE_ARCHIVE_LINGER_S": "5"}
"""What the template sets otherwise than by default, of what an order's cost depends on."""
LOOK_EVERY_S: Final = 0.05
LINES_MAX: Final = 200
LINES: Final = (1, 10, 30, 79, 200)
"""Beside two: what an order costs is counted at these, and lies between them in between."""
REPEATS: Final = 3
"""The happy path is counted so often: what depends on who comes first then shows its range."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What one scenario did."""

    name: str
    orders: int
    lines: int
    status: str
    commits: tuple[tuple[str, ...], ...]
    """The types of the events of each commit."""
    calls: tuple[Call, ...]
    """Those that the orders caused."""
    standing: tuple[Call, ...]
    """Those that would have been made anyway, in the same time."""
    seconds: float
    log_bytes: int
    """Of the log lines that the roles wrote meanwhile."""
    prefix: str
    """What the names of tables begin with."""


def article(number: int) -> str:
    """A stock keeping unit."""
    return f"SKU-{number:05}"


def order(lines: int, *, customer: str = "known", **hooks: str) -> dict[str, Any]:
    """What a client sends."""
    items = [{"sku": article(n), "quantity": 1 + n % 3, "price": f"{10 + n}.50"} for n in range(lines)]
    return {
        "customerId": f"customer-{customer}",
        "customerEmail": f"{customer}@example.com",
        "currency": "USD",
        "items": items,
        **hooks,
    }


async def until(done: Callable[[], Any], what: str) -> Any:
    """Ask until there is an answer; the clock is real, since the emulator's is. Raises TimeoutError."""
    end = time.monotonic() + SCENARIO_S_MAX
    while time.monotonic() < end:
        if found := await done():
            return found
        await anyio.sleep(LOOK_EVERY_S)
    raise TimeoutError(what)


async def quiet(fleet: Fleet, *, after: float) -> None:
    """Until only standing calls have been made for a while, and the batches that wait for company have gone."""
    seen, since = -1, time.monotonic()
    end = since + SCENARIO_S_MAX
    while time.monotonic() < end:
        made = sum(not call.standing for call in fleet.meter.calls)
        now = time.monotonic()
        if made != seen:
            seen, since = made, now
        elif now - since >= QUIET_S + after:
            return
        await anyio.sleep(LOOK_EVERY_S)
    raise TimeoutError("the service does not come to rest")


async def follow(fleet: Fleet, order_id: str, *, until_state: Callable[[Any], bool]) -> Any:
    """The history of an order, once its state is so."""

    async def look() -> Any:
        history = await fleet.beside.orders.load(order_id)
        return history if until_state(history.state) else None

    return await until(look, f"order {order_id}")


async def place(fleet: Fleet, body: Mapping[str, Any]) -> str:
    """Place an order as a client does."""
    placed = await fleet.call("POST", "/orders", body)
    return str(placed["orderId"])


def final(state: Any) -> bool:
    """Whether nothing is to come any more."""
    return type(state).__name__ in ("Completed", "Cancelled", "Rejected")


@dataclass(frozen=True, slots=True)
class Since:
    """Where a scenario begins."""

    call: int
    log_bytes: int
    started: float

    @classmethod
    def now(cls, fleet: Fleet) -> "Since":
        """Here."""
        return cls(len(fleet.meter.calls), fleet.logged.bytes, time.monotonic())


async def counted(name: str, fleet: Fleet, orders: Sequence[str], since: Since) -> Counted:
    """What was done since then, once everything about these orders is at rest."""
    histories = [await follow(fleet, order_id, until_state=final) for order_id in orders]
    linger_s = fleet.beside.settings.archive_linger_s
    await quiet(fleet, after=linger_s)
    calls = fleet.meter.calls[since.call :]
    commits: dict[int, list[str]] = {}
    for recorded in histories[0].events:
        commits.setdefault(recorded.commit, []).append(type(recorded.event).__name__)
    return Counted(
        name=name,
        orders=len(orders),
        lines=len(histories[0].state.order.lines),
        status=type(histories[0].state).__name__,
        commits=tuple(tuple(types) for types in commits.values()),
        calls=tuple(call for call in calls if not call.standing and not call.provider),
        standing=tuple(call for call in calls if call.standing),
        seconds=time.monotonic() - since.started,
        log_bytes=fleet.logged.bytes - since.log_bytes,
        prefix=fleet.beside.settings.resource_prefix,
    )


async def lived(name: str, fleet: Fleet, *bodies: Mapping[str, Any]) -> Counted:
    """Orders that go their way by themselves, placed together."""
    since = Since.now(fleet)
    orders: list[str] = []

    async def one(body: Mapping[str, Any]) -> None:
        orders.append(await place(fleet, body))

    async with anyio.create_task_group() as group:
        for body in bodies:
            group.start_soon(one, body)
    return await counted(name, fleet, orders, since)


async def cancelled(name: str, fleet: Fleet, body: Mapping[str, Any]) -> Counted:
    """An order that is paid and reserved, and is called off before the carrier is asked: shipping is away until then."""
    await fleet.stop("shipping")
    await quiet(fleet, after=0)
    since = Since.now(fleet)
    order_id = await place(fleet, body)
    await follow(fleet, order_id, until_state=lambda state: type(state).__name__ == "Confirmed")
    await quiet(fleet, after=0)
    await fleet.call("POST", f"/orders/{order_id}/cancel", {"reason": "changed my mind"})
    await follow(fleet, order_id, until_state=final)
    await fleet.start(["shipping"])
    return await counted(name, fleet, [order_id], since)


async def idle(fleet: Fleet, seconds: float) -> Counted:
    """Nothing at all."""
    since = Since.now(fleet)
    await anyio.sleep(seconds)
    calls = tuple(fleet.meter.calls[since.call :])
    return Counted(
        name="idle",
        orders=0,
        lines=0,
        status="",
        commits=(),
        calls=tuple(call for call in calls if not call.standing),
        standing=tuple(call for call in calls if call.standing),
        seconds=time.monotonic() - since.started,
        log_bytes=fleet.logged.bytes - since.log_bytes,
        prefix=fleet.beside.settings.resource_prefix,
    )


def _named(lines: int) -> str:
    return "1 line" if lines == 1 else f"{lines} lines"


async def _of_lines(lines: int, fleet: Fleet) -> Counted:
    return await lived(_named(lines), fleet, order(lines))


COMPANY: Final = 100
CUSTOMERS: Final = 100
IDLE_S: Final = 40
Scenario = Callable[[Fleet], Any]
SCENARIOS: Final[Mapping[str, Scenario]] = {
    "happy": lambda fleet: lived("happy", fleet, order(2)),
    "declined": lambda fleet: lived("declined", fleet, order(2, paymentOutcome="declined")),
    "cancelled": lambda fleet: cancelled("cancelled", fleet, order(2)),
    "new customer": lambda fleet: lived("new customer", fleet, order(2, customer="new")),
    **{_named(lines): partial(_of_lines, lines) for lines in LINES},
    "in company": lambda fleet: lived(
        "in company", fleet, *[order(2, customer=f"c{number % CUSTOMERS}") for number in range(COMPANY)]
    ),
    "idle": lambda fleet: idle(fleet, IDLE_S),
}


async def count(
    settings: Mapping[str, str],
    *,
    token: str,
    names: Sequence[str],
    told: Callable[[Counted], None] = lambda _: None,
) -> list[Counted]:
    """Run these scenarios on resources that nobody else uses. An order of a known customer goes before them, uncounted."""
    async with running_fleet({**settings, **AS_DEPLOYED}, token=token) as fleet:
        await stock_of(fleet.beside).receive("delivery", {article(number): 1_000_000 for number in range(LINES_MAX)})
        await lived("warm", fleet, order(2))
        found = []
        for name in names:
            found.append(await SCENARIOS[name](fleet))
            told(found[-1])
        return found
