"""Live streams and inboxes over HTTP: what is promised is sent, what is wrong is refused before anything is."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from projections.http.problems import KINDS
from projections.live import positions
from tests.projections.http.api import ADMIN, READER, SCRAPER, WRITER, bearer
from tests.projections.http.live_api import APP, FOLLOWER, LiveApi, events_in, running_live
from tests.projections.http.stories import NOWHERE, invoiced
from tests.projections.http.test_api_description import schema_of
from workers.tables.errors import TableUnavailable

PATHS = {
    ("GET", "/orders/{orderId}/live"): ["orders:read"],
    ("GET", "/customers/{customerId}/live"): ["orders:read", "inbox"],
    ("GET", "/customers/{customerId}/inbox"): ["inbox"],
    ("POST", "/customers/{customerId}/inbox/{noteId}/read"): ["inbox"],
}


async def finished(live: LiveApi) -> str:
    """An order at its end: rejected, in three commits."""
    from orderstore.domain import decisions
    from tests.builders import DECLINED, SHORT

    order_id = await live.api.place(customerId="C-1")
    await live.api.record(order_id, decisions.fail_payment, purpose="payment", outcome=DECLINED)
    await live.api.record(order_id, decisions.fail_inventory, purpose="inventory", outcome=SHORT)
    return order_id


async def test_the_document_describes_streams_and_inboxes() -> None:
    """It names the scopes and the media type, and the shape of every event; the page shows it all."""
    async with running_live() as live:
        document: dict[str, Any] = (await live.api.get("/openapi.json", token=None)).json()
        for (method, path), scopes in PATHS.items():
            operation = document["paths"][path][method.lower()]
            assert [scope for needed in operation["security"] for scope in needed["bearer"]] == scopes
        for path, events in (
            ("/orders/{orderId}/live", {"status", "end", "fault"}),
            ("/customers/{customerId}/live", {"standing", "status", "note", "fault"}),
        ):
            operation = document["paths"][path]["get"]
            (media,) = operation["responses"]["200"]["content"]
            assert media == "text/event-stream"
            shapes = operation["responses"]["200"]["content"][media]["schema"]["x-sse-events"]
            assert set(shapes) == events
            assert {shape["$ref"].rpartition("/")[2] for shape in shapes.values()} <= set(
                document["components"]["schemas"]
            )
            assert "Last-Event-ID" in {parameter["name"] for parameter in operation["parameters"]}
        page = (await live.api.get("/docs", token=None)).text
        told = str(document["paths"])
        for shown in (
            *(path for _, path in PATHS),
            "LiveStatus",
            "too_many_streams",
            "unknown_note",
            "text/event-stream",
        ):
            assert shown in page
        assert {code for code in KINDS if f"`{code}`" not in told} == {
            "head_timeout",
            "head_too_large",
            "not_found",
            "method_not_allowed",
            "bad_request",
            "bad_signature",
            *("unknown_document", "not_acceptable", "document_erased", "document_changed"),  # of stored invoices
        }


@pytest.mark.thorough
async def test_a_finished_order_is_told_whole_and_then_the_stream_ends() -> None:
    """Each event fits what the document promises; nothing may be kept by a proxy."""  # E031
    async with running_live() as live:
        order_id = await finished(live)
        document = (await live.api.get("/openapi.json", token=None)).json()
        response = await live.api.get(f"/orders/{order_id}/live", lastEventId="0")

        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-length" not in response.headers
        retry, *events = events_in(response.text)
        assert set(retry) == {"retry"}
        assert [(event["event"], event.get("id")) for event in events] == [
            ("status", "1"),
            ("status", "2"),
            ("status", "3"),
            ("end", None),
        ]
        shapes = document["paths"]["/orders/{orderId}/live"]["get"]["responses"]["200"]["content"]["text/event-stream"][
            "schema"
        ]
        for event in events:
            schema = {**shapes["x-sse-events"][event["event"]], "components": document["components"]}
            Draft202012Validator(schema).validate(json.loads(event["data"]))
        assert json.loads(events[-1]["data"])["status"] == "REJECTED"
        assert live.measures.closed == [("order", "end")]
        assert live.measures.sent == ["retry", "status", "status", "status", "end"]
        assert live.desk.streams == 0


async def test_who_was_told_all_is_told_to_stay_away() -> None:
    """204 is what ends a browser's coming back (HTML standard, 9.2.3)."""
    async with running_live() as live:
        order_id = await finished(live)
        response = await live.api.client.get(
            f"/orders/{order_id}/live", headers={**bearer(READER), "Last-Event-ID": "3"}
        )

        assert (response.status_code, response.content) == (204, b"")


