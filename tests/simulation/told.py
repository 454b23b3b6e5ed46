"""What must be true of all who are told something: topic, archive, notifications, inboxes, endpoints for webhooks, senders of requests."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import orjson

from orderstore.archive.reader import examine
from orderstore.contract import PublicEvent, publish
from orderstore.domain.ids import stream_of
from orderstore.history import History
from orderstore.recorded import Recorded
from orderstore.registry import BY_NAME, HEARS_ALL_PUBLIC
from orderstore.snapshots.shelf import SnapshotShelf
from orderstore.snapshots.standing import read_standing
from tests.simulation.outsiders import SUBSCRIBER
from tests.simulation.processes import TENANT, TEXTS
from workers.inbox.notes import HEAD, number_of
from workers.notification.records import FINAL_STATES
from workers.notification.texts import template_for
from workers.webhooks.deliveries import Deliveries
from workers.webhooks.delivery import delivery_id
from workers.webhooks.schedule import TRIES_MAX

if TYPE_CHECKING:
    from tests.simulation.run import Run

CHANNELS = ("email", "inbox")


class Told:
    """Looks at those outside, for orders whose histories are at hand."""

    def __init__(self, run: "Run", histories: dict[str, History]) -> None:
        self._run = run
        self._outside = run.outside
        self._histories = histories

    async def problems(self) -> AsyncIterator[str]:
        """Every promise to somebody outside that was not kept."""
        for problem in (*self._topic(), *self._intake()):
            yield problem
        for check in (self._archive, self._snapshots, self._notifications, self._inboxes, self._webhooks):
            async for problem in check():
                yield problem

    def _topic(self) -> list[str]:
        """What was published is what the log says, word by word. The first publications of an order's events are in the order of its log,
        unless the stream itself or a back-fill brought them otherwise (projections/publishing/sequence.py, docs/relay.md)."""
        found: list[str] = []
        seen: dict[str, dict[str, PublicEvent]] = {}
        for event in self._outside.topic.published:
            first = seen.setdefault(event.order_id, {}).setdefault(event.event_id, event)
            if (first.body, first.attributes) != (event.body, event.attributes):
                found.append(f"event {event.event_id} was published in two ways")
        excused = self._run.swapped | self._run.healing
        for order_id, history in self._histories.items():
            wanted = {
                public.event_id: public for recorded in history.events if (public := publish(recorded)) is not None
            }
            heard = {name: one for name, one in seen.pop(order_id, {}).items() if name in wanted}
            found += [
                f"event {name} was published as something else"
                for name, one in heard.items()
                if one.body != wanted[name].body
            ]
            if list(heard) != list(wanted) and stream_of(TENANT, order_id) not in excused:
                found.append(
                    f"order {order_id} was published out of its order: {list(heard)} instead of {list(wanted)}"
                )
        found += [f"order {order_id} was published, and there is no such order" for order_id in seen]
        return found

    def _intake(self) -> list[str]:
        """Every request from the bus is answered, with one id and one order however often it was handled."""
        bus, found = self._outside.bus, []
        for request in sorted(self._run.customers.requests):
            orders, ids = bus.accepted.get(request, set()), bus.ids.get(request, set())
            if (len(orders), len(ids)) != (1, 1):
                found += [f"request {request}: the orders {orders}, the reports {ids}"]
        return found + [f"a request was refused: {report}" for report in bus.refused]

    async def _archive(self) -> AsyncIterator[str]:
        """Whole, proven, and each commit in it once."""
        archived: Counter[tuple[str, int, bytes]] = Counter()
        async for one in examine(self._outside.objects, expected=await self._outside.positions.applied()):
            for fault in one.faults:
                yield f"the archive: {fault}"
            archived.update((commit.stream, commit.number, commit.hash) for commit in one.commits)
        for stream in self._outside.log._commits:
            for commit in await self._outside.log.read(stream):
                if archived.pop((stream, commit.number, commit.hash), 0) != 1:
                    yield f"{stream} {commit.number} is not once in the archive"
        if archived:
            yield f"the archive has what the log has not: {list(archived)[:3]}"

    async def _snapshots(self) -> AsyncIterator[str]:
        """An order that is read from a snapshot on stands where its whole history says."""
        shelf = SnapshotShelf(self._outside.objects)
        for order_id, history in self._histories.items():
            standing = await read_standing(self._outside.log, shelf, stream_of(TENANT, order_id))
            if (standing.state, standing.version) != (history.state, history.version):
                yield f"order {order_id}: read from a snapshot on it stands elsewhere"

    async def _notifications(self) -> AsyncIterator[str]:
        rows = [row async for row in self._outside.tables["notifications"].scan()]
        for row in rows:
            if row["state"] not in FINAL_STATES:
                yield f"notification {row['notification']} is {row['state']}"
        told = {row["notification"] for row in rows}
        owed = {
            f"{recorded.event_id}:{channel}"
            for history in self._histories.values()
            for recorded in history.events
            for channel in CHANNELS
            if _is_told(recorded, channel)
        }
        if owed - told:
            yield f"nobody was told of {len(owed - told)} events: {sorted(owed - told)[:3]}"
        if self._run.nothing_fails:
            mails = Counter(mail.notification_id for mail in self._outside.mailbox.sent)
            for name, count in mails.items():
                if count > 1:
                    yield f"{name} is mailed {count} times, and nothing had failed"

    async def _inboxes(self) -> AsyncIterator[str]:
        """One note of each event, numbered without a hole."""
        numbers: dict[str, list[int]] = {}
        events: Counter[str] = Counter()
        async for row in self._outside.inboxes.scan():
            if row["note"] != HEAD:
                numbers.setdefault(row["owner"], []).append(number_of(row))
                events[row["event_id"]] += 1
        for owner, taken in numbers.items():
            if sorted(taken) != list(range(1, len(taken) + 1)) or await self._outside.inboxes.number(owner) != len(
                taken
            ):
                yield f"the inbox {owner} has the numbers {sorted(taken)}"
        owed: Counter[str] = Counter(
            recorded.event_id
            for history in self._histories.values()
            for recorded in history.events
            if _is_told(recorded, "inbox")
        )
        if events != owed:
            yield f"inboxes: {dict((events - owed) or (owed - events))} too many or too few"

    async def _webhooks(self) -> AsyncIterator[str]:
        subscriber = self._outside.subscriber
        for problem in subscriber.problems:
            yield problem
        if not self._run.webhooks:
            return
        deliveries = Deliveries(self._outside.deliveries, now_ms=lambda: 0)
        for history in self._histories.values():
            for recorded in history.events:
                if publish(recorded) is None:
                    continue
                name = recorded.event_id
                delivery = await deliveries.get(delivery_id(SUBSCRIBER, name))
                if delivery is None:
                    yield f"nobody has written down that {name} is to be delivered"
                elif delivery.state == "delivered":
                    if not subscriber.taken[name]:
                        yield f"{name} counts as delivered, and nobody has it"
                elif delivery.state != "failed" or delivery.tries < TRIES_MAX:
                    yield f"the delivery of {name} is {delivery.state} after {delivery.tries} tries"

    async def waiting(self) -> int:
        """How many deliveries are still to come."""
        return sum([row["state"] == "pending" async for row in self._outside.deliveries.scan()])


def consumers_of(recorded: Recorded) -> tuple[str, ...]:
    """Whose filters let an event through."""
    public = publish(recorded)
    if public is None:
        return ()
    consumers: tuple[str, ...] = BY_NAME[orjson.loads(public.body)["eventType"]].consumers
    return (*consumers, HEARS_ALL_PUBLIC)


def _is_told(recorded: Recorded, channel: str) -> bool:
    """Whether customers are told of it over that channel."""
    template = template_for(recorded.name)
    return "notification" in consumers_of(recorded) and template is not None and TEXTS.has(template, channel)
