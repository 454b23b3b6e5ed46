"""The operations on dead letters, over the real desk with queues in memory: who may, what is answered, what is refused."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from jsonschema import Draft202012Validator

from orderstore.s3_objects import S3ObjectStore
from tests.projections.http.api import ADMIN, READER, SCRAPER, WRITER, Api, running
from tests.projections.http.test_api_description import described, schema_of
from tests.workers.dead_letters.desks import DeskWorld
from workers.dead_letters import mending, redrive
from workers.dead_letters.look import looking
from workers.queues import Queues
from workers.runtime.queue import Unavailable

OPERATIONS = {
    ("GET", "/dead-letters"),
    ("GET", "/dead-letters/{queue}"),
    ("GET", "/dead-letters/{queue}/{messageId}"),
    ("POST", "/dead-letters/{queue}/redrive"),
    ("POST", "/dead-letters/{queue}/{messageId}/correct"),
    ("POST", "/dead-letters/{queue}/purge"),
}


@asynccontextmanager
async def desk_api() -> AsyncIterator[tuple[Api, DeskWorld]]:
    world = DeskWorld()
    async with running(dead_letters=world.desk) as api:
        yield api, world


async def ask(api: Api, path: str, body: dict[str, Any], token: str | None = ADMIN) -> Any:
    return await api.post(path, body, token=token)


@pytest.mark.parametrize(("method", "path"), sorted(OPERATIONS))
@pytest.mark.parametrize(("token", "status"), [(None, 401), (READER, 403), (WRITER, 403), (SCRAPER, 403)])
async def test_only_administrators_come_near_them(method: str, path: str, token: str | None, status: int) -> None:
    """Not to look either: an undecodable letter may hold anything."""
    async with desk_api() as (api, world):
        _, letter_id = await world.buried_order()
        path = path.format(queue="payment", messageId=letter_id)
        response = await (api.get(path, token=token) if method == "GET" else ask(api, path, {}, token))

        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert await world.letters() == 1


async def test_they_are_described_and_every_answer_fits() -> None:
    """Good ones and refusals, field for field; the examples are accepted as they stand."""
    async with desk_api() as (api, world):
        document = await described(api)
        mine = {
            (method.upper(), path)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if {"bearer": ["admin"]} in operation.get("security", [])
        }
        assert mine == OPERATIONS

        _, letter_id = await world.buried_order()
        odd = await world.bury("payment", "?", reason="MalformedMessage: body")
        one, redrive, correct, purge = (
            "/dead-letters/{queue}/{messageId}",
            "/dead-letters/{queue}/redrive",
            "/dead-letters/{queue}/{messageId}/correct",
            "/dead-letters/{queue}/purge",
        )
        spoken = [
            ("/dead-letters", await api.get("/dead-letters", token=ADMIN)),
            ("/dead-letters/{queue}", await api.get("/dead-letters/payment?cause=malformed", token=ADMIN)),
            ("/dead-letters/{queue}", await api.get("/dead-letters/payments", token=ADMIN)),
            ("/dead-letters/{queue}", await api.get("/dead-letters/payment?limit=0", token=ADMIN)),
            (one, await api.get(f"/dead-letters/payment/{letter_id}", token=ADMIN)),
            (one, await api.get(f"/dead-letters/payment/{odd}", token=ADMIN)),
            (one, await api.get("/dead-letters/payment/nothing", token=ADMIN)),
            (redrive, await ask(api, "/dead-letters/payment/redrive", {"dryRun": True})),
            (redrive, await ask(api, "/dead-letters/payment/redrive", {})),
            (redrive, await ask(api, "/dead-letters/payment/redrive", {"rate": 101, "reason": "t"})),
            (redrive, await ask(api, "/dead-letters/payment/redrive", {"filter": {}, "reason": "t"})),
            (correct, await ask(api, f"/dead-letters/payment/{odd}/correct", {"fromLog": True, "reason": "t"})),
            (correct, await ask(api, f"/dead-letters/payment/{odd}/correct", {"reason": "t"})),
            (purge, await ask(api, "/dead-letters/payment/purge", {"letters": {"messageId": odd}})),
            (purge, await ask(api, "/dead-letters/payment/purge", {"confirm": 9, "reason": "t"})),
            (redrive, await ask(api, "/dead-letters/payment/redrive", {"reason": "INC-7"})),
            (purge, await ask(api, "/dead-letters/payment/purge", {"confirm": 1, "reason": "INC-7"})),
        ]
        assert [response.status_code for _, response in spoken] == [
            *(200, 200, 404, 400, 200, 200, 404),
            *(200, 422, 422, 422, 422, 422, 200, 422, 200, 200),
        ]
        for path, response in spoken:
            schema = schema_of(document, response.request.method, path, response.status_code)
            Draft202012Validator(schema).validate(response.json())
        for path in (redrive, correct, purge):
            content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            for example in content["examples"].values():
                concrete = path.format(queue="payment", messageId=odd)
                answer = await ask(api, concrete, example["value"])
                assert answer.status_code in (200, 404, 422), answer.text
                assert "errors" not in answer.json(), "the shape is right"


async def test_an_administrator_sends_a_letter_on_and_is_named_in_the_record() -> None:
    """The token's name, as an operator; the reason as given."""
    async with desk_api() as (api, world):
        order_id, letter_id = await world.buried_order()

        looked = await ask(api, "/dead-letters/payment/redrive", {"letters": {"messageId": letter_id}, "dryRun": True})
        assert looked.json()["counts"] == {"redriven": 1}
        assert await world.letters() == 1
        done = await ask(
            api, "/dead-letters/payment/redrive", {"letters": {"messageId": letter_id}, "reason": "INC-7: back"}
        )

        assert done.json()["counts"] == {"redriven": 1}
        assert await world.letters() == 0
        (act,) = await world.desk.acts(order_id)
        assert (act["actorType"], act["actorId"], act["reason"]) == ("operator", "admin", "INC-7: back")


