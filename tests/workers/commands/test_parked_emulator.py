"""A poisoned order on real tables, streams, topic and queues: it is parked, the others are complete, and the commands bring it back.

Fault 24 of the stream's faults, with both subscriptions as a process runs them.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pytest
from typer.testing import CliRunner, Result

from orderstore.domain.ids import stream_of
from orderstore.store import items
from orderstore.store.port import Commit
from projections.answers.orders import open_queries
from projections.observe import SUBSCRIPTIONS
from projections.stream.parking import Cause, Parked
from tests.projections.histories import TENANT, happy_commits, order_number
from workers.cli import build
from workers.core import Core, open_core
from workers.metrics.table import Metrics
from workers.settings import from_environment
from workers.subscriptions import reader, subscriber

pytestmark = pytest.mark.emulator
OTHERS = 50
BAD = order_number(777)
BY = ("--actor", "ann", "--reason", "OPS-7: the item was mended")


@dataclass
class World:
    """A log with one order that cannot be read, and what the archive's queue, which has no filter, has heard."""

    core: Core
    settings: Mapping[str, str]
    commits: list[Commit] = field(default_factory=lambda: happy_commits(BAD))
    heard: list[tuple[str, int]] = field(default_factory=list)

    @property
    def stream(self) -> str:
        return stream_of(TENANT, BAD)

    async def put(self, commit: Commit, *, broken: bool = False) -> None:
        """As it is stored, whether the store would take it or not; `broken`: its body is not what its hash says."""
        item = items.encode(commit).item
        if broken:
            item["body"] = {"B": b'{"email": "jane@example.com", "broken'}
        await self.core.clients.dynamodb.put_item(TableName=self.core.settings.table("events"), Item=item)  # type: ignore[arg-type]  # a low-level item

    async def put_others(self) -> None:
        for index in range(OTHERS):
            for commit in happy_commits(order_number(index)):
                await self.core.store.append(commit)

    async def listen(self) -> None:
        """Everything that was published, in the order of its arrival."""
        sqs, url = self.core.clients.sqs, await self.queue_url()
        while True:
            answer = await sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1
            )
            for message in answer.get("Messages", ()):
                said = message["MessageAttributes"]
                self.heard.append((said["orderId"]["StringValue"], int(said["commit"]["StringValue"])))
                await sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    async def queue_url(self) -> str:
        found = await self.core.clients.sqs.get_queue_url(QueueName=self.core.settings.queue("archive"))
        return found["QueueUrl"]

    def published(self, order_id: str) -> list[int]:
        """The commits of an order that were heard of, each when it was heard of first."""
        return list(dict.fromkeys(commit for order, commit in self.heard if order == order_id))

    async def shown(self, order_id: str) -> int:
        """The commit that the order's document has come to."""
        key = f"g1/order_status/{TENANT}/{order_id}"
        stored = await self.core.views.get([key])
        return stored[key].commit if key in stored else 0

    async def others_are_complete(self) -> bool:
        last = len(self.commits)
        for index in range(OTHERS):
            order_id = order_number(index)
            if self.published(order_id) != list(range(1, last + 1)) or await self.shown(order_id) == 0:
                return False
        return True

    async def is_live(self) -> bool:
        """The back-fills of the first start are over."""
        rows = [row for name in ("views", "relay") for row in await self.core.leases.rows(name)]
        return len([row for row in rows if row.caught_up_to_ms > 0 and row.gap is None]) >= 2

    async def parked_at(self, subscription: str) -> int | None:
        row = await self.core.parked.get(subscription, self.stream)
        return None if row is None or row.failed is None else int(row.failed["commit"]["N"])

    async def held(self, subscription: str) -> int:
        row = await self.core.parked.get(subscription, self.stream)
        return 0 if row is None else row.held

    async def command(self, *arguments: str, exit_code: int = 0, columns: int = 100) -> Result:
        """A command in a thread of its own, while the workers go on here."""
        runner = CliRunner(env={**self.settings, "COLUMNS": str(columns), "NO_COLOR": "1"})
        result = await anyio.to_thread.run_sync(partial(runner.invoke, build(), ["parked", *arguments]))
        assert result.exit_code == exit_code, result.output + repr(result.exception)
        return result


