"""Deliberate bugs, each a few lines put in the place of right ones while a run is played: who catches none of them proves nothing.

`python -m tests.simulation --bugs` plays each until it is caught. They are in the product's code, or, where a database keeps the promise,
in the database: then what is broken is the condition that the code relies on.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, cast
from unittest.mock import patch

import anyio

from orderstore.domain import ids, next_steps
from orderstore.domain.state import Cancelling, State
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from projections.projecting import catching_up
from projections.publishing import announcements as relay_announcements
from projections.publishing import relay as relay_module
from projections.publishing.relay import Relay
from projections.publishing.sending import Sender
from projections.stream import memory_leases
from projections.stream.healing import Healer
from projections.stream.lanes import Lanes
from projections.stream.quarantine import Quarantine
from projections.view_store import Conflict, Written
from projections.view_store.memory import MemoryViewStore
from workers.inventory import reservation
from workers.notification.records import TableNotifications
from workers.payment import handler as payment_handler
from workers.payment.attempts import Attempt, TableAttempts
from workers.payment.gateway import Declined, PaymentGateway
from workers.runtime.breaker import Guarded
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.outcome import Done
from workers.runtime.settle import Settler


@dataclass(frozen=True, slots=True)
class Bug:
    """`broken()` is a context in which the service has it."""

    name: str
    broken: Callable[[], AbstractContextManager[Any]]


_NUMBERS: Final = itertools.count()


def _one_number() -> str:
    return f"{next(_NUMBERS):08x}"


def _append_without_a_condition() -> AbstractContextManager[Any]:
    """Of two writers of one number the second is told that it won."""

    def is_stored(self: MemoryEventStore, commit: Commit) -> bool:
        return commit.number <= len(self._commits.get(commit.stream, []))

    return patch.object(MemoryEventStore, "_is_stored", is_stored)


def _random_event_ids() -> AbstractContextManager[Any]:
    """An event gets another id each time that it is published."""
    real = relay_announcements.announcements

    def announcements(commit: Commit) -> Any:
        return tuple(
            replace(
                event, event_id=_one_number(), body=event.body.replace(event.event_id.encode(), _one_number().encode())
            )
            for event in real(commit)
        )

    return patch.object(relay_module, "announcements", announcements)


def _random_order_ids() -> AbstractContextManager[Any]:
    real = ids.order_id_for_key
    return patch.object(ids, "order_id_for_key", lambda tenant, key: real(tenant, key + _one_number()))


def _ack_what_failed() -> AbstractContextManager[Any]:
    """A handler's error ends in an acknowledgement."""
    real = Guarded.__call__

    async def call(self: Guarded, message: Any) -> Any:
        try:
            outcome = await real(self, message)
        except Exception:  # noqa: BLE001 - that is the bug
            return Done()
        return outcome if isinstance(outcome, Done) else Done()

    return patch.object(Guarded, "__call__", call)


def _ack_what_was_not_started() -> AbstractContextManager[Any]:
    """What a drain gives back is acknowledged instead."""

    def give_back(self: Settler, held: Any, reason: str, after_s: float = 0) -> None:
        self._acks.add(held)

    return patch.object(Settler, "give_back", give_back)


def _heartbeat_stops() -> AbstractContextManager[Any]:
    """Nothing is extended, and nobody notices that it is lost."""

    async def run(self: Heartbeat) -> None:
        await anyio.sleep_forever()

    @contextmanager
    def broken() -> Iterator[None]:
        with patch.object(Heartbeat, "run", run), patch.object(Heartbeat, "watch", run):
            yield

    return broken()


def _gap_is_not_healed() -> AbstractContextManager[Any]:
    async def heal(self: Healer, gap: Any) -> int:
        return self._now_ms()

    return patch.object(Healer, "heal", heal)


def _fence_is_forgotten() -> AbstractContextManager[Any]:
    """Every write of a lease succeeds, whoever owns it."""
    return patch.object(memory_leases, "unmoved", lambda row, seen: row is not None)


