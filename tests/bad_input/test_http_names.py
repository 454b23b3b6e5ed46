"""Paths, queries and cursors that mean no good: refused in words, or taken as the plain text that they are; nothing written."""

import base64
import json
from urllib.parse import quote

import pytest

from projections.answers.cursors import encode_pair
from tests.bad_input.http_door import is_problem, raw, untouched
from tests.projections.http.api import ADMIN, bearer
from tests.projections.http.whole_api import CUSTOMER, running_whole

pytestmark = pytest.mark.thorough

PATH_IDS = (
    *(
        "%2e%2e",
        "%2F",
        "..%2Forders",
        "%00",
        "%0d%0aX: 1",
        "%E2%80%AE",
        "%ff",
        "%u0041",
        "%",
        "a" * 5_000,
        "null",
        "0",
        "-1",
    ),
    *("*", "{orderId}", "' OR 1=1 --", "$(id)", "<script>", "\u0661" * 36, "６f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11"),
    *(
        "6f1d6b0e6c0f5b8e9a530c2f3a3d7a11",
        "{6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11}",
        "urn:uuid:6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11",
    ),
    *(
        "6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11%0a",
        "6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11%20",
        "6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11;x",
    ),
)


@pytest.mark.parametrize("name", PATH_IDS, ids=range(len(PATH_IDS)))
async def test_a_path_names_one_thing_or_nothing(name: str) -> None:
    """Whatever stands where an id should, encoded once or twice: there is no such thing. No answer repeats what a browser would run."""
    told = quote(name, safe="%")
    async with running_whole() as whole, untouched(whole):
        for path in (
            *(f"/orders/{told}{more}" for more in ("", "/events", "/changes?from=0&to=1", "/invoices", "/live")),
            *(f"{place}/{told}" for place in ("/invoices", "/dead-letters/payment", "/webhooks/endpoints")),
        ):
            answer = await whole.api.client.get(path, headers=bearer(ADMIN))
            assert answer.status_code in (400, 404), path
            is_problem(answer, answer.status_code, answer.json()["code"])
            assert len(answer.content) < 2_000
        for path in (f"/orders/{told}/cancel", f"/orders/{told}/holds/x/release", f"/webhooks/endpoints/{told}/test"):
            answer = await whole.api.client.post(path, headers=bearer(ADMIN))
            assert answer.status_code in (400, 404), path


async def test_an_order_is_itself_in_capitals_and_nothing_else_is() -> None:
    """A UUID has two spellings; a dotless i, a Kelvin sign or a long s is no letter of it."""
    async with running_whole() as whole:
        order = whole.known.placed
        assert (await whole.api.get(f"/orders/{order.upper()}", token=ADMIN)).json()["orderId"] == order
        for letter, other in (("a", "\u0430"), ("e", "\u0435"), ("0", "\u0660"), ("1", "\u0661"), ("-", "\u2010")):
            if letter in order:
                answer = await whole.api.get(f"/orders/{quote(order.replace(letter, other, 1))}", token=ADMIN)
                is_problem(answer, 404, "unknown_order")


QUERIES = (
    *(
        "limit=0",
        "limit=-1",
        "limit=101",
        "limit=1e1",
        "limit=0x10",
        "limit=",
        "limit=1&limit=2",
        "limit=999999999999999999999999999",
    ),
    *(
        "limit=%00",
        "limit=%D9%A1",
        "LIMIT=1",
        "limit%00=1",
        "limit[]=1",
        "customerId=a&customerId=b",
        "customerId=",
        f"customerId={'a' * 129}",
    ),
    *(
        "cursor=",
        "cursor=%00",
        "cursor=null",
        "cursor=..%2F",
        f"cursor={'A' * 3000}",
        "cursor=%F0%9F%92%A3",
        "dryRun=true",
        "%ff=%ff",
    ),
    *("customerId=4111111111111111", "&".join(f"x{number}=1" for number in range(2_000))),
)


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
async def test_a_query_says_one_thing_within_its_bounds(query: str) -> None:
    """Given twice, misspelt, out of bounds: 400 and the parameter's name, never the last one or a default in silence."""
    async with running_whole() as whole, untouched(whole):
        asked = query if "customerId=" in query else f"customerId={CUSTOMER}&{query}"
        status, headers, body = await raw(whole, b"/orders", asked.encode())
        assert (status, headers["content-type"]) == (400, "application/problem+json"), body
        problem = json.loads(body)
        assert problem["errors"]
        assert problem["detail"].startswith(("nothing was done", "begin again"))
        assert len(body) < 20_000
        assert b"4111111111111111" not in body


LISTS = (
    *(
        f"/orders?customerId={CUSTOMER}",
        "/exceptions?kind=held",
        "/exceptions?kind=parked",
        f"/customers/{CUSTOMER}/inbox?limit=1",
    ),
    "/webhooks/endpoints/{endpoint}/deliveries?limit=1",
)


@pytest.mark.parametrize("path", LISTS)
async def test_a_cursor_is_good_for_the_list_that_gave_it_and_for_no_other(path: str) -> None:
    """Another list's, another customer's, cut, with a bit turned, made up by somebody who has read this code."""
    async with running_whole() as whole:
        await whole.live.note(2)
        mine = path.format(endpoint=whole.known.endpoint)
        other = await whole.webhooks.endpoint("two.example")
        own = [
            (await whole.api.get(f"/orders?customerId={CUSTOMER}&limit=1", token=ADMIN)).json()["nextCursor"],
            (await whole.api.get(f"/customers/{CUSTOMER}/inbox?limit=1", token=ADMIN)).json()["nextCursor"],
        ]
        assert all(own)
        forged = [
            *(
                cursor
                for cursor, source in zip(own, ("/orders", "/customers"), strict=True)
                if not path.startswith(source)
            ),
            *(cursor[:-3] for cursor in own),
            *(cursor + "A" for cursor in own),
            *("A" + cursor[1:] for cursor in own),
            encode_pair("inbox", "9" * 13, "somebody-else"),
            base64.urlsafe_b64encode(b"[" * 1_000).decode(),
            base64.urlsafe_b64encode(b'{"a":' * 300).decode(),
            base64.urlsafe_b64encode(json.dumps([1, 2, 3, None]).encode()).decode(),
            other,
        ]
        async with untouched(whole):
            for cursor in forged:
                answer = await whole.api.get(f"{mine}&cursor={quote(cursor)}", token=ADMIN)
                assert answer.status_code in (400, 422), (path, cursor, answer.text)
                assert "cursor" in answer.text
