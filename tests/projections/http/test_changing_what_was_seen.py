"""If-Match: a change is made to the order that the client saw, or not at all (RFC 9110, 13.1.1)."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.projections.http.api import WRITER, Api, running
from tests.projections.http.stories import NOWHERE, dispatched

ONE_MOUSE = {"lines": [{"line": 1, "quantity": 1}]}
REVIEW = {"reason": "fraud_review"}
VERBS = pytest.mark.parametrize(
    ("verb", "body"), [("cancel", {}), ("refunds", ONE_MOUSE), ("holds", REVIEW)], ids=["cancel", "refund", "hold"]
)


async def change(api: Api, order_id: str, verb: str, body: Any, *tags: str, **headers: str) -> httpx.Response:
    """With one If-Match line for each of `tags`."""
    lines = [("Authorization", f"Bearer {WRITER}"), *(("If-Match", tag) for tag in tags)]
    lines += [(name.replace("_", "-"), value) for name, value in headers.items()]
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in lines]
    return await api.client.post(f"/orders/{order_id}/{verb}", json=body, headers=encoded)


async def version_of(api: Api, order_id: str) -> int:
    return (await api.orders.load(order_id)).version


@VERBS
@pytest.mark.parametrize(
    "tags",
    [
        ('"1"',), ("*",), (" * ",), ('"7", "1"',), ('"1","7"',), ('"7"', '"1"'), ('W/"1", "1"',), ('"a,b" , "1"',), (', "1",,',), (),
    ],
    ids=repr,
)  # fmt: skip
async def test_the_version_that_the_client_saw_is_changed(verb: str, body: Any, tags: tuple[str, ...]) -> None:
    """One tag, one of several, in one header or many, any at all, or no header."""
    async with running() as api:
        order_id = await api.place()
        response = await change(api, order_id, verb, body, *tags)

        assert response.status_code in {201, 202}, response.text
        assert await version_of(api, order_id) > 1


@VERBS
@pytest.mark.parametrize(
    "tags",
    [
        ('"2"',), ('"0"',), ('"01"',), ('W/"1"',), ('W/"1", W/"2"',), ('"2", "3"',), ('""',), ('"one"',), ('"*"',), ('"+1"',),
        ('"999999999999999999999999999999"',), ('"\xb9"',),
    ],
    ids=repr,
)  # fmt: skip
async def test_any_other_version_is_refused_and_nothing_is_stored(verb: str, body: Any, tags: tuple[str, ...]) -> None:
    """412 with the version that the order has; a weak tag is equal to nothing, and a tag is a text, not a number."""
    async with running() as api:
        order_id = await api.place()
        response = await change(api, order_id, verb, body, *tags)
        problem = response.json()

        assert (response.status_code, problem["code"], problem["currentVersion"]) == (412, "wrong_version", 1)
        assert "nothing was stored" in problem["detail"]
        assert await version_of(api, order_id) == 1


@VERBS
@pytest.mark.parametrize(
    "tags",
    [
        ("",), (",",), ("1",), ('"1',), ('1"',), ('"1" "2"',), ("W/1",), ('w/"1"',), ("*, *",), ('*, "1"',), ("*", '"1"'), ('"1 "',),
        ('"1"; x',), ('"1", x',), ('"1", "',), ('"1", ' + ", " * 600,), (", " * 400 + "x",),
    ],
    ids=lambda tags: repr(tags)[:30],
)  # fmt: skip
async def test_what_is_no_list_of_tags_is_refused(verb: str, body: Any, tags: tuple[str, ...]) -> None:
    """400: taken for no condition at all it would change an order that the client did not see."""
    async with running() as api:
        order_id = await api.place()
        response = await change(api, order_id, verb, body, *tags)
        problem = response.json()

        assert (response.status_code, problem["code"]) == (400, "bad_parameter")
        assert [error["parameter"] for error in problem["errors"]] == ["If-Match"]
        assert await version_of(api, order_id) == 1


async def test_a_version_from_inside_a_commit_is_no_version_to_change() -> None:
    """The second outcome confirms the order in its own commit: it went from 2 to 4, and nobody ever saw it at 3."""
    async with running() as api:
        order_id = await dispatched(api)
        history = await api.orders.load(order_id)
        inside = [
            earlier.version
            for earlier, later in zip(history.events, history.events[1:], strict=False)
            if earlier.commit == later.commit
        ]
        assert inside
        for version in inside:
            response = await change(api, order_id, "refunds", ONE_MOUSE, f'"{version}"')
            assert (response.status_code, response.json()["currentVersion"]) == (412, history.version)

        assert await version_of(api, order_id) == history.version


async def test_two_who_saw_the_same_version_do_not_both_change_it() -> None:
    """The lost update that If-Match is for: one is told that the order has moved on, and to where."""
    async with running() as api:
        order_id = await dispatched(api)
        seen = await version_of(api, order_id)
        answers = await asyncio.gather(
            *(change(api, order_id, "refunds", ONE_MOUSE, f'"{seen}"', Idempotency_Key=f"r-{n}") for n in range(8))
        )

        assert sorted(answer.status_code for answer in answers) == [202] + [412] * 7
        assert {answer.json()["currentVersion"] for answer in answers if answer.status_code == 412} == {seen + 1}
        assert await version_of(api, order_id) == seen + 1


async def test_a_repeat_with_the_version_of_its_first_time_is_answered_the_same() -> None:
    """The answer was lost, the order is one further by this very request: what is asked for is so already."""
    async with running() as api:
        order_id = await dispatched(api)
        tag = f'"{await version_of(api, order_id)}"'
        first = await change(api, order_id, "refunds", ONE_MOUSE, tag, Idempotency_Key="r")
        again = await change(api, order_id, "refunds", ONE_MOUSE, tag, Idempotency_Key="r")

        assert (again.status_code, again.json()) == (first.status_code, first.json()) == (202, first.json())


async def test_what_would_be_refused_anyhow_is_refused_for_that_reason() -> None:
    """RFC 9110, 13.2.1: a condition counts only for a request that would otherwise succeed."""
    async with running() as api:
        order_id = await dispatched(api)
        too_late = await change(api, order_id, "cancel", {}, '"1"')
        nowhere = await change(api, NOWHERE, "cancel", {}, "*")
        invalid = await change(api, order_id, "refunds", {}, '"1"')

        assert (too_late.status_code, too_late.json()["code"]) == (409, "too_late_to_cancel")
        assert (nowhere.status_code, nowhere.json()["code"]) == (404, "unknown_order")
        assert (invalid.status_code, invalid.json()["code"]) == (422, "invalid")


async def test_the_description_tells_of_the_header_and_of_its_refusal() -> None:
    """In every operation that changes an order, and in no other."""
    async with running() as api:
        paths = (await api.get("/openapi.json", token=None)).json()["paths"]
        listening = {
            path
            for path, operations in paths.items()
            for operation in operations.values()
            for parameter in operation.get("parameters", [])
            if (parameter["in"], parameter["name"]) == ("header", "If-Match")
        }

        assert listening == {path for path, operations in paths.items() if "{orderId}" in path and "post" in operations}
        assert len(listening) > 10
        for path in listening:
            answers = paths[path]["post"]["responses"]
            assert "`wrong_version`" in answers["412"]["description"]
            assert "`bad_parameter`" in answers["400"]["description"]
