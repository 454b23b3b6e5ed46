"""Letters and queues that behave as badly as SQS and its senders may: nothing breaks a look, nothing is lost, no run outlasts its time."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import orjson
import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace
from typer.testing import CliRunner

from orderstore.domain.state import ImpossibleTransition
from orderstore.history import History
from orderstore.store.errors import CorruptCommit
from tests.virtual_time import run_virtual
from tests.workers.dead_letters.desks import ADA, WHY, DeskWorld
from tests.workers.dead_letters.test_redriving import behind_doors, outcomes
from tests.workers.intake.intake_world import TEA, event
from workers.cli import build
from workers.commands.dlq import look as command
from workers.dead_letters.errors import DeskUnavailable, NotAllowed
from workers.dead_letters.look import MARGIN_S, Box
from workers.notification.listing import all_told, notifications_of
from workers.runtime.deadletter import MORE_ATTRIBUTES
from workers.runtime.memory import MemoryQueue
from workers.runtime.queue import Message, RequestRefused


@pytest.mark.parametrize("more", ["[" * 100_000, '{"redriveCount": 1}', '{"eventType": {}}', '[["a", 1]]', "7", "{"])
def test_damaged_attributes_make_a_letter_unreadable_and_no_look_fail(more: str) -> None:
    """Whoever may send to the queue may write anything into them."""  # E066

    async def story() -> None:
        world = DeskWorld()
        _, good = await world.buried_order()
        odd = await world.bury("payment", "{}", **{MORE_ATTRIBUTES: more})

        items = {item["messageId"]: item for item in (await world.desk.letters("payment", {}))["items"]}

        assert set(items) == {good, odd}
        assert items[odd]["unreadable"] is not None
        assert outcomes(await world.redrive()) == {"redriven": 1, "unreadable": 1}

    run_virtual(story)


@pytest.mark.parametrize("rate", [0.001, 1e-300, 5e-324])
def test_a_run_ends_in_its_time_however_slowly_it_sends(rate: float) -> None:
    """What has no turn before then is left, and seen again; nothing is sent after its letter has come back to others."""  # E066

    async def story() -> None:
        world = DeskWorld()
        for _ in range(12):
            await world.buried_order(stocked=False)

        with anyio.fail_after(20.0 + MARGIN_S):
            report = await world.redrive(rate_per_s=rate, seconds_max=20.0)

        assert outcomes(report).get("redriven", 0) <= 1
        assert outcomes(report)["left"] >= 9
        assert "time" in report["notWhole"]
        assert await world.letters() == 12 - outcomes(report).get("redriven", 0)

    run_virtual(story)


class Twice(MemoryQueue):
    """Gives each message a second receipt within a look; only the newest one deletes, as SQS says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.newest: dict[str, str] = {}
        self.shown: list[Message] = []

    async def receive(self, **asked: int) -> Sequence[Message]:
        messages = list(await super().receive(**asked))
        again = [] if messages else self.shown
        self.shown = messages
        renewed = [replace(message, receipt=f"{message.receipt}'") for message in again]
        self.newest.update({message.id: message.receipt for message in (*messages, *renewed)})
        return [*messages, *renewed]

    async def delete(self, messages: Sequence[Message]) -> Any:
        valid = [message for message in messages if self.newest[message.id] == message.receipt]
        await super().delete([replace(message, receipt=message.receipt.rstrip("'")) for message in valid])
        return []  # SQS says yes to a stale receipt, and deletes nothing


def test_a_letter_that_sqs_showed_twice_is_deleted_by_its_newest_receipt() -> None:
    """With an older one SQS answers that it is deleted, and keeps it: a purge would leave what it says is gone."""

    async def story() -> None:
        world = DeskWorld()
        twice = Twice("payment-dlq", now_ms=world.now_ms, retention_s=14 * 86_400)
        world.boxes["payment"] = Box(source=world.queues["payment"], letters=twice, receive_count_max=3, poll_wait_s=0)
        for number in range(3):
            await twice.send(f"odd {number}")

        done = await world.desk.purge("payment", {}, actor=ADA, reason=WHY, confirm=3)

        assert done["purged"]
        assert (await twice.depths()).visible == 0

    run_virtual(story)


def test_a_letter_that_could_not_be_sent_and_is_then_corrected_is_no_copy_of_itself() -> None:
    """It was put on record, never sent, and is another message now: dropping it would lose it."""  # E066

    async def story() -> None:
        world = DeskWorld()
        order_id, letter_id = await world.buried_order()
        source, _ = behind_doors(world)
        source.before["send"] = [RequestRefused("InvalidMessageContents")]
        assert outcomes(await world.redrive()) == {"failed": 1}
        body = orjson.loads((await world.desk.letter("payment", letter_id))["body"])

        await world.desk.correct(
            "payment", letter_id, orjson.dumps({**body, "note": "mended"}).decode(), actor=ADA, reason=WHY
        )
        report = await world.redrive()

        assert outcomes(report) == {"redriven": 1}
        await world.work("payment")
        await world.deliver()
        assert await world.status(order_id) == "Completed"

    run_virtual(story)


