"""A server span for each request: where it came from, which route it was, and what it was answered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from orderstore.store.errors import Unavailable
from orderstore.store.memory import MemoryEventStore
from orderstore.tracing import current
from tests.projections.http.api import ARTICLE, READER, WRITER, Api, bearer, running
from tests.workers.log_lines import log_lines
from tests.workers.tracing.recorded import Recorded, a_context, context_of, parent_of, told


@asynccontextmanager
async def serving(recorded: Recorded, **changes: object) -> AsyncIterator[tuple[Api, httpx.AsyncClient]]:
    async with running(**changes) as api:
        transport = httpx.ASGITransport(app=recorded.tracing.app(api.app))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test", headers=bearer(WRITER)) as client:
            yield api, client


async def test_a_request_is_a_child_of_the_caller_s_span() -> None:
    """With method, route and status, and with the order that it made."""
    recorded, caller = Recorded(), a_context()
    async with serving(recorded) as (api, client):
        answer = await client.post("/orders", json=ARTICLE, headers={"traceparent": caller.traceparent})
        order_id = answer.json()["orderId"]
        (created,) = (await api.orders.load(order_id)).events

    span = recorded.one("POST /orders")
    assert span.kind is SpanKind.SERVER
    assert parent_of(span) == caller.span_id
    assert span.status.status_code is StatusCode.UNSET
    assert told(span) == {
        "http.request.method": "POST",
        "http.route": "/orders",
        "http.response.status_code": 202,
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "orderstore.order.id": order_id,
        "orderstore.event.id": created.event_id,
        "orderstore.event.type": "OrderCreated",
    }
    assert created.traceparent == context_of(span).traceparent


@pytest.mark.parametrize("headers", [[], [("traceparent", "nonsense")], [("traceparent", a_context().traceparent)] * 2])
async def test_without_one_caller_a_trace_begins_here(headers: list[tuple[str, str]]) -> None:
    """No context, one that is not well-formed, or two of them; what is ignored is counted, once."""
    recorded = Recorded()
    async with serving(recorded) as (api, client):
        answer = await client.post("/orders", json=ARTICLE, headers=[*bearer(WRITER).items(), *headers])
        assert answer.status_code == 202
        assert api.measures.ignored_traces == 0

    assert parent_of(recorded.one("POST /orders")) is None
    assert recorded.ignored("http") == (1 if headers else None)


async def test_untraced_the_api_counts_what_it_ignores_itself() -> None:
    """The same fact, from the same header."""
    async with running() as api:
        await api.post("/orders", ARTICLE, traceparent="nonsense")
        await api.post("/orders", ARTICLE)

        assert api.measures.ignored_traces == 1


async def test_what_the_client_did_wrong_is_no_error_of_the_server_s() -> None:
    """HTTP conventions: a server span leaves its status unset for 4xx. A path that leads nowhere names no route."""
    recorded = Recorded()
    async with serving(recorded) as (_, client):
        assert (await client.post("/orders", json={})).status_code == 422
        assert (await client.get("/who-is/jane@example.com?mail=jane@example.com")).status_code == 404

    refused, nowhere = recorded.one("POST /orders"), recorded.one("GET")
    assert (refused.status.status_code, told(refused)["http.response.status_code"]) == (StatusCode.UNSET, 422)
    assert "http.route" not in told(nowhere)
    assert "jane" not in nowhere.to_json()


async def test_what_we_did_wrong_is_one() -> None:
    """By its status; the text of the error goes nowhere."""

    class Down(MemoryEventStore):
        async def append(self, commit: object) -> None:
            raise Unavailable("PutItem of jane", tries=3, ambiguous=False)

    recorded = Recorded()
    async with serving(recorded, store=Down()) as (_, client):
        assert (await client.post("/orders", json=ARTICLE)).status_code == 503

    span = recorded.one("POST /orders")
    assert (span.status.status_code, told(span)["error.type"]) == (StatusCode.ERROR, "503")
    assert "jane" not in span.to_json()


async def test_what_machines_ask_every_few_seconds_leaves_no_span() -> None:
    """Nothing follows from it."""
    recorded = Recorded()
    async with serving(recorded) as (_, client):
        for path in ("/healthz", "/readyz", "/metrics"):
            await client.get(path)

    assert recorded.spans == ()


async def test_methods_that_a_client_invents_are_one() -> None:
    """They must not become names without end."""
    recorded = Recorded()
    async with serving(recorded) as (_, client):
        await client.request("BREW", "/orders")

    (span,) = recorded.spans
    assert (told(span)["http.request.method"], span.name.split()[0]) == ("_OTHER", "HTTP")


async def test_log_lines_of_a_request_name_its_span_and_others_do_not() -> None:
    """`trace_id` and `span_id` lead from a line to the trace, and back."""
    recorded = Recorded()

    async def app(scope: object, receive: object, send: object) -> None:
        import structlog

        structlog.get_logger("test").info("inside")

    with log_lines() as lines:
        async with httpx.AsyncClient(base_url="http://api.test") as _:
            await recorded.tracing.app(app)({"type": "http", "path": "/", "method": "GET", "headers": []}, None, None)  # type: ignore[arg-type]  # neither is touched
        assert current() is None
        import structlog

        structlog.get_logger("test").info("outside")

    inside, outside = lines.all()
    (span,) = recorded.spans
    assert (inside["trace_id"], inside["span_id"]) == (context_of(span).trace_id, context_of(span).span_id)
    assert "trace_id" not in outside


async def test_what_is_no_request_is_passed_on() -> None:
    """Such as the server's lifespan messages."""
    seen: list[str] = []

    async def app(scope: dict[str, str], receive: object, send: object) -> None:
        seen.append(scope["type"])

    recorded = Recorded()
    await recorded.tracing.app(app)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]  # neither is touched

    assert (seen, recorded.spans) == (["lifespan"], ())


async def test_the_framework_s_own_telemetry_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would send queries, and the texts of exceptions: not even the variables that turn it on for others do so here."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    async with running() as api:
        telemetry = api.app._telemetry
        assert not any(telemetry[part] for part in ("tracing", "metrics", "logs", "auto_configure"))
        assert (await api.get("/orders/none", token=READER)).status_code == 404
