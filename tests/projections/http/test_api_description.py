"""The OpenAPI document is true: every real answer fits it, every operation is in it, and its page needs no internet."""

import re
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from projections.http.problems import KINDS
from tests.projections.http.api import SCRAPER, TENANT, Api, running
from tests.projections.http.stories import NOWHERE, dispatched, invoiced
from tests.projections.http.whole_api import running_whole
from tests.projections.parked import row


def schema_of(document: dict[str, Any], method: str, path: str, status: int) -> dict[str, Any]:
    """The schema that is promised for this answer; KeyError when it is not promised at all."""
    content = document["paths"][path][method.lower()]["responses"][str(status)]["content"]
    (media,) = content
    assert media == ("application/json" if status < 300 else "application/problem+json")
    schema: dict[str, Any] = content[media]["schema"]
    return {**schema, "components": document["components"]}


async def described(api: Api) -> dict[str, Any]:
    document: dict[str, Any] = (await api.get("/openapi.json", token=None)).json()
    return document


@pytest.mark.thorough
async def test_it_is_a_valid_openapi_document() -> None:
    """With every part that a service can have, as the specification's own validator reads it."""
    async with running_whole() as whole:
        validate(await described(whole.api))


async def test_every_operation_is_described_with_its_scope() -> None:
    """Health alone asks for nothing."""
    async with running() as api:
        document = await described(api)
        scopes = {
            (method.upper(), path): [scope for needed in operation.get("security", []) for scope in needed["bearer"]]
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        }

        assert scopes == {
            ("POST", "/orders"): ["orders:write"],
            ("GET", "/orders"): ["orders:read"],
            ("GET", "/orders/{orderId}"): ["orders:read"],
            ("GET", "/orders/{orderId}/changes"): ["orders:read"],
            ("GET", "/orders/{orderId}/events"): ["orders:read"],
            ("GET", "/orders/{orderId}/invoices"): ["orders:read"],
            ("GET", "/orders/{orderId}/lines"): ["orders:read"],
            ("POST", "/orders/{orderId}/cancel"): ["orders:write"],
            ("POST", "/orders/{orderId}/refunds"): ["orders:write"],
            ("POST", "/orders/{orderId}/holds"): ["orders:write"],
            ("POST", "/orders/{orderId}/holds/{holdId}/release"): ["orders:write"],
            **{
                ("POST", f"/orders/{{orderId}}/{verb}"): ["orders:write"]
                for verb in (
                    "line-cancellations",
                    "edits",
                    "edits/{editId}/withdrawal",
                    "payment-attempts",
                    "answers/{actionId}",
                    "returns",
                )
            },
            ("POST", "/orders/{orderId}/returns/{returnId}/cancel"): ["orders:write"],
            **{
                ("POST", f"/orders/{{orderId}}/returns/{{returnId}}/{verb}"): ["orders:operate"]
                for verb in ("approve", "decline", "receive", "inspection")
            },
            **{
                ("POST", f"/orders/{{orderId}}/{verb}"): ["orders:operate"]
                for verb in ("delays", "notes", "refunds/{refundId}/retry", "exceptions/actions")
            },
            ("POST", "/orders/{orderId}/review"): ["orders:review"],
            ("GET", "/invoices/{invoiceNumber}"): ["orders:read"],
            ("GET", "/exceptions"): ["orders:read"],
            ("GET", "/sales"): ["orders:read"],
            ("GET", "/business"): ["orders:read"],
            ("GET", "/metrics"): ["metrics:read"],
            ("GET", "/healthz"): [],
            ("GET", "/readyz"): [],
        }


async def test_the_examples_are_accepted_as_they_stand() -> None:
    """Who copies one from the page gets what it promises; the first is the article's, of 900.00 USD."""  # E039
    async with running() as api:
        paths = (await described(api))["paths"]

        def examples(path: str) -> list[Any]:
            content = paths[path]["post"]["requestBody"]["content"]["application/json"]
            return [example["value"] for example in content["examples"].values()]

        answers = [await api.post("/orders", example) for example in examples("/orders")]
        order_id = await dispatched(api)
        answers += [
            await api.post(f"/orders/{order_id}/refunds", body) for body in examples("/orders/{orderId}/refunds")
        ]
        placed_id = answers[0].json()["orderId"]
        held = [await api.post(f"/orders/{placed_id}/holds", body) for body in examples("/orders/{orderId}/holds")]
        hold_id = held[0].json()["holdId"]
        held += [
            await api.post(f"/orders/{placed_id}/holds/{hold_id}/release", body)
            for body in examples("/orders/{orderId}/holds/{holdId}/release")
        ]
        assert [answer.status_code for answer in held] == [201, 200]
        answers += [
            await api.post(f"/orders/{placed_id}/cancel", body) for body in examples("/orders/{orderId}/cancel")
        ]

        assert [answer.status_code for answer in answers] == [202] * len(answers)
        assert (await api.get(f"/orders/{placed_id}")).json()["total"] == "900.00"