def _checkpoint_early() -> AbstractContextManager[Any]:
    """A page counts as applied when it was read."""
    real = Lanes.submit

    def submit(self: Lanes, records: Sequence[Any]) -> None:
        real(self, records)
        if records:
            self._held.advance(sequence=records[-1].sequence_number, caught_up_to_ms=self._now_ms())

    return patch.object(Lanes, "submit", submit)


def _failed_batch_is_skipped() -> AbstractContextManager[Any]:
    """A subscriber's error is logged, and the next page is read: what the Kinesis Client Library does."""
    return _applied_or_not(Quarantine)


def _applied_or_not(kind: type[Quarantine | Relay]) -> AbstractContextManager[Any]:
    real: Any = kind.apply

    async def apply(self: Any, records: Sequence[Any]) -> None:
        try:
            await real(self, records)
        except Exception:  # noqa: BLE001 - that is the bug
            return

    return patch.object(kind, "apply", apply)


def _views_without_a_condition() -> AbstractContextManager[Any]:
    """A document is put whatever lies there."""
    real = MemoryViewStore._write

    def write(self: MemoryViewStore, one: Any) -> Any:
        there = self._documents.get(one.key)
        expected = None if there is None else there.commit
        contribution = "" if there is None else there.contribution
        if expected is not None and expected > one.commit:
            self._documents[one.key] = one
            return Written()
        additions = one.additions if one.contribution != contribution else ()
        forced = replace(one, expected_commit=expected, expected_contribution=contribution, additions=additions)
        return real(self, forced)

    return patch.object(MemoryViewStore, "_write", write)


def _holes_are_folded_over() -> AbstractContextManager[Any]:
    """A document takes whatever commit comes next."""

    @contextmanager
    def broken() -> Iterator[None]:
        with patch.object(catching_up, "follows", lambda folded, numbers: True):
            yield

    return broken()


def _totals_counted_again() -> AbstractContextManager[Any]:
    """What a write adds to the totals is added also when the write is refused."""
    real = MemoryViewStore._write

    def write(self: MemoryViewStore, one: Any) -> Any:
        result = real(self, one)
        if isinstance(result, Conflict):
            for addition in one.additions:
                totals = self._totals.setdefault(addition.sum_key, {})
                for measure, amount in addition.amounts.items():
                    totals[measure] = totals.get(measure, 0) + amount
        return result

    return patch.object(MemoryViewStore, "_write", write)


def _failed_entries_are_forgotten() -> AbstractContextManager[Any]:
    """What the topic refused of a batch counts as published."""
    real = Sender.__init__

    def init(self: Sender, publisher: Any, **named: Any) -> None:
        class Deaf:
            async def publish(self, batch: Any) -> tuple[()]:
                await publisher.publish(batch)
                return ()

        real(self, Deaf(), **named)

    return patch.object(Sender, "__init__", init)


def _unavailable_topic_is_ignored() -> AbstractContextManager[Any]:
    return _applied_or_not(Relay)


def _new_key_for_each_try() -> AbstractContextManager[Any]:
    """The provider is asked under another key each time."""
    real = payment_handler._attempt_key
    return patch.object(payment_handler, "_attempt_key", lambda order: f"{real(order)}:{_one_number()}")


def _time_out_is_a_decline() -> AbstractContextManager[Any]:
    real = payment_handler.PaymentHandler._outcome

    async def outcome(self: Any, order: Any, gateway: Any, attempt: Any) -> Any:
        try:
            return await real(self, order, gateway, attempt)
        except Exception:  # noqa: BLE001 - that is the bug
            return Declined("soft", "time_out")

    return patch.object(payment_handler.PaymentHandler, "_outcome", outcome)


