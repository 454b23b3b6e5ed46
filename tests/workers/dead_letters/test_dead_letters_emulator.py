"""`orderstore dlq …` over the queues, the log and the locked bucket of the embedded environment."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest
from anyio import to_thread

from deploy.local.environment import Environment
from orderstore import codec, contract
from orderstore.recorded import Actor
from orderstore.requests import CancelOrder
from tests.commands import orderstore
from tests.e2e.programs import Finished
from tests.ordering import request
from workers.core import Core, open_core
from workers.dead_letters.letter import REDRIVE_COUNT, REDRIVEN_FROM
from workers.metrics.table import Metrics
from workers.runtime.deadletter import dead_letter_attributes
from workers.runtime.queue import Message
from workers.settings import from_environment
from workers.wiring import open_service

pytestmark = pytest.mark.emulator
CUSTOMER = Actor("customer", "shop")


class Scene:
    """An order store without workers, whose payment messages die."""

    def __init__(self, core: Core, environment: dict[str, str], folder: Path) -> None:
        self.core = core
        self._environment = environment
        self._folder = folder

    async def run(self, *arguments: str, code: int = 0) -> Finished:
        done = await to_thread.run_sync(partial(orderstore, *arguments, cwd=self._folder, variables=self._environment))
        assert done.code == code, done.said
        return done

    async def order(self, number: int) -> tuple[str, str, dict[str, str]]:
        """A new order, and its first event as it is published: (order id, body, attributes)."""
        placed = await self.core.orders.place(
            request(customerId=f"C-{number}"), actor=CUSTOMER, idempotency_key=f"key-{number}"
        )
        (commit, *_) = await self.core.store.read(placed.history.stream)
        public = contract.publish(codec.decode(commit)[0])
        assert public is not None
        return public.order_id, public.body.decode(), dict(public.attributes)

    async def given_up(self, body: str, attributes: dict[str, str], reason: str) -> str:
        """A letter that a worker gave up."""
        _, letters = await self.core.queues.with_dead_letters("payment")
        original = Message(id="m", receipt="r", body=body, attributes=attributes, receive_count=1, sent_at_ms=0)
        return await letters.send(body, attributes=dead_letter_attributes(original, reason))

    async def used_up(self, body: str, attributes: dict[str, str]) -> None:
        """A letter that the queue itself moved, after three receives."""
        source, letters = await self.core.queues.with_dead_letters("payment")
        before = (await letters.depths()).visible
        await source.send(body, attributes=attributes)
        for _ in range(10):
            await source.receive(max_messages=10, wait_s=0, visibility_timeout_s=0)
            if (await letters.depths()).visible > before:
                return
        raise AssertionError("the queue kept it")


@asynccontextmanager
async def scene(environment: dict[str, str], folder: Path) -> AsyncIterator[Scene]:
    async with open_core(from_environment(environment), Metrics()) as core:
        yield Scene(core, environment, folder)


async def test_a_night_with_dead_letters(environment: dict[str, str], tmp_path: Path) -> None:
    """Look, show, try, send on, correct, delete; and all of it is in the trail of who did what."""  # E066, E140
    async with scene(environment, tmp_path) as night:
        first, body, attributes = await night.order(1)
        await night.used_up(body, attributes)
        gone, gone_body, gone_attributes = await night.order(2)
        await night.core.orders.cancel(gone, CancelOrder(), actor=CUSTOMER)
        await night.given_up(gone_body, gone_attributes, "SomethingElse: the worker said no")
        third, right, third_attributes = await night.order(3)
        wrong = right.replace('"eventVersion":"', '"eventVersion":"v')
        broken = await night.given_up(wrong, third_attributes, "MalformedMessage: eventVersion")
        await night.given_up("<html>504 Gateway Time-out</html>", {}, "MalformedMessage: body: json_invalid")

        groups = (await night.run("dlq", "ls", "--json")).document
        assert groups["letters"] == 4
        assert {(group["cause"], group["letters"]) for group in groups["groups"]} == {
            ("receives used up", 1),
            ("SomethingElse: the worker said no", 1),
            ("MalformedMessage: eventVersion", 1),
            ("MalformedMessage: body: json_invalid", 1),
        }
        listed = (await night.run("dlq", "ls", "payment", "--each", "--order", first, "--json")).document
        (letter,) = listed["items"]
        shown = await night.run("dlq", "show", "payment", letter["messageId"])
        assert "Received, and it still wants Authorize of payment" in shown.said
        assert "received 3 times and never done" in shown.said
        assert (await night.run("dlq", "show", "payment", broken)).out.count("unreadable") == 1

        tried = await night.run("dlq", "redrive", "payment", "--dry-run")
        assert "2 would be redriven, 2 unreadable" in tried.said
        await night.run("dlq", "redrive", "payment", code=2)
        one = await night.run("dlq", "redrive", "payment", "--order", first, "--reason", "INC-1042", "--by", "ada")
        assert "1 redriven" in one.said
        source, _ = await night.core.queues.with_dead_letters("payment")
        (message,) = await source.receive(max_messages=10, wait_s=1, visibility_timeout_s=0)
        assert message.body == body
        assert message.attributes[REDRIVEN_FROM] == letter["messageId"]
        assert message.attributes[REDRIVE_COUNT] == "1"
        assert attributes.items() <= message.attributes.items()

        mended = await night.run(
            "dlq", "correct", "payment", broken, "--from-log", "--reason", "INC-1043", "--by", "ada", "--json"
        )
        again = await night.run(
            *("dlq", "redrive", "payment", "--id", mended.document["messageId"], "--reason", "INC-1043", "--by", "ada")
        )
        assert "1 redriven" in again.said

        odd = ("dlq", "purge", "payment", "--cause", "json_invalid", "--reason", "INC-1044", "--by", "ada")
        await night.run(*odd, "--confirm", "2", code=2)
        assert "1 letters of payment are deleted" in (await night.run(*odd, "--confirm", "1")).said

        left = (await night.run("dlq", "ls", "--json")).document
        assert [group["cause"] for group in left["groups"]] == ["SomethingElse: the worker said no"]
        acts = [act["act"] for act in (await night.run("dlq", "log", "--order", third, "--json")).document]
        assert acts == ["correct", "redrive"]
        trail = (await night.run("audit", "trail", "--actor-id", "ada", "--json")).document
        assert [(act["act"], act["reason"]) for act in trail["dead_letters"]] == [
            ("redrive", "INC-1042"),
            ("correct", "INC-1043"),
            ("redrive", "INC-1043"),
            ("purge", "INC-1044"),
        ]
        assert trail["items"] == []
        assert json.dumps(trail).count("<html>") == 0


async def test_two_hundred_letters_are_looked_at_and_sent_on_as_they_are(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Over real requests: none is lost or doubled, also by a look beside it, and a second run finds nothing."""
    async with scene(environment, tmp_path) as night:
        _, body, attributes = await night.order(1)
        source, letters = await night.core.queues.with_dead_letters("archive")
        made = [json.dumps({**json.loads(body), "eventId": f"event-{number}"}) for number in range(200)]
        for one in made:
            await letters.send(one, attributes=attributes)

        assert (await night.run("dlq", "ls", "archive", "--json")).document["letters"] == 200
        done = await night.run(
            *("dlq", "redrive", "archive", "--reason", "INC-1", "--rate", "200", "--json", "--backlog", "1000")
        )

        assert done.document["counts"] == {"redriven": 200}
        assert done.document["notWhole"] is None
        received: list[str] = []
        while messages := await source.receive(max_messages=10, wait_s=1, visibility_timeout_s=120):
            received.extend(message.body for message in messages)
        assert sorted(received) == sorted(made)
        assert (await night.run("dlq", "ls", "archive", "--json")).document["letters"] == 0


