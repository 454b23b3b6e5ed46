"""A right body for a wrong one, and deleting for good: checked, confirmed, and on record before it happens."""

import orjson
import pytest

from tests.virtual_time import run_virtual
from tests.workers.dead_letters.desks import ADA, WHY, DeskWorld
from workers.dead_letters.errors import NotAllowed, NotThatBody, UnknownLetter
from workers.dead_letters.letter import sha256_of
from workers.dead_letters.mending import PURGE_MAX


async def broken(world: DeskWorld, **changes: object) -> tuple[str, str, dict[str, object]]:
    """An order whose payment message lost its version on the way: (order id, letter id, the right body)."""
    order_id = await world.place()
    right = orjson.loads(next(message.body for name, message in world.messages if name == "payment"))
    world.messages = type(world.messages)(item for item in world.messages if item[0] != "payment")
    wrong = {**right, "eventVersion": "one", **changes}
    letter_id = await world.bury("payment", orjson.dumps(wrong).decode(), reason="MalformedMessage: eventVersion")
    return order_id, letter_id, right


async def correct(world: DeskWorld, letter_id: str, body: str | None) -> dict[str, str]:
    return dict(await world.desk.correct("payment", letter_id, body, actor=ADA, reason=WHY))


@pytest.mark.parametrize("from_log", [False, True])
def test_a_corrected_letter_can_be_sent_on_and_its_order_goes_on(from_log: bool) -> None:
    """It keeps its cause, has a new id, and both bodies' hashes are on record."""  # E066

    async def story() -> None:
        world = DeskWorld()
        order_id, letter_id, right = await broken(world)
        wrong_sha256 = (await world.desk.letter("payment", letter_id))["bodySha256"]
        body = orjson.dumps(right).decode()

        done = await correct(world, letter_id, None if from_log else body)

        assert done["correctedFrom"] == letter_id
        assert done["oldBodySha256"] == wrong_sha256
        (letter,) = (await world.desk.letters("payment", {}))["items"]
        assert letter["messageId"] == done["messageId"]
        assert letter["cause"] == "MalformedMessage: eventVersion"
        assert letter["unreadable"] is None
        (act,) = await world.desk.acts(order_id)
        assert (act["act"], act["bodySha256"], act["newBodySha256"]) == (
            "correct",
            wrong_sha256,
            done["newBodySha256"],
        )
        if not from_log:
            assert done["newBodySha256"] == sha256_of(body)

        assert (await world.redrive())["counts"] == {"redriven": 1}
        await world.work("payment")
        await world.deliver()
        assert await world.status(order_id) == "Completed"

    run_virtual(story)


WRONG_BODIES: dict[str, tuple[dict[str, str | None], str]] = {
    "another event": ({"eventId": "e-2"}, "another event"),
    "another order": ({"orderId": "o-2"}, "another order"),
    "another tenant": ({"tenant": "other"}, "no event of this tenant"),
    "an unknown type": ({"eventType": "OrderTeleported"}, "no event of that type"),
    "a type that the event is not": ({"eventType": "OrderCancelled"}, "the log has this event as OrderCreated"),
    "an unknown version": ({"eventVersion": "9.0"}, "this build knows"),
    "a field that is missing": ({"correlationId": None}, "could not read it"),
}


@pytest.mark.parametrize("name", WRONG_BODIES)
def test_a_body_that_is_no_correction_of_this_letter_is_refused(name: str) -> None:
    """Same event, same order, a known type, and the log has it: or nothing is changed and nothing is on record."""  # E066
    changes, said = WRONG_BODIES[name]

    async def story() -> None:
        world = DeskWorld()
        order_id, letter_id, right = await broken(world)
        body = orjson.dumps({**right, **changes}).decode()

        with pytest.raises(NotThatBody, match=said):
            await correct(world, letter_id, body)

        assert await world.desk.acts(order_id) == []
        (letter,) = (await world.desk.letters("payment", {}))["items"]
        assert letter["messageId"] == letter_id

    run_virtual(story)


@pytest.mark.parametrize("body", ["", "not json", "[]", "\x00", "x" * 600_000])
def test_what_is_no_envelope_at_all_is_refused_too(body: str) -> None:
    """In words; and the letter is put back."""

    async def story() -> None:
        world = DeskWorld()
        _, letter_id, _ = await broken(world)
        with pytest.raises(NotThatBody):
            await correct(world, letter_id, body)
        assert await world.letters() == 1

    run_virtual(story)