async def test_the_header_wins_over_the_address() -> None:
    """A browser that comes back repeats the address that it was given first."""
    async with running_live() as live:
        order_id = await finished(live)
        response = await live.api.client.get(
            f"/orders/{order_id}/live?lastEventId=0", headers={**bearer(READER), "Last-Event-ID": "2"}
        )

        assert [event["id"] for event in events_in(response.text) if "id" in event] == ["3"]


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        ("x", 400, "bad_parameter"),
        ("-1", 400, "bad_parameter"),
        ("01", 400, "bad_parameter"),
        ("1" * 3_000, 400, "bad_parameter"),
        ("99", 404, "unknown_commit"),
        ("", 400, "bad_parameter"),
    ],
)
async def test_an_id_that_the_stream_never_gave_is_refused(told: str, status: int, code: str) -> None:
    """By either way of saying it; a problem, no stream."""
    async with running_live() as live:
        order_id = await finished(live)
        by_header = await live.api.client.get(
            f"/orders/{order_id}/live", headers={**bearer(READER), "Last-Event-ID": told}
        )
        by_address = await live.api.get(f"/orders/{order_id}/live", lastEventId=told)
        for response in (by_header, by_address):
            assert (response.status_code, response.json()["code"]) == (status, code)
        assert live.measures.opened == live.desk.streams == 0


async def test_an_id_that_is_said_twice_is_refused() -> None:
    """It would be the last, silently."""
    async with running_live() as live:
        order_id = await finished(live)
        headers = [*bearer(READER).items(), ("Last-Event-ID", "1"), ("Last-Event-ID", "2")]
        twice = await live.api.client.get(f"/orders/{order_id}/live", headers=headers)
        misspelt = await live.api.get(f"/orders/{order_id}/live", lasteventid="1")
        assert [response.json()["code"] for response in (twice, misspelt)] == ["bad_parameter"] * 2


async def test_an_order_that_is_not_there_has_no_stream() -> None:
    """404, as everywhere."""
    async with running_live() as live:
        response = await live.api.get(f"/orders/{NOWHERE}/live")
        assert (response.status_code, response.json()["code"]) == (404, "unknown_order")


async def test_who_may_follow_and_read() -> None:
    """An inbox is not an order: each has its scope, and a customer's stream wants both."""
    async with running_live(life_s=0) as live:
        order_id = await finished(live)
        note_id = await live.note(1)
        calls = {
            "order": ("GET", f"/orders/{order_id}/live"),
            "both": ("GET", "/customers/C-1/live"),
            "inbox": ("GET", "/customers/C-1/inbox"),
            "mark": ("POST", f"/customers/C-1/inbox/{note_id}/read"),
        }
        allowed = {
            READER: {"order"},
            APP: {"inbox", "mark"},
            FOLLOWER: {"order", "both", "inbox", "mark"},
            ADMIN: {"order", "both", "inbox", "mark"},
            WRITER: set(),
            SCRAPER: set(),
        }
        for token, may in allowed.items():
            for name, (method, path) in calls.items():
                response = await live.api.client.request(method, path, headers=bearer(token))
                assert response.status_code == (200 if name in may else 403), (token, name)
        for method, path in calls.values():
            assert (await live.api.client.request(method, path)).status_code == 401


async def test_there_are_only_so_many_streams() -> None:
    """503 with when to come back; the place is free again once a stream has ended."""
    async with running_live(streams_max=1) as live:
        order_id = await finished(live)
        async with live.desk.order("other", order_id, told_to=None):
            refused = await live.api.get(f"/orders/{order_id}/live")
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
            assert refused.headers["retry-after"] == "5"
        assert (await live.api.get(f"/orders/{order_id}/live")).status_code == 200


