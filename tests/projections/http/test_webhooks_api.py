"""The operations on webhook endpoints, over the real desk with tables in memory: who may, what is answered, what is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from projections.http import webhook_examples as examples
from projections.http.auth import BearerTokens, Token, sha256_of
from tests.projections.http.api import ADMIN, READER, SCRAPER, TOKENS, WRITER, Api, bearer, running
from tests.projections.http.test_api_description import described, schema_of
from tests.workers.webhooks.world import World, message
from workers.tables.errors import TableUnavailable

LOOKER, KEEPER = "looker-secret", "keeper-secret"
ALL_TOKENS = (
    *TOKENS,
    Token("looker", sha256_of(LOOKER), frozenset({"webhooks:read"})),
    Token("keeper", sha256_of(KEEPER), frozenset({"webhooks:read", "webhooks:write"})),
)
ONE, EVENT = "/webhooks/endpoints/{endpointId}", "/webhooks/endpoints/{endpointId}/deliveries/{eventId}"
LOOKS = {("GET", "/webhooks/endpoints"), ("GET", ONE), ("GET", f"{ONE}/deliveries"), ("GET", EVENT)}
CHANGES = {
    ("POST", "/webhooks/endpoints"),
    ("PATCH", ONE),
    ("POST", f"{EVENT}/redeliver"),
    *(("POST", f"{ONE}/{verb}") for verb in ("enable", "disable", "remove", "rotate", "test", "replay")),
}
LAST = ("disable", "remove")
"""What leaves an endpoint that others would be refused."""
WHY = {"reason": "a test"}
EVERYTHING = {"from": "2020-01-01T00:00:00Z", "to": "2040-01-01T00:00:00Z"}


@asynccontextmanager
async def webhook_api() -> AsyncIterator[tuple[Api, World]]:
    world = World()
    async with running(webhooks=world.desk, authentication=BearerTokens(ALL_TOKENS)) as api:
        yield api, world


async def ask(api: Api, method: str, path: str, body: Any = None, *, token: str | None = KEEPER) -> httpx.Response:
    return await api.client.request(method, path, json=body, headers=bearer(token))


async def added(api: Api, **changes: Any) -> str:
    response = await ask(api, "POST", "/webhooks/endpoints", {"url": "https://one.example/hook", **WHY, **changes})
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    return str(response.json()["id"])


@pytest.mark.parametrize(("method", "path"), sorted(LOOKS | CHANGES))
async def test_only_who_has_the_scope_comes_near_them(method: str, path: str) -> None:
    """Reading shows addresses, which may hold somebody's token; writing sends our events to anybody."""
    wrong = [None, READER, WRITER, SCRAPER, *([] if (method, path) in LOOKS else [LOOKER])]
    async with webhook_api() as (api, world):
        endpoint = await added(api)
        concrete = path.format(endpointId=endpoint, eventId="e-1")
        for token in wrong:
            response = await ask(api, method, concrete, {} if method != "GET" else None, token=token)
            assert response.status_code == (401 if token is None else 403)
            assert response.headers["content-type"] == "application/problem+json"
        admitted = await ask(api, method, concrete, {} if method != "GET" else None, token=ADMIN)
        assert admitted.status_code not in (401, 403)
        assert len((await world.desk.endpoint(endpoint))["changes"]) == 1


async def test_they_are_described_and_every_answer_fits() -> None:
    """Good ones and refusals, field for field; the examples are accepted as they stand."""
    async with webhook_api() as (api, world):
        document = await described(api)
        mine = {
            (method.upper(), path): operation
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if path.startswith("/webhooks/")
        }
        assert set(mine) == LOOKS | CHANGES
        for key, operation in mine.items():
            assert operation["security"] == [{"bearer": ["webhooks:read" if key in LOOKS else "webhooks:write"]}]

        endpoint, other = await added(api), await added(api, url="https://two.example/")
        handler, _ = world.process()
        await handler(message())
        base = f"/webhooks/endpoints/{endpoint}"
        spoken = [
            ("/webhooks/endpoints", await ask(api, "GET", "/webhooks/endpoints")),
            ("/webhooks/endpoints", await ask(api, "POST", "/webhooks/endpoints", {"url": "http://x.example/", **WHY})),
            ("/webhooks/endpoints", await ask(api, "POST", "/webhooks/endpoints", {"url": "https://x.example/"})),
            ("/webhooks/endpoints", await ask(api, "POST", "/webhooks/endpoints", examples.ADD["two types"]["value"])),
            (ONE, await ask(api, "GET", base)),
            (ONE, await ask(api, "GET", "/webhooks/endpoints/whe_none")),
            (ONE, await ask(api, "PATCH", base, {"eventTypes": [], **WHY})),
            (ONE, await ask(api, "PATCH", base, {"eventType": [], **WHY})),
            (ONE, await ask(api, "PATCH", base, WHY)),
            (f"{ONE}/test", await ask(api, "POST", f"{base}/test")),
            (f"{ONE}/deliveries", await ask(api, "GET", f"{base}/deliveries?state=pending&limit=1")),
            (f"{ONE}/deliveries", await ask(api, "GET", f"{base}/deliveries?from=2026-01-01T00:00:00Z")),
            (f"{ONE}/deliveries", await ask(api, "GET", f"{base}/deliveries?state=gone")),
            (f"{ONE}/deliveries", await ask(api, "GET", f"{base}/deliveries?from=yesterday")),
            (f"{ONE}/deliveries", await ask(api, "GET", f"{base}/deliveries?cursor=x")),
            (EVENT, await ask(api, "GET", f"{base}/deliveries/e-1")),
            (EVENT, await ask(api, "GET", f"{base}/deliveries/e-none")),
            (f"{EVENT}/redeliver", await ask(api, "POST", f"{base}/deliveries/e-1/redeliver", WHY)),
            (f"{ONE}/replay", await ask(api, "POST", f"{base}/replay", {**EVERYTHING, "dryRun": True})),
            (f"{ONE}/replay", await ask(api, "POST", f"{base}/replay", {**EVERYTHING, **WHY})),
            (f"{ONE}/replay", await ask(api, "POST", f"{base}/replay", EVERYTHING)),
            (f"{ONE}/rotate", await ask(api, "POST", f"{base}/rotate", WHY)),
            (f"{ONE}/rotate", await ask(api, "POST", f"{base}/rotate", {"overlapSeconds": 10**7, **WHY})),
            (f"{ONE}/disable", await ask(api, "POST", f"{base}/disable", WHY)),
            (f"{ONE}/test", await ask(api, "POST", f"{base}/test")),
            (f"{ONE}/enable", await ask(api, "POST", f"{base}/enable", WHY)),
            (f"{ONE}/remove", await ask(api, "POST", f"/webhooks/endpoints/{other}/remove", WHY)),
            (f"{ONE}/remove", await ask(api, "POST", f"/webhooks/endpoints/{other}/remove", WHY)),
        ]
        assert [response.status_code for _, response in spoken] == [
            *(200, 422, 422, 201, 200, 404, 200, 422, 422, 202),
            *(200, 200, 400, 400, 422, 200, 404, 202, 200, 200, 422),
            *(200, 422, 200, 422, 200, 200, 404),
        ]
        for path, response in spoken:
            schema = schema_of(document, response.request.method, path, response.status_code)
            Draft202012Validator(schema).validate(response.json())
        for (method, path), operation in sorted(mine.items(), key=lambda one: one[0][1].rpartition("/")[2] in LAST):
            said = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {})
            for example in said.values():
                answer = await ask(api, method, path.format(endpointId=endpoint, eventId="e-1"), example["value"])
                assert answer.status_code in (200, 201, 202), answer.text