@pytest.mark.parametrize(
    "said",
    [
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query"),
        ClientError({"Error": {"Code": "ThrottlingException", "Message": "slowly"}}, "Query"),
    ],
    ids=["forbidden", "throttled"],
)
def test_a_table_that_refuses_one_letter_ends_no_run(said: ClientError) -> None:
    """The letter failed and stays; those after it are still looked at."""

    async def story() -> None:
        world = DeskWorld()
        await world.place()
        envelope = next(message.body for name, message in world.messages if name == "payment")
        await world.bury("notification", envelope)

        class Table:
            async def query(self, **_request: Any) -> Any:
                raise said

        async def told(order_id: str, event_id: str) -> bool:
            return all_told(await notifications_of(Table(), "notifications", order_id, event_id=event_id))  # type: ignore[arg-type]  # as a client

        world.desk._judge._told = told
        report = await world.redrive("notification")

        assert outcomes(report) == {"failed": 1}
        assert await world.letters("notification") == 1
        with pytest.raises(DeskUnavailable):
            await world.desk.letter("notification", report["letters"][0]["messageId"])

    run_virtual(story)


@pytest.mark.parametrize("error", [ImpossibleTransition("captured twice"), CorruptCommit("x", 2, "its hash")])
def test_an_order_that_cannot_be_read_stops_no_other_letter(error: Exception) -> None:
    """It stays, and says so; the letters beside it are sent on."""  # E066

    async def story() -> None:
        world = DeskWorld()
        (damaged, letter_id), _ = await world.buried_order(), await world.buried_order()
        load = world.orders.load

        async def loads(order_id: str) -> History:
            if order_id == damaged:
                raise error
            return await load(order_id)

        world.orders.load = loads  # type: ignore[method-assign]

        assert outcomes(await world.redrive()) == {"moved on": 1, "redriven": 1}
        shown = await world.desk.letter("payment", letter_id)
        assert "orderstore audit verify" in shown["order"]["words"]
        with pytest.raises(NotAllowed, match="audit verify"):
            await world.desk.correct("payment", letter_id, None, actor=ADA, reason=WHY)

    run_virtual(story)


def test_what_was_done_with_a_letter_without_an_order_is_shown_with_it_alone() -> None:
    """Not what was done with every letter that ever named no order, which would also take as long as there are years of them."""

    async def story() -> None:
        world = DeskWorld()
        mine, other = [await world.bury("payment", f"odd {number}", reason="MalformedMessage: x") for number in (1, 2)]
        await world.desk.purge("payment", {"message_id": other}, actor=ADA, reason=WHY, confirm=1)
        read: list[str] = []
        get = world.locked.get

        async def counted(key: str) -> bytes | None:
            read.append(key)
            return await get(key)

        world.locked.get = counted  # type: ignore[method-assign]

        assert (await world.desk.letter("payment", mine))["done"] == []
        assert read == []

    run_virtual(story)


def test_what_was_done_with_an_order_request_of_the_bus_is_shown_with_it() -> None:
    """Its id is its sender's, so the records know it by a hash."""

    async def story() -> None:
        world = DeskWorld()
        first, copy = [await world.bury("intake", event(TEA, id="event-1")) for _ in range(2)]
        await anyio.sleep(1)
        await world.desk.redrive("intake", {"message_id": first}, actor=ADA, reason=WHY, dry_run=False)

        assert [act["act"] for act in (await world.desk.letter("intake", copy))["done"]] == ["redrive"]

    run_virtual(story)


def test_other_letters_than_those_that_were_shown_are_not_deleted() -> None:
    """As many of them, by chance: one was sent on meanwhile, and another one died."""  # E066

    async def story() -> None:
        world = DeskWorld()
        first = await world.bury("payment", "odd 1", reason="MalformedMessage: x")
        shown = await world.desk.purge("payment", {}, actor=ADA, reason=WHY, confirm=None)
        await world.desk.purge("payment", {"message_id": first}, actor=ADA, reason=WHY, confirm=1)
        await world.bury("payment", "odd 2", reason="MalformedMessage: x")

        with pytest.raises(NotAllowed, match="others than those"):
            await world.desk.purge("payment", {}, actor=ADA, reason=WHY, confirm=1, shown=shown["shown"])
        assert await world.letters() == 1
        again = await world.desk.purge("payment", {}, actor=ADA, reason=WHY, confirm=None)
        await world.desk.purge("payment", {}, actor=ADA, reason=WHY, confirm=1, shown=again["shown"])
        assert await world.letters() == 0

    run_virtual(story)


@pytest.mark.parametrize("text", ["[/bold]", "[red]x", "\x9b31mhidden", "\x1b[2J"])
def test_the_list_shows_what_a_letter_claims_as_it_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body may claim any name: it is no markup of ours, and moves no cursor."""
    found: list[Mapping[str, Any]] = []

    async def story() -> None:
        world = DeskWorld()
        body = json.dumps({"eventType": text, "orderId": text, "eventId": "e"})
        await world.bury("payment", body, reason=f"Odd: {text}")
        found.append(await world.desk.letters("payment", {}))
        found.append(await world.desk.groups(("payment",)))
        found.append(await world.desk.letter("payment", found[0]["items"][0]["messageId"]))

    run_virtual(story)
    for arguments, document in (
        (("ls", "payment", "--each"), found[0]),
        (("ls",), found[1]),
        (("show", "payment", "x"), found[2]),
    ):
        monkeypatch.setattr(command, "at_desk", lambda *_args, document=document: document)
        done = CliRunner().invoke(build(), ["dlq", *arguments])

        assert done.exit_code == 0, done.exception
        assert not {"\x9b", "\x1b"} & set(done.output)
        assert text.strip("\x9b\x1b") in done.output


def test_who_has_no_name_on_this_machine_is_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the user is a number only: that is no reason for a trace."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_number: int) -> Any:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr("pwd.getpwuid", nobody)
    done = CliRunner().invoke(build(), ["dlq", "redrive", "payment", "--dry-run"])

    assert done.exit_code == 2, done.exception
    assert "--by" in done.output