@asynccontextmanager
async def world_of(settings: Mapping[str, str], *, before: Sequence[Commit] = ()) -> AsyncIterator[World]:
    """Both subscriptions run in it, as `orderstore run projector relay` has them, and are live; `before`: what is there when they begin."""
    async with open_core(from_environment(settings), Metrics()) as core:
        world = World(core, settings)
        for commit in before:
            await world.put(commit, broken=commit.number == 2)
        async with anyio.create_task_group() as tasks:
            for name in SUBSCRIPTIONS:
                tasks.start_soon(reader(core, name, subscriber(core, name)).run)
            tasks.start_soon(world.listen)
            await until(world.is_live)
            yield world
            tasks.cancel_scope.cancel()


async def until(look: Any, *, within_s: float = 30) -> None:
    with anyio.move_on_after(within_s):
        while not await look():  # noqa: ASYNC110 - what is waited for lies in a table
            await anyio.sleep(0.2)
        return
    raise AssertionError(f"not within {within_s} s")


async def test_a_poisoned_order_is_parked_and_comes_back_in_order(environment) -> None:
    """50 others are complete meanwhile, in both subscriptions; what was held follows in order once the item is mended."""
    async with world_of(environment) as world:
        for commit in world.commits[:2]:
            await world.put(commit)
        await world.put(world.commits[2], broken=True)
        await world.put(world.commits[3])
        await world.put_others()

        async def both_parked() -> bool:
            return [await world.parked_at(name) for name in ("views", "relay")] == [3, 3]

        await until(both_parked)
        await until(world.others_are_complete)
        for commit in world.commits[4:]:
            await world.put(commit)

        async def both_hold() -> bool:
            return min([await world.held(name) for name in ("views", "relay")]) >= len(world.commits) - 3

        await until(both_hold)
        assert await world.shown(BAD) == 2
        assert world.published(BAD) == [1, 2]

        listed = json.loads((await world.command("ls", "--json")).stdout)
        assert {(row["subscription"], row["orderId"], row["commit"]) for row in listed} == {
            ("views", BAD, 3),
            ("relay", BAD, 3),
        }
        assert {row["cause"] for row in listed} == {"CorruptCommit"}
        assert "jane" not in json.dumps(listed), "a cause quotes nothing of a record"
        shown = await world.command("show", "views", BAD)
        assert "commit 3 is not as it was written" in " ".join(shown.output.split())

        again = await world.command("retry", "relay", BAD, *BY, exit_code=1)
        assert "still parked, at commit 3" in again.output
        row = json.loads((await world.command("show", "relay", BAD, "--json")).stdout)["parked"]
        assert [(one["what"], one["actor"]) for one in row["decisions"]] == [("retry", "ann")]
        assert world.published(BAD) == [1, 2]

        await world.put(world.commits[2])
        for name in ("views", "relay"):
            done = await world.command("retry", name, BAD, *BY)
            assert "goes on" in done.output

        async def all_there() -> bool:
            return world.published(BAD) == [commit.number for commit in world.commits]

        await until(all_there)
        queries = await open_queries(world.core.views, tenant=TENANT)
        status = await queries.order_status(BAD)
        other = await queries.order_status(order_number(0))
        assert status is not None
        assert other is not None
        assert status["status"] == other["status"]
        assert (await world.command("ls")).output == "Nothing is parked.\n"
        former = await world.command("show", "relay", BAD)
        assert "OPS-7: the item was mended" in former.output