async def test_a_letter_is_corrected_from_the_log() -> None:
    """And answered with its new id."""
    async with desk_api() as (api, world):
        order_id = await world.place()
        body = next(message.body for name, message in world.messages if name == "payment")
        letter_id = await world.bury("payment", body.replace('"eventVersion":"', '"eventVersion":"x'))

        done = await ask(
            api, f"/dead-letters/payment/{letter_id}/correct", {"fromLog": True, "reason": "cut on its way"}
        )

        assert done.status_code == 200, done.text
        assert done.json()["correctedFrom"] == letter_id
        shown = await api.get(f"/dead-letters/payment/{done.json()['messageId']}", token=ADMIN)
        assert shown.json()["orderId"] == order_id
        assert [act["act"] for act in shown.json()["done"]] == ["correct"]


async def test_queues_that_do_not_answer_are_a_503() -> None:
    """Nothing of their own words, and the client is told when to come again."""
    async with desk_api() as (api, world):

        async def down(**_asked: int) -> Any:
            raise Unavailable("connection refused")

        world.dead["payment"].receive = down  # type: ignore[method-assign]
        response = await api.get("/dead-letters/payment", token=ADMIN)

        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert response.json()["code"] == "unavailable"


@pytest.mark.parametrize("lacking", ["the policy", "the records' part of it"])
async def test_an_api_role_without_the_policy_answers_503_and_404_and_changes_nothing(lacking: str) -> None:
    """Before `deploy/dead-letters.yaml` is deployed for it: not there now; and a queue that there is not is still not there."""
    async with desk_api() as (api, world):
        _, letter_id = await world.buried_order()
        odd = await world.bury("payment", "?", reason="MalformedMessage: body")
        client = Denied()

        async def open_box(_name: str) -> Any:
            settings = SimpleNamespace(queue=lambda name: f"shop-{name}")
            return await Queues(client, settings).with_dead_letters("payment")  # type: ignore[arg-type]

        one = f"/dead-letters/payment/{letter_id}"
        answers = []
        if lacking == "the policy":
            world.desk._open_box = open_box
            answers += [await api.get(path, token=ADMIN) for path in ("/dead-letters", "/dead-letters/payment", one)]
            answers.append(await ask(api, "/dead-letters/payment/redrive", {"reason": "t"}))
        else:
            world.locked = S3ObjectStore(client, bucket="b", random=random.Random(1))  # type: ignore[assignment, arg-type]
            world.records._objects = world.locked
            answers.append(await api.get(one, token=ADMIN))
        answers.append(await ask(api, f"/dead-letters/payment/{odd}/correct", {"body": "x", "reason": "t"}))
        answers.append(await ask(api, "/dead-letters/payment/purge", {"confirm": 2, "reason": "t"}))
        nowhere = await api.get("/dead-letters/payments", token=ADMIN)

        expected = [503] * len(answers)
        if lacking != "the policy":
            expected[1] = 422  # the body is refused before anything is put on record
        assert [answer.status_code for answer in answers] == expected
        assert {answer.headers.get("Retry-After") for answer in answers if answer.status_code == 503} == {"5"}
        assert "arn:aws" not in "".join(answer.text for answer in answers)
        assert nowhere.status_code == 404
        assert await world.letters() == 2