def _cancellation_ignores_the_attempt() -> AbstractContextManager[Any]:
    """A payment that is under way is taken for one that was never begun."""

    async def abandon(self: TableAttempts, key: str, *, order_id: str) -> Any:
        return Attempt(key=key, state="abandoned")

    return patch.object(TableAttempts, "abandon", abandon)


def _claim_without_a_condition() -> AbstractContextManager[Any]:
    """Whoever wants to send, sends."""

    async def claim(self: TableNotifications, record: Any) -> Any:
        return replace(record, state="sending", claimed_at_ms=self._now_ms())

    return patch.object(TableNotifications, "claim", claim)


def _stock_without_a_record() -> AbstractContextManager[Any]:
    """A reservation that is repeated takes the goods again."""
    real = reservation.hold

    def hold(head: Any, chunk: Any, tracked: Any) -> Any:
        _, record, *takes = real(head, chunk, tracked)
        return (replace(record, key={"key": f"{record.key['key']}/{_one_number()}"}), *takes)

    return patch.object(reservation, "hold", hold)


def _stock_is_not_released() -> AbstractContextManager[Any]:
    real = next_steps.inventory_step

    def step(state: State) -> Any:
        return None if isinstance(state, Cancelling) else real(state)

    return patch.object(next_steps, "inventory_step", step)


def _number_before_the_invoice() -> AbstractContextManager[Any]:
    """The number is taken first, and the invoice stored afterwards, if it comes to that."""

    async def append_numbered(self: MemoryEventStore, commit: Commit, *, counter: str, taken: int) -> None:
        self._counters[counter] = max(taken, self._counters.get(counter, 0))
        await anyio.sleep(0.01)
        if not self._is_stored(commit):
            self._store(commit)

    return patch.object(MemoryEventStore, "append_numbered", append_numbered)


def _refund_under_a_new_key() -> AbstractContextManager[Any]:
    """A refund whose answer was lost is made again."""
    real = payment_handler.PaymentHandler._refund

    async def refund(self: Any, history: Any, gateway: Any, one: Any) -> Any:
        class Again:
            async def refund(self, key: str, *, reference: str, amount: Any) -> Any:
                return await gateway.refund(key + _one_number(), reference=reference, amount=amount)

        return await real(self, history, cast("PaymentGateway", Again()), one)

    return patch.object(payment_handler.PaymentHandler, "_refund", refund)


BUGS: Final[tuple[Bug, ...]] = (
    Bug("an append without its condition", _append_without_a_condition),
    Bug("another event id for each publication", _random_event_ids),
    Bug("random order ids", _random_order_ids),
    Bug("a failed message is acknowledged", _ack_what_failed),
    Bug("a drain acknowledges what was not started", _ack_what_was_not_started),
    Bug("the heartbeat stops", _heartbeat_stops),
    Bug("a gap is not healed", _gap_is_not_healed),
    Bug("the fence of leases is forgotten", _fence_is_forgotten),
    Bug("the checkpoint is early", _checkpoint_early),
    Bug("a failed batch is skipped", _failed_batch_is_skipped),
    Bug("views without their condition", _views_without_a_condition),
    Bug("holes are folded over", _holes_are_folded_over),
    Bug("totals are counted again", _totals_counted_again),
    Bug("failed entries count as published", _failed_entries_are_forgotten),
    Bug("the relay ignores errors", _unavailable_topic_is_ignored),
    Bug("another payment key for each try", _new_key_for_each_try),
    Bug("a time-out is a decline", _time_out_is_a_decline),
    Bug("a cancellation ignores the payment under way", _cancellation_ignores_the_attempt),
    Bug("a mail is sent without a claim", _claim_without_a_condition),
    Bug("a reservation is taken again", _stock_without_a_record),
    Bug("a cancellation keeps the stock", _stock_is_not_released),
    Bug("the invoice's number is taken first", _number_before_the_invoice),
    Bug("a refund is made again under a new key", _refund_under_a_new_key),
)
BY_NAME: Final = MappingProxyType({bug.name: bug for bug in BUGS})
