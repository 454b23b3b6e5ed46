"""The OpenAPI document is true: every real answer fits it, every operation is in it, and its page needs no internet."""

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from projections.http.problems import KINDS
from tests.projections.http.api import SCRAPER, Api, running
from tests.projections.http.stories import NOWHERE, dispatched, invoiced


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


async def test_it_is_a_valid_openapi_document() -> None:
    """As the specification's own validator reads it."""
    async with running() as api:
        validate(await described(api))


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
            ("POST", "/orders/{orderId}/cancel"): ["orders:write"],
            ("POST", "/orders/{orderId}/refunds"): ["orders:write"],
            ("GET", "/invoices/{invoiceNumber}"): ["orders:read"],
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
        answers += [
            await api.post(f"/orders/{placed_id}/cancel", body) for body in examples("/orders/{orderId}/cancel")
        ]

        assert [answer.status_code for answer in answers] == [202] * len(answers)
        assert (await api.get(f"/orders/{placed_id}")).json()["total"] == "900.00"


async def test_real_answers_fit_what_is_promised() -> None:
    """Good ones and refusals, field for field: additional members are not allowed."""
    async with running() as api:
        document = await described(api)
        order_id = await invoiced(api, customerId="c")
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
            ("/invoices/{invoiceNumber}", await api.get("/invoices/INV-000001")),
            ("/invoices/{invoiceNumber}", await api.get("/invoices/INV-000002")),
            ("/orders/{orderId}/refunds", await api.post(f"/orders/{order_id}/refunds", refund)),
            ("/orders/{orderId}/cancel", await api.post(f"/orders/{order_id}/cancel", {})),
            ("/orders/{orderId}/cancel", await api.post(f"/orders/{received}/cancel", {})),
            ("/orders/{orderId}", await api.get(f"/orders/{received}")),
            ("/healthz", await api.get("/healthz")),
            ("/readyz", await api.get("/readyz")),
        ]
        api.parts["store"] = False
        spoken.append(("/readyz", await api.get("/readyz")))

        assert len({response.status_code for _, response in spoken}) > 9
        for path, response in spoken:
            schema = schema_of(document, response.request.method, path, response.status_code)
            Draft202012Validator(schema).validate(response.json())


async def test_every_kind_of_problem_is_promised_somewhere() -> None:
    """A client that reads the document knows every code that it may meet, but for paths and methods that do not exist."""
    async with running() as api:
        text = str((await described(api))["paths"])
        untold = {code for code in KINDS if f"`{code}`" not in text}

        assert untold == {"not_found", "method_not_allowed", "bad_request"}


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
