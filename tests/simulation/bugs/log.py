"""Bugs in the log and its doors."""

from contextlib import AbstractContextManager
from typing import Any, Final
from unittest.mock import patch

import anyio

from orderstore.domain import ids
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from tests.simulation.bugs.bug import Bug, another
from workers.intake import reports
from workers.intake.queue import requests


def _append_without_a_condition() -> AbstractContextManager[Any]:
    """Of two writers of one number the second is told that it won."""

    def is_stored(self: MemoryEventStore, commit: Commit) -> bool:
        return commit.number <= len(self._commits.get(commit.stream, []))

    return patch.object(MemoryEventStore, "_is_stored", is_stored)


def _random_order_ids() -> AbstractContextManager[Any]:
    real = ids.order_id_for_key
    return patch.object(ids, "order_id_for_key", lambda tenant, key: real(tenant, key + another()))


def _number_before_the_invoice() -> AbstractContextManager[Any]:
    """The number is taken first, and the invoice stored afterwards, if it comes to that."""

    async def append_numbered(self: MemoryEventStore, commit: Commit, *, counter: str, taken: int) -> None:
        self._counters[counter] = max(taken, self._counters.get(counter, 0))
        await anyio.sleep(0.01)
        if not self._is_stored(commit):
            self._store(commit)

    return patch.object(MemoryEventStore, "append_numbered", append_numbered)


def _repeated_request_is_another_order() -> AbstractContextManager[Any]:
    """The key under which a request from the bus is placed is another one each time."""
    real = requests.key_scope
    return patch.object(requests, "key_scope", lambda source: f"{real(source)}{another()}")


def _reports_without_an_id() -> AbstractContextManager[Any]:
    """A report is a new one each time that it is sent."""
    real = reports.report_id
    return patch.object(requests, "report_id", lambda about, kind: f"{real(about, kind)}{another()}")


BUGS: Final = (
    Bug("a repeated request is another order", _repeated_request_is_another_order),
    Bug("another id for each report", _reports_without_an_id),
    Bug("an append without its condition", _append_without_a_condition),
    Bug("random order ids", _random_order_ids),
    Bug("the invoice's number is taken first", _number_before_the_invoice),
)