@pytest.mark.thorough
async def test_a_customers_stream_fits_what_is_promised() -> None:
    """Every kind of event; the id of the last one leads on from there, and into nobody else's stream."""
    async with running_live(life_s=0) as live:
        document = (await live.api.get("/openapi.json", token=None)).json()
        order_id = await invoiced(live.api, customerId="C-1")
        await live.note(1)
        first = await live.api.get("/customers/C-1/live", token=FOLLOWER)
        begun = positions.encode("C-1", 0, {order_id: 4})
        second = await live.api.get("/customers/C-1/live", token=FOLLOWER, lastEventId=begun)
        events = [event for response in (first, second) for event in events_in(response.text) if "event" in event]
        assert [event["event"] for event in events] == ["standing", "status", "status", "note"]
        operation = document["paths"]["/customers/{customerId}/live"]["get"]
        shapes = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]["x-sse-events"]
        for event in events:
            schema = {**shapes[event["event"]], "components": document["components"]}
            Draft202012Validator(schema).validate(json.loads(event["data"]))
        last = events[-1]["id"]
        third = await live.api.get("/customers/C-1/live", token=FOLLOWER, lastEventId=last)
        assert [event for event in events_in(third.text) if "event" in event] == []
        for customer, told in (("C-2", last), ("C-1", "x"), ("C-1", last.replace(".1.", ".2."))):
            response = await live.api.get(f"/customers/{customer}/live", token=FOLLOWER, lastEventId=told)
            assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "not_a_position")


@pytest.mark.thorough
async def test_an_inbox_is_shown_page_by_page_and_read() -> None:
    """Newest first; what was read stays read; each answer is what the document promises."""  # E031
    async with running_live() as live:
        document = (await live.api.get("/openapi.json", token=None)).json()
        ids = [await live.note(number) for number in (1, 2, 3)]
        await live.note(9, customer="C-2")
        path = "/customers/{customerId}/inbox"
        first = await live.api.get("/customers/C-1/inbox", token=APP, limit=2)
        second = await live.api.get("/customers/C-1/inbox", token=APP, limit=2, cursor=first.json()["nextCursor"])
        assert [note["id"] for page in (first, second) for note in page.json()["items"]] == ids[::-1]
        assert (second.json()["nextCursor"], first.json()["unread"], first.json()["unreadMore"]) == (None, 3, False)

        marked = await live.api.post(f"/customers/C-1/inbox/{ids[0]}/read", token=APP)
        again = await live.api.post(f"/customers/C-1/inbox/{ids[0]}/read", token=APP)
        assert marked.json() == again.json()
        assert marked.json()["readAt"] is not None
        assert (await live.api.get("/customers/C-1/inbox", token=APP)).json()["unread"] == 2
        nobody = await live.api.get("/customers/C-3/inbox", token=APP)
        assert (nobody.json()["items"], nobody.json()["unread"]) == ([], 0)

        missing = await live.api.post(f"/customers/C-2/inbox/{ids[0]}/read", token=APP)
        odd = await live.api.post("/customers/C-1/inbox/head/read", token=APP)
        assert [(one.status_code, one.json()["code"]) for one in (missing, odd)] == [
            (404, "unknown_note"),
            (400, "bad_parameter"),
        ]
        stolen = await live.api.get("/customers/C-2/inbox", token=APP, cursor=first.json()["nextCursor"])
        garbage = await live.api.get("/customers/C-1/inbox", token=APP, cursor="x")
        assert [one.json()["code"] for one in (stolen, garbage)] == ["bad_cursor"] * 2
        for where, response in (
            (path, first),
            (path, nobody),
            (path, stolen),
            (f"{path}/{{noteId}}/read", marked),
            (f"{path}/{{noteId}}/read", missing),
        ):
            schema = schema_of(document, response.request.method, where, response.status_code)
            Draft202012Validator(schema).validate(response.json())


async def test_an_inbox_that_is_out_of_reach_is_tried_again_later() -> None:
    """503, whichever way it was asked for."""
    async with running_live() as live:
        note_id = await live.note(1)
        live.table.failure = TableUnavailable("GetItem")
        for response in (
            await live.api.get("/customers/C-1/inbox", token=APP),
            await live.api.post(f"/customers/C-1/inbox/{note_id}/read", token=APP),
        ):
            assert (response.status_code, response.json()["code"]) == (503, "unavailable")
            assert response.headers["retry-after"] == "5"
