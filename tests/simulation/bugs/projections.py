"""Bugs in the views and in the relay."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from orderstore.store.port import Commit
from projections.projecting import catching_up
from projections.publishing import announcements as relay_announcements
from projections.publishing import relay as relay_module
from projections.publishing.relay import Relay
from projections.publishing.send_queue import Outgoing
from projections.publishing.sending import Sender
from projections.view_store import Conflict, Written
from projections.view_store.memory import MemoryViewStore
from tests.simulation.bugs.bug import Bug, another, errors_ignored


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


def _random_event_ids() -> AbstractContextManager[Any]:
    """An event gets another id each time that it is published."""
    real = relay_announcements.announcements

    def announcements(commit: Commit) -> Any:
        return tuple(
            replace(event, event_id=another(), body=event.body.replace(event.event_id.encode(), another().encode()))
            for event in real(commit)
        )

    return patch.object(relay_module, "announcements", announcements)


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
    return errors_ignored(Relay)


def _events_do_not_wait_for_each_other() -> AbstractContextManager[Any]:
    """Each event of an order leaves as if it were the only one."""
    real = Sender.send

    async def send(
        self: Sender, outgoing: Sequence[Outgoing], *, sent: Callable[[Outgoing], None] = lambda _: None
    ) -> None:
        def of_its_order(one: Outgoing) -> None:
            sent(replace(one, stream=one.stream.partition("#")[0]))

        alone = [replace(one, stream=f"{one.stream}#{place}") for place, one in enumerate(outgoing)]
        await real(self, alone, sent=of_its_order)

    return patch.object(Sender, "send", send)


BUGS: Final = (
    Bug("an order's events do not wait for each other", _events_do_not_wait_for_each_other),
    Bug("views without their condition", _views_without_a_condition),
    Bug("holes are folded over", _holes_are_folded_over),
    Bug("totals are counted again", _totals_counted_again),
    Bug("another event id for each publication", _random_event_ids),
    Bug("failed entries count as published", _failed_entries_are_forgotten),
    Bug("the relay ignores errors", _unavailable_topic_is_ignored),
)