class Denied:
    """A client of AWS whose role may do nothing."""

    meta = SimpleNamespace(config=SimpleNamespace(read_timeout=60))

    def __getattr__(self, operation: str) -> Any:
        async def call(**_request: Any) -> Any:
            message = "User: arn:aws:sts::123456789012:assumed-role/api/1 is not authorized"
            details = {
                "Error": {"Code": "AccessDenied", "Message": message},
                "ResponseMetadata": {"HTTPStatusCode": 403},
            }
            raise ClientError(details, operation)  # type: ignore[arg-type]

        return call


async def test_a_purge_by_request_deletes_what_was_shown_or_nothing() -> None:
    """As many others, by chance, are others."""
    async with desk_api() as (api, world):
        await world.bury("payment", "odd 1", reason="MalformedMessage: x")
        shown = (await ask(api, "/dead-letters/payment/purge", {})).json()["shown"]

        others = await ask(api, "/dead-letters/payment/purge", {"confirm": 1, "shown": "0" * 16, "reason": "t"})
        assert (others.status_code, others.json()["code"]) == (422, "invalid")
        done = await ask(api, "/dead-letters/payment/purge", {"confirm": 1, "shown": shown, "reason": "t"})
        assert (done.status_code, done.json()["purged"]) == (200, True)


async def test_every_request_has_its_time() -> None:
    """Nobody waits a quarter of an hour for an answer: what a run of the command line may take, a request may not."""
    async with desk_api() as (api, world):
        asked: list[float] = []
        letter_id = await world.bury("payment", "?", reason="MalformedMessage: body")

        def noted(box: Any, *, seconds_max: float, **more: Any) -> Any:
            asked.append(seconds_max)
            return looking(box, seconds_max=seconds_max, **more)

        with pytest.MonkeyPatch.context() as patch:
            for module in (mending, redrive):
                patch.setattr(module, "looking", noted)
            await ask(api, "/dead-letters/payment/purge", {"confirm": 9, "reason": "t"})
            await ask(api, f"/dead-letters/payment/{letter_id}/correct", {"body": "x", "reason": "t"})
            await ask(api, "/dead-letters/payment/redrive", {"dryRun": True})

        assert asked == [20.0, 20.0, 20.0]


async def test_an_api_without_a_desk_has_no_such_operations() -> None:
    """It neither answers nor describes them."""
    async with running() as api:
        assert (await api.get("/dead-letters", token=ADMIN)).status_code == 404
        assert not [path for path in (await described(api))["paths"] if "dead" in path]


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/dead-letters/payment/redrive", {}, "/reason"),
        ("/dead-letters/payment/redrive", {"reason": " "}, "/reason"),
        ("/dead-letters/payment/purge", {"confirm": 1}, "/reason"),
        ("/dead-letters/payment/m-1/correct", {"reason": "t"}, "/body"),
    ],
)
async def test_a_field_that_is_missing_has_its_pointer(path: str, body: dict[str, Any], pointer: str) -> None:
    """As every other bad field."""
    async with desk_api() as (api, _world):
        response = await ask(api, path, body)

    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