async def test_what_skip_means_for_each_subscription(environment) -> None:
    """relay: the commit is passed over and the order goes on. views: the order is set aside, silently, until somebody retries it."""
    async with world_of(environment) as world:
        for commit in world.commits[:4]:
            await world.put(commit, broken=commit.number == 2)

        async def both_parked() -> bool:
            return [await world.parked_at(name) for name in ("views", "relay")] == [2, 2]

        await until(both_parked)
        wrong = await world.command("skip", "relay", BAD, "--commit", "3", *BY, exit_code=1)
        assert "It is commit 2 that fails now, not 3" in wrong.output
        assert (await world.command("skip", "relay", BAD, *BY, exit_code=2)).output
        assert world.published(BAD) == [1]

        done = await world.command("skip", "relay", BAD, "--commit", "2", *BY)
        assert "commit 2 was not published" in " ".join(done.output.split())
        aside = await world.command("skip", "views", BAD, *BY)
        assert "set aside" in aside.output

        for commit in world.commits[4:]:
            await world.put(commit)

        async def published() -> bool:
            return world.published(BAD) == [1, 3, *range(4, len(world.commits) + 1)]

        await until(published)
        assert await world.shown(BAD) == 1
        row = await world.core.parked.get("views", world.stream)
        assert row is not None
        assert (row.state, row.decisions[-1].what, row.decisions[-1].reason) == ("skipped", "skip", BY[3])
        assert "Nothing of that kind" in (await world.command("ls", "--state", "parked")).output
        assert BAD in (await world.command("ls", "--state", "skipped")).output
        [released] = await world.core.parked.released("relay", world.stream)
        assert [decision.what for decision in released.decisions] == ["skip commit 2"]

        await world.put(world.commits[1])
        await world.command("retry", "views", BAD, *BY)
        assert await world.shown(BAD) >= len(world.commits) - 1


async def test_an_order_that_a_back_fill_parked_is_located_by_a_retry(environment) -> None:
    """A skip wants to know which commit it passes over; the retry that fails finds out."""
    async with world_of(environment, before=happy_commits(BAD)) as world:
        for name in ("views", "relay"):
            row = await world.core.parked.get(name, world.stream)
            assert row is not None
            assert (row.failed, row.owed_since_ms) == (None, 0)
        early = await world.command("skip", "relay", BAD, "--commit", "1", *BY, exit_code=1)
        assert "A retry finds out" in early.output
        shown = await world.command("show", "relay", BAD)
        assert "not known yet" in shown.output
        for name in ("views", "relay"):
            again = await world.command("retry", name, BAD, *BY, exit_code=1)
            assert "still parked, at commit 2" in again.output
        await world.command("skip", "relay", BAD, "--commit", "2", *BY)
        await world.put(world.commits[1])
        await world.command("retry", "views", "--all", *BY)
        assert await world.shown(BAD) >= len(world.commits) - 1

        async def published() -> bool:
            return sorted(world.published(BAD)) == [commit.number for commit in world.commits]

        await until(published)  # commit 2 came by itself: mending an item is a record of the stream as well


async def test_bad_input_is_told_in_words(environment) -> None:
    """What is wrong, and what to do; nothing shows a trace."""
    async with open_core(from_environment(environment), Metrics()) as core:
        world = World(core, environment)
        await world.put(world.commits[0])
        for arguments, exit_code, words in (
            (("show", "views", order_number(5)), 1, "has no order"),
            (("show", "views", BAD), 1, "is not parked for views. `orderstore parked ls` shows what is."),
            (("retry", "relay", BAD, *BY), 1, "is not parked for relay"),
            (("show", "bills", BAD), 2, "views"),
            (("show", "views", "order-7"), 2, "an order id is a UUID"),
            (("retry", "views", BAD, "--actor", "ann"), 2, "--reason"),
            (("retry", "views", *BY), 2, "--all"),
            (("retry", "views", BAD, "--all", *BY), 2, "--all"),
            (("retry", "views", BAD, "--actor", "ann", "--reason", "jane@example.com called"), 2, "--reason"),
            (("skip", "views", BAD, "--commit", "2", *BY), 2, "--commit"),
        ):
            result = await world.command(*arguments, exit_code=exit_code)
            assert words in " ".join(result.output.replace("│", " ").split()), arguments
            assert "Traceback" not in result.output
        assert (await world.command("ls", "--json")).stdout == "[]\n"
        foreign = Parked(
            subscription="views",
            key="somebody/else",
            episode="1",
            first=None,
            last=None,
            cause=Cause("ValueError", "not foreseen"),
            attempts=8,
            parked_at_ms=1,
            held=0,
            owed_since_ms=0,
        )
        await core.parked.park(foreign)
        for columns in (60, 80, 120):
            assert "somebody/else" in (await world.command("ls", columns=columns)).output
        assert "somebody/else" in (await world.command("show", "views", "somebody/else")).output
        assert "Nothing is parked there" in (await world.command("retry", "relay", "--all", *BY)).output