def test_a_letter_that_says_nothing_of_itself_can_only_become_an_event_that_the_log_has() -> None:
    """Nobody makes an order do something by hand: the event must have happened."""

    async def story() -> None:
        world = DeskWorld()
        order_id, _, right = await broken(world)
        garbage = await world.bury("payment", "<html>504</html>", reason="MalformedMessage: body")

        with pytest.raises(NotThatBody, match="no such event"):
            await correct(world, garbage, orjson.dumps({**right, "eventId": "made-up"}).decode())
        with pytest.raises(NotThatBody, match="does not name a published event"):
            await correct(world, garbage, None)
        done = await correct(world, garbage, orjson.dumps(right).decode())

        assert done["correctedFrom"] == garbage
        assert [act["letter"] for act in await world.desk.acts(None)] == [garbage]
        assert await world.desk.acts(order_id) == []

    run_virtual(story)


def test_letters_are_deleted_only_if_they_are_exactly_as_many_as_confirmed() -> None:
    """Without a number it only says which these are. Each one is on record, with its body's hash."""  # E066

    async def story() -> None:
        world = DeskWorld()
        order_id, letter_id = await world.buried_order()
        odd = [await world.bury("payment", f"odd {number}", reason="MalformedMessage: body") for number in range(3)]
        wanted = {"cause": "MalformedMessage"}

        look = await world.desk.purge("payment", wanted, actor=ADA, reason=WHY, confirm=None)
        assert (look["count"], look["purged"]) == (3, False)
        assert await world.letters() == 4
        for wrong in (2, 4):
            with pytest.raises(NotAllowed, match="nothing was deleted"):
                await world.desk.purge("payment", wanted, actor=ADA, reason=WHY, confirm=wrong)
        assert await world.letters() == 4
        assert await world.desk.acts(None) == []

        done = await world.desk.purge("payment", wanted, actor=ADA, reason=WHY, confirm=3)

        assert (done["count"], done["purged"]) == (3, True)
        assert {item["messageId"] for item in (await world.desk.letters("payment", {}))["items"]} == {letter_id}
        acts = await world.desk.acts(None)
        assert {(act["act"], act["letter"], act["bodySha256"]) for act in acts} == {
            ("purge", odd[number], sha256_of(f"odd {number}")) for number in range(3)
        }
        assert await world.desk.acts(order_id) == []

    run_virtual(story)


def test_a_purge_wants_a_reason_a_number_and_few_enough_letters() -> None:
    """It is the one act that cannot be repaired."""

    async def story() -> None:
        world = DeskWorld()
        with pytest.raises(NotAllowed, match="no letter is meant"):
            await world.desk.purge("payment", {}, actor=ADA, reason=WHY, confirm=1)
        for number in range(PURGE_MAX + 1):
            await world.bury("payment", f"odd {number}")
        with pytest.raises(NotAllowed, match="say why"):
            await world.desk.purge("payment", {}, actor=ADA, reason="", confirm=PURGE_MAX)
        with pytest.raises(NotAllowed, match="narrow it"):
            await world.desk.purge("payment", {}, actor=ADA, reason=WHY, confirm=PURGE_MAX)
        assert await world.letters() == PURGE_MAX + 1
        with pytest.raises(UnknownLetter):
            await correct(world, "none", None)

    run_virtual(story)


def test_what_a_body_claims_to_be_about_stands_in_the_records_only_if_it_looks_like_an_id() -> None:
    """Records are kept for years and cannot be erased: whatever a stranger wrote there is a hash."""

    async def story() -> None:
        world = DeskWorld()
        body = orjson.dumps({"orderId": "ada@mail.example", "eventId": "Ada Lovelace", "eventType": "x y"}).decode()
        await world.bury("payment", body, reason="MalformedMessage: body")
        await world.desk.purge("payment", {}, actor=ADA, reason=WHY, confirm=1)

        stored = [key async for key in world.locked.keys("")]
        assert len(stored) == 1
        text = f"{stored[0]} {(await world.locked.get(stored[0]) or b'').decode()}"
        assert "ada" not in text.replace('"actorId": "ada"', "")
        assert "Lovelace" not in text
        assert len(await world.desk.acts("ada@mail.example")) == 1

    run_virtual(story)
