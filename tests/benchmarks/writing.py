"""Appending, and the whole of a worker's step (load, fold, decide, append), against the bare calls with the same bytes."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from orderstore import codec
from orderstore.domain import decisions
from orderstore.domain import events as e
from orderstore.domain.state import State
from orderstore.history import History
from orderstore.recorded import Cause, Recorded
from orderstore.store import items
from orderstore.store.port import Commit
from orderstore.transact import Decide, Transactor
from tests.benchmarks.logs import AT_ONCE, Backend, at_once, fill, renamed, small
from tests.benchmarks.measures import Comparison, Side, compare
from tests.benchmarks.real_orders import Histories

_T = TypeVar("_T")
Work = Callable[[], Awaitable[int]]
_CONDITION = {
    "ConditionExpression": "attribute_not_exists(#stream)",
    "ExpressionAttributeNames": {"#stream": "stream"},
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}

DECISIONS: dict[type[e.Event], Callable[..., tuple[e.Event, ...]]] = {
    e.PaymentCompleted: decisions.complete_payment,
    e.InventoryReserved: decisions.reserve_inventory,
    e.ShipmentCreated: decisions.create_shipment,
    e.ShipmentDispatched: decisions.dispatch_shipment,
    e.PaymentCaptured: decisions.capture_payment,
    e.ShipmentDelivered: decisions.deliver_shipment,
    e.RefundIssued: decisions.issue_refund,
}
"""The outcomes that workers record, and what decides on them; invoices are left out, for they are transactions."""


async def append(
    log: Backend, histories: Histories, *, rounds: int, appends: int, name: str = "a", bare_client: Any = None
) -> Comparison:
    """`EventStore.append` of sealed commits of real orders, in the mix in which they occur, against `put_item` of the same items.

    `bare_client` makes the bare calls: `log.stock` the library as it comes, `log.client` (None) the service's own.
    """
    client = bare_client or log.client
    commits = [commit for order in small(histories) for commit in order]

    async def ours(number: int) -> Work:
        work = _firsts(_part(commits, number, appends), f"{name}o{number:04d}")
        return lambda: at_once([partial(log.store.append, commit) for commit in work])

    async def bare(number: int) -> Work:
        work = [
            items.encode(commit).item for commit in _firsts(_part(commits, number, appends), f"{name}b{number:04d}")
        ]
        return lambda: at_once(
            [partial(client.put_item, TableName=log.table, Item=item, **_CONDITION) for item in work]
        )

    return await compare(Side(ours), Side(bare), rounds=rounds)


async def step(
    log: Backend,
    histories: Histories,
    *,
    rounds: int,
    steps: int,
    name: str = "s",
    workers: int = AT_ONCE,
    bare_client: Any = None,
) -> Comparison:
    """Load, fold, decide and append the outcome that really came next, against a bare query and a bare put of the same bytes."""
    client = bare_client or log.client
    moments = [
        (order, cut) for order in small(histories) for cut in range(1, len(order)) if _outcome(order[cut]) is not None
    ]
    transactor = Transactor(log.store, now_ms=lambda: 1_780_000_000_000)

    async def ours(number: int) -> Work:
        work = []
        for place, (order, cut) in enumerate(_part(moments, number, steps)):
            copy = renamed(order[: cut + 1], f"{name}o{number:04d}{place:05d}")
            await fill(log, copy[:cut])
            work.append(partial(_take, transactor, copy[cut].stream, _first_outcome(copy[cut])))
        return lambda: at_once(work, workers=workers)

    async def bare(number: int) -> Work:
        work = []
        for place, (order, cut) in enumerate(_part(moments, number, steps)):
            copy = renamed(order[: cut + 1], f"{name}b{number:04d}{place:05d}")
            await fill(log, copy[:cut])
            work.append(partial(_bare_step, client, log.table, copy[cut].stream, items.encode(copy[cut]).item))
        return lambda: at_once(work, workers=workers)

    return await compare(Side(ours), Side(bare), rounds=rounds)


async def load(log: Backend, streams: list[str], *, rounds: int, loads: int) -> Comparison:
    """Load and fold whole orders, against a bare query of the same."""
    transactor = Transactor(log.store, now_ms=lambda: 0)

    async def ours(number: int) -> Work:
        work = _part(streams, number, loads)
        return lambda: at_once([partial(transactor.load, stream) for stream in work])

    async def bare(number: int) -> Work:
        work = _part(streams, number, loads)
        return lambda: at_once([partial(_bare_query, log.client, log.table, stream) for stream in work])

    return await compare(Side(ours), Side(bare), rounds=rounds)


def _part(things: Sequence[_T], number: int, count: int) -> list[_T]:
    """The work of a round: the same for both sides, and another in each round."""
    return [things[place % len(things)] for place in range(number * count, (number + 1) * count)]


def _firsts(commits: Sequence[Commit], copy: str) -> list[Commit]:
    """Each body as the first commit of an order of its own, so that none waits for another."""
    firsts = []
    for place, commit in enumerate(commits):
        stream = f"{commit.stream[:-12]}{copy}{place:06d}"
        firsts.append(History(stream=stream).following(commit.body, recorded_at_ms=commit.recorded_at_ms))
    return firsts


def _outcome(commit: Commit) -> Recorded | None:
    """What a worker recorded, if this commit is such a record and needs no number."""
    recorded = codec.decode(commit)
    return recorded[0] if type(recorded[0].event) in DECISIONS else None


def _first_outcome(commit: Commit) -> Recorded:
    first = _outcome(commit)
    assert first is not None
    return first


async def _take(transactor: Transactor, stream: str, first: Recorded) -> None:
    history = await transactor.load(stream)
    after = await transactor.transact(history, _decide(first), cause=_cause(first))
    assert after.version > history.version, "the outcome was recorded"


def _decide(first: Recorded) -> Decide:
    def decide(state: State) -> tuple[e.Event, ...]:
        return DECISIONS[type(first.event)](state, outcome=first.event)

    return decide


def _cause(first: Recorded) -> Cause:
    return Cause(
        causation_id=first.causation_id,
        purpose="benchmark",
        correlation_id=first.correlation_id,
        actor=first.actor,
        source=first.source,
        traceparent=first.traceparent,
    )


async def _bare_step(client: Any, table: str, stream: str, item: items.Item) -> None:
    await _bare_query(client, table, stream)
    await client.put_item(TableName=table, Item=item, **_CONDITION)


async def _bare_query(client: Any, table: str, stream: str) -> None:
    await client.query(
        TableName=table,
        KeyConditionExpression="#stream = :stream AND #commit > :after",
        ExpressionAttributeNames={"#stream": "stream", "#commit": "commit"},
        ExpressionAttributeValues={":stream": {"S": stream}, ":after": {"N": "0"}},
        ConsistentRead=True,
    )
