"""ETag and If-None-Match: a version is told once, and 304 never hides what somebody waits for."""

from typing import Any

import httpx
import pytest

from orderstore.domain import decisions
from tests.builders import PAID_AT_ONCE
from tests.projections.http.api import READER, Api, bearer, running
from tests.projections.http.stories import dispatched

LONG_AGO, LATER = 0, 4_000_000_000_000


async def ask(api: Api, path: str, *known: str) -> httpx.Response:
    headers = [*bearer(READER).items(), *(("If-None-Match", tag) for tag in known)]
    return await api.client.get(path, headers=headers)


@pytest.mark.parametrize("query", ["", "?consistency=strong", "?atCommit=5", "?asOf=2099-01-01T00:00:00Z"])
async def test_the_tag_is_the_orders_version(query: str) -> None:
    """Strong, and the same one however the order is read: what a change may be made conditional on."""
    async with running() as api:
        order_id = await dispatched(api)
        response = await ask(api, f"/orders/{order_id}{query}")

        assert response.headers["etag"] == f'"{response.json()["version"]}"' == '"6"'


@pytest.mark.parametrize("query", ["", "?consistency=strong"])
async def test_who_has_the_version_is_told_so(query: str) -> None:
    """304 with the tag and no body, until something happens."""
    async with running() as api:
        order_id = await api.place()
        api.published_through_ms = LATER
        path = f"/orders/{order_id}{query}"
        first = await ask(api, path)
        again = await ask(api, path, first.headers["etag"])
        await api.record(order_id, decisions.complete_payment, purpose="payment-outcome", outcome=PAID_AT_ONCE)
        changed = await ask(api, path, first.headers["etag"])

        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"1"')
        assert again.headers["cache-control"] == "no-store"
        assert "content-type" not in again.headers
        assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')


@pytest.mark.parametrize("mark_ms", [None, LONG_AGO])
async def test_what_is_still_to_be_published_is_always_told(mark_ms: int | None) -> None:
    """Publication moves without the version: who waits for it with a tag would otherwise wait for ever. So 304 says that it is done."""
    async with running() as api:
        order_id = await api.place()
        api.published_through_ms = mark_ms
        pending = await ask(api, f"/orders/{order_id}", '"1"')
        api.published_through_ms = LATER

        assert (pending.status_code, pending.json()["publication"]["status"]) == (200, "pending")
        assert (await ask(api, f"/orders/{order_id}", '"1"')).status_code == 304


async def test_the_past_does_not_wait_for_anything() -> None:
    """It has no publication: the version alone decides."""
    async with running() as api:
        order_id = await dispatched(api)

        assert (await ask(api, f"/orders/{order_id}?atCommit=2", '"2"')).status_code == 304
        assert (await ask(api, f"/orders/{order_id}?atCommit=2", '"6"')).status_code == 200
        assert (await ask(api, f"/orders/{order_id}?atCommit=0", "*")).status_code == 404


TAGS: list[tuple[tuple[str, ...], int]] = [
    (('"1"',), 304),
    (('W/"1"',), 304),
    (("*",), 304),
    (('"x", "1"',), 304),
    (('"x"\t,W/"1"',), 304),
    (('"x"', '"1"'), 304),
    (('"2"',), 200),
    (('"11"',), 200),
    (('"1 "',), 400),
    (('"x, 1"',), 400),
    (('""',), 200),
    (("1",), 400),
    (('w/"1"',), 400),
    (('"1',), 400),
    (('"1" "2"',), 400),
    (('"1",',), 304),
    ((', "x",, "1"',), 304),
    ((",",), 400),
    (('*, "1"',), 400),
    (("",), 400),
    (('"' + "x" * 2000 + '"',), 400),
]


@pytest.mark.parametrize(("known", "status"), TAGS, ids=[" + ".join(known)[:20] or "empty" for known, _ in TAGS])
async def test_tags_are_compared_as_http_says(known: tuple[str, ...], status: int) -> None:
    """RFC 9110, 13.1.2: weakly, any of a list, also over several lines; what is no list of tags is refused by name."""
    async with running() as api:
        order_id = await api.place()
        api.published_through_ms = LATER
        response = await ask(api, f"/orders/{order_id}", *known)

        assert response.status_code == status
        if status == 400:
            error: dict[str, Any] = response.json()["errors"][0]
            assert error["parameter"] == "If-None-Match"