async def holding(api: Api, order_id: str) -> list[tuple[str, httpx.Response]]:
    """Placed, repeated, shown, taken for another, refused, released, and released once more."""
    placing, releasing = "/orders/{orderId}/holds", "/orders/{orderId}/holds/{holdId}/release"
    holds, hold = f"/orders/{order_id}/holds", {"reason": "stock", "holdId": "h-1"}
    return [
        (placing, await api.post(holds, hold)),
        (placing, await api.post(holds, hold)),
        ("/orders/{orderId}", await api.get(f"/orders/{order_id}")),
        (placing, await api.post(holds, {**hold, "reason": "payment"})),
        (placing, await api.post(holds, {"reason": "because"})),
        (placing, await api.post(f"/orders/{NOWHERE}/holds", hold)),
        (releasing, await api.post(f"{holds}/h-1/release")),
        (releasing, await api.post(f"{holds}/h-1/release", {"note": "again"})),
        (releasing, await api.post(f"{holds}/h-2/release")),
        (releasing, await api.post(f"{holds}/-/release")),
    ]


async def test_real_answers_fit_what_is_promised() -> None:
    """Good ones and refusals, field for field: additional members are not allowed."""
    async with running() as api:
        document = await described(api)
        order_id = await invoiced(api, customerId="c")
        for left in (
            row(order_id, tenant=TENANT),
            row(await api.place(customerId="c"), tenant=TENANT, state="skipped"),
        ):
            await api.views.lot.park(left)
        held = await api.place()
        await api.post(f"/orders/{held}/holds", {"reason": "address"})
        received = await api.place()
        refund = {"lines": [{"line": 1, "quantity": 1}]}
        spoken = [
            ("/orders", await api.post("/orders", {})),
            ("/orders", await api.send(b"{")),
            ("/orders", await api.send(b"x" * 2_000_000)),
            ("/orders", await api.send(b"{}", Content_Type="text/plain")),
            ("/orders", await api.post("/orders", {}, token=None)),
            ("/orders", await api.post("/orders", {}, token=SCRAPER)),
            ("/orders", await api.get("/orders", customerId="c")),
            ("/orders", await api.get("/orders", customerId="c", cursor="x")),
            ("/orders/{orderId}", await api.get(f"/orders/{order_id}")),
            ("/orders/{orderId}", await api.get(f"/orders/{received}?consistency=strong")),
            ("/orders/{orderId}", await api.get(f"/orders/{NOWHERE}")),
            ("/orders/{orderId}", await api.get(f"/orders/{order_id}?atCommit=2")),
            ("/orders/{orderId}", await api.get(f"/orders/{order_id}?asOf=2099-01-01T00:00:00Z&clock=occurred")),
            ("/orders/{orderId}", await api.get(f"/orders/{order_id}?asOf=2001-01-01T00:00:00Z")),
            ("/orders/{orderId}", await api.get(f"/orders/{order_id}?atCommit=99")),
            ("/orders/{orderId}", await api.get(f"/orders/{order_id}?atCommit=1&clock=recorded")),
            ("/orders/{orderId}/changes", await api.get(f"/orders/{order_id}/changes?from=0&to=6")),
            ("/orders/{orderId}/changes", await api.get(f"/orders/{order_id}/changes?from=6&to=2001-01-01T00:00:00Z")),
            ("/orders/{orderId}/changes", await api.get(f"/orders/{order_id}/changes?from=1&to=99")),
            ("/orders/{orderId}/changes", await api.get(f"/orders/{order_id}/changes?from=1&to=noon")),
            ("/orders/{orderId}/changes", await api.get(f"/orders/{NOWHERE}/changes?from=1&to=2")),
            ("/orders/{orderId}/events", await api.get(f"/orders/{order_id}/events?limit=3")),
            (
                "/orders/{orderId}/events",
                await api.get(f"/orders/{order_id}/events?type=OrderCreated&actorType=customer"),
            ),
            ("/orders/{orderId}/events", await api.get(f"/orders/{order_id}/events?limit=0")),
            ("/orders/{orderId}/invoices", await api.get(f"/orders/{order_id}/invoices")),
            ("/orders/{orderId}/lines", await api.get(f"/orders/{order_id}/lines?limit=1")),
            ("/orders/{orderId}/lines", await api.get(f"/orders/{order_id}/lines?fromLine=-1")),
            ("/orders/{orderId}/lines", await api.get(f"/orders/{NOWHERE}/lines")),
            ("/invoices/{invoiceNumber}", await api.get("/invoices/INV-000001")),
            ("/invoices/{invoiceNumber}", await api.get("/invoices/INV-000002")),
            ("/orders/{orderId}/refunds", await api.post(f"/orders/{order_id}/refunds", refund)),
            *await holding(api, received),
            ("/orders/{orderId}/cancel", await api.post(f"/orders/{order_id}/cancel", {})),
            ("/orders/{orderId}/cancel", await api.post(f"/orders/{received}/cancel", {})),
            ("/orders/{orderId}", await api.get(f"/orders/{received}")),
            ("/orders/{orderId}", await api.get(f"/orders/{order_id}?minCommit=2")),
            ("/orders/{orderId}", await api.get(f"/orders/{order_id}?minCommit=99&waitMs=1")),
            ("/orders/{orderId}", await api.get(f"/orders/{order_id}?minCommit=2&atCommit=2")),
            ("/orders/{orderId}/invoices", await api.get(f"/orders/{order_id}/invoices?minCommit=2")),
            ("/orders/{orderId}/invoices", await api.get(f"/orders/{order_id}/invoices?minCommit=99&waitMs=1")),
            ("/orders/{orderId}/invoices", await api.get(f"/orders/{order_id}/invoices?waitMs=1")),
            ("/exceptions", await api.get("/exceptions?kind=parked")),
            ("/exceptions", await api.get("/exceptions?kind=held")),
            ("/exceptions", await api.get("/exceptions?kind=held&cursor=x")),
            ("/exceptions", await api.get("/exceptions")),
            ("/sales", await api.get("/sales?from=2026-03-01&to=2026-03-02")),
            ("/sales", await api.get("/sales?from=2026-03-01&to=2026-02-02")),
            ("/business", await api.get("/business?days=2")),
            ("/business", await api.get("/business?days=92")),
            ("/healthz", await api.get("/healthz")),
            ("/readyz", await api.get("/readyz")),
        ]
        api.parts["store"] = False
        spoken.append(("/readyz", await api.get("/readyz")))

        assert len({response.status_code for _, response in spoken}) > 9
        for path, response in spoken:
            schema = schema_of(document, response.request.method, path, response.status_code)
            Draft202012Validator(schema).validate(response.json())