async def test_the_service_has_its_desk(environment: dict[str, str], emulator: Environment, tmp_path: Path) -> None:
    """The real API over real queues: an administrator sends a letter on."""
    settings = from_environment({**environment, "ORDERSTORE_API_HOST": "127.0.0.1", "ORDERSTORE_API_PORT": "0"})
    async with scene(environment, tmp_path) as night, open_service(settings, ["api"], Metrics()) as running:
        order_id, body, attributes = await night.order(1)
        letter_id = await night.given_up(body, attributes, "SomethingElse: x")
        stop = anyio.Event()
        async with anyio.create_task_group() as tasks:
            await tasks.start(running.service.run, stop)
            headers = {"Authorization": f"Bearer {emulator.api_token}"}
            url = f"http://127.0.0.1:{running.http_port}"
            async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
                groups = (await client.get("/dead-letters")).json()
                one = (await client.get(f"/dead-letters/payment/{letter_id}")).json()
                asked = {"letters": {"messageId": letter_id}, "reason": "INC-1"}
                done = await client.post("/dead-letters/payment/redrive", json=asked)
            stop.set()

        assert [group["examples"] for group in groups["groups"]] == [[letter_id]]
        assert one["order"]["words"] == "Received, and it still wants Authorize of payment"
        assert done.json()["counts"] == {"redriven": 1}
        source, _ = await night.core.queues.with_dead_letters("payment")
        (message,) = await source.receive(max_messages=10, wait_s=1, visibility_timeout_s=0)
        assert (message.body, message.attributes[REDRIVEN_FROM]) == (body, letter_id)
        assert order_id in message.body