async def test_a_secret_is_in_the_answer_that_made_it_and_in_no_other() -> None:
    """Neither looking, changing nor the log of requests shows it."""
    async with webhook_api() as (api, _world):
        made = await ask(api, "POST", "/webhooks/endpoints", {"url": "https://one.example/hook", **WHY})
        base = f"/webhooks/endpoints/{made.json()['id']}"
        rotated = await ask(api, "POST", f"{base}/rotate", WHY)
        others = [
            await ask(api, "GET", base),
            await ask(api, "GET", "/webhooks/endpoints"),
            await ask(api, "PATCH", base, {"description": "x", **WHY}),
        ]

        assert made.json()["secret"] != rotated.json()["secret"]
        assert not [one for one in others if "whsec_" in one.text]
        assert "whsec_" not in repr(api.logs.entries)


async def test_whoever_changes_is_named_and_a_replay_counts() -> None:
    """The token's name is on record; what was put aside is told again, once."""
    async with webhook_api() as (api, world):
        endpoint = await added(api)
        base = f"/webhooks/endpoints/{endpoint}"
        await ask(api, "POST", f"{base}/disable", WHY)
        handler, _ = world.process()
        await handler(message())
        await ask(api, "POST", f"{base}/enable", WHY)
        first = await ask(api, "POST", f"{base}/replay", {**EVERYTHING, **WHY})
        second = await ask(api, "POST", f"{base}/replay", {**EVERYTHING, **WHY})
        found = await ask(api, "GET", base)

        assert (first.json()["replayed"], second.json()["replayed"], second.json()["waiting"]) == (1, 0, 1)
        assert {change["actor"]["id"] for change in found.json()["changes"]} == {"keeper"}
        assert len(found.json()["changes"]) == 4


async def test_tables_that_do_not_answer_are_a_503() -> None:
    """And the client is told when to come again."""
    async with webhook_api() as (api, world):
        endpoint = await added(api)

        async def down(*_arguments: Any, **_named: Any) -> Any:
            raise TableUnavailable("GetItem: timed out")

        world.endpoints._table.get = down  # type: ignore[method-assign]
        response = await ask(api, "GET", f"/webhooks/endpoints/{endpoint}")

        assert (response.status_code, response.json()["code"]) == (503, "unavailable")
        assert response.headers["retry-after"] == "5"


async def test_without_a_desk_there_are_no_such_operations() -> None:
    """Nor a word of them."""
    async with running() as api:
        assert (await api.get("/webhooks/endpoints", token=ADMIN)).status_code == 404
        assert "webhooks" not in str((await described(api))["paths"])


async def test_each_field_that_the_desk_refuses_has_its_pointer() -> None:
    """Both of two wrong ones, and one type among good ones."""
    async with webhook_api() as (api, _world):
        wrong = {"url": "http://127.0.0.1/", "eventTypes": ["OrderCancelled", "Nonsense"], **WHY}
        response = await ask(api, "POST", "/webhooks/endpoints", wrong)
        endpoint = await added(api)
        changed = await ask(api, "PATCH", f"/webhooks/endpoints/{endpoint}", wrong)
        unsaid = await ask(api, "POST", f"/webhooks/endpoints/{endpoint}/replay", EVERYTHING)

    for one in (response, changed):
        assert one.status_code == 422
        assert [error["pointer"] for error in one.json()["errors"]] == ["/url", "/eventTypes/1"]
    assert [error["pointer"] for error in unsaid.json()["errors"]] == ["/reason"]