async def test_headers_are_promised_where_they_are_sent() -> None:
    """A program that is made from the document may rely on them: where an answer was read, what it shows, what a write made."""
    async with running() as api:
        paths = (await described(api))["paths"]
        order_id = await dispatched(api)
        for path, asked in (
            ("/orders/{orderId}", f"/orders/{order_id}"),
            ("/orders/{orderId}/invoices", f"/orders/{order_id}/invoices?minCommit=1"),
        ):
            promised = paths[path]["get"]["responses"]["200"]["headers"]
            assert {"Order-Source", "Order-Commit"} <= set(promised)
            sent = (await api.get(asked)).headers
            assert all(name in sent for name in promised)
        for path, operations in paths.items():
            if "post" in operations:
                done = [answer for status, answer in operations["post"]["responses"].items() if status.startswith("2")]
                assert done
                assert all("Order-Commit" in answer["headers"] for answer in done), path


async def test_every_kind_of_problem_is_promised_somewhere() -> None:
    """A client that reads the document knows every code that it may meet, but for paths and methods that do not exist."""
    async with running() as api:
        text = str((await described(api))["paths"])
        untold = {code for code in KINDS if f"`{code}`" not in text}

        # Of operations that not every API has: a payment provider's webhook, live streams and inboxes.
        beside = {"bad_signature", "too_many_streams", "unknown_note"}
        beside |= {
            "document_erased",
            "unknown_document",
            "document_changed",
            "not_acceptable",
        }  # and of stored invoices
        before = {"head_timeout", "head_too_large"}  # of requests that are ended before it is known what they are for
        assert untold == {"not_found", "method_not_allowed", "bad_request"} | beside | before


async def test_the_page_for_people_needs_nothing_from_elsewhere() -> None:
    """No script, no font, no address but its own: it opens where the internet does not."""
    async with running() as api:
        response = await api.get("/docs", token=None)

        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/html")
        assert "<script" not in response.text
        assert re.findall(r'(?:src|href)="(?!#|openapi\.json)[^"]*"', response.text) == []
        assert "default-src 'none'" in response.headers["content-security-policy"]


async def test_the_page_shows_every_operation_body_and_problem() -> None:
    """And every link on it leads somewhere."""
    async with running() as api:
        document, text = await described(api), (await api.get("/docs", token=None)).text

        for shown in (
            *document["paths"],
            *document["components"]["schemas"],
            *KINDS,
            "orders:write",
            "Idempotency-Key",
        ):
            assert shown in text, shown
        targets = set(re.findall(r'id="([^"]+)"', text))
        assert set(re.findall(r'href="#([^"]+)"', text)) <= targets


@pytest.mark.parametrize("markup", ["<script>alert(1)</script>", "{{ 7 * 7 }}"])
async def test_the_page_escapes_what_it_shows(markup: str) -> None:
    """A description is text."""
    from projections.http.docs_page import render

    async with running() as api:
        document = await described(api)
        document["info"]["description"] = markup

        assert "<script>" not in render(document)
        assert "49" not in render(document).split("<nav>")[0].split("</h1>")[1].replace("49px", "")
