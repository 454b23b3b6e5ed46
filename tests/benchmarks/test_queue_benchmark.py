"""The queue's benchmarks run and count what they say; no timing is judged here."""

import json
import subprocess
from collections import Counter
from types import SimpleNamespace

import pytest

from tests.benchmarks import queue_node, queueing
from tests.benchmarks.measures import Comparison, Side
from tests.benchmarks.queue_backend import BODY, Counted
from tests.benchmarks.queue_holding import Holder
from tests.benchmarks.queue_node import SOURCE, NodeConsumer
from tests.benchmarks.queueing import AllDeleted, against_bare, against_node, by_loop, in_memory, now_ms
from workers.runtime.memory import MemoryQueue
from workers.runtime.observe import Deleted
from workers.runtime.outcome import Defer, Done
from workers.runtime.queue import Message


def test_requests_are_counted_by_their_name() -> None:
    """Each that is sent, and what has come on top since."""
    hooks = {}
    client = SimpleNamespace(meta=SimpleNamespace(events=SimpleNamespace(register=hooks.__setitem__)))
    counted = Counted(client)
    for name in ("ReceiveMessage", "ReceiveMessage", "DeleteMessageBatch"):
        hooks["before-send.sqs"](request=None, event_name=f"before-send.sqs.{name}")
    assert counted.since({"ReceiveMessage": 1}) == Counter({"ReceiveMessage": 1, "DeleteMessageBatch": 1})


def test_the_clock_stops_at_the_last_deletion() -> None:
    """Not before, and not at one more."""
    observer = AllDeleted(12)
    observer.deleted(Deleted(queue="q", count=11))
    assert not observer.event.is_set()
    observer.deleted(Deleted(queue="q", count=1))
    assert observer.event.is_set()


async def test_the_loop_works_off_exactly_what_is_there() -> None:
    """And the row of its own time is one of a real run."""
    queue = MemoryQueue("memory", now_ms=now_ms)
    for number in range(50):
        await queue.send(str(number))
    assert await by_loop(queue, 50) > 0
    assert (await queue.depths()).visible == 0
    (row,) = await in_memory(rounds=1, count=20)
    assert row.value > 0
    assert row.floor is None


async def test_requests_per_message_are_those_of_the_rounds_that_were_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison may end before its last round: what is divided by are the messages of those that counted."""

    alike = Comparison((1.0,), (1.0,), Comparison((1.0,), (1.0,)))

    async def two_of_ten_rounds(ours: Side, _bare: Side, *, rounds: int, enough_s: float = 12.0) -> Comparison:
        for number in range(1, 3):
            await (await ours.prepare(number))()
        return alike

    class Backend:
        """Twenty requests a round, for a hundred messages."""

        client = stock = None

        def __init__(self) -> None:
            self.counted = SimpleNamespace(requests={}, since=lambda _before: Counter({"ReceiveMessage": 20}))

        async def make(self, name: str) -> SimpleNamespace:
            return SimpleNamespace(_url=name)

        async def fill(self, url: str, count: int) -> None:
            assert count == 100

    async def at_once(*_arguments: object, **_more: object) -> float:
        return 1.0

    monkeypatch.setattr(queueing, "compare", two_of_ten_rounds)
    monkeypatch.setattr(queueing, "by_loop", at_once)
    monkeypatch.setattr(queueing, "Comparison", lambda *_rates: alike)
    judged, same_client, requests = await against_bare(Backend(), rounds=10, count=100)  # type: ignore[arg-type]  # as much of one as is asked
    assert requests.value == 0.2
    assert (judged.floor, same_client.floor) == (queueing.LOOP_MIN, queueing.LOOP_BESIDE_MIN)


async def test_what_is_held_is_done_at_the_second_call() -> None:
    """As an outage would have it."""
    holder = Holder(30)
    message = Message(id="m", receipt="r", body=BODY, attributes={}, receive_count=1, sent_at_ms=0)
    assert await holder(message) == Defer(30)
    assert await holder(message) == Done()


async def test_without_node_the_row_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails nothing and pretends nothing."""
    monkeypatch.setattr(queue_node.shutil, "which", lambda _name: None)
    assert NodeConsumer.installed() is None
    (row,) = await against_node(SimpleNamespace(), None, rounds=1, count=1)  # type: ignore[arg-type]  # never looked at
    assert row.passed
    assert "not measured" in row.note


def test_an_old_node_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The locked versions want a newer one."""
    monkeypatch.setattr(queue_node.shutil, "which", lambda name: f"/usr/bin/{name}")
    answer = subprocess.CompletedProcess([], 0, stdout="v18.20.1\n")
    monkeypatch.setattr(queue_node.subprocess, "run", lambda *_arguments, **_more: answer)
    assert NodeConsumer.installed() is None


def test_the_lock_pins_every_package_and_names_no_host() -> None:
    """npm asks whatever registry it is configured for, and takes nothing but these very bytes."""
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    wanted = json.loads((SOURCE / "package.json").read_text())["dependencies"]
    installed = {path: package for path, package in lock["packages"].items() if path}
    assert all(
        "resolved" not in package and package["integrity"].startswith("sha512-") for package in installed.values()
    )
    assert "://" not in (SOURCE / "package-lock.json").read_text()
    for name, version in wanted.items():
        assert installed[f"node_modules/{name}"]["version"] == version
