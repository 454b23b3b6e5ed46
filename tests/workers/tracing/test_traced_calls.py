"""Calls to the payment provider: a client span each, below whatever made them, without a path and without sending our trace along."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import stripe
from aiohttp import web
from opentelemetry.trace import SpanKind, StatusCode

from orderstore.tracing import working_in
from tests.workers.tracing.recorded import Recorded, a_context, parent_of, told
from workers.payment.stripe_http import open_stripe


@asynccontextmanager
async def provider() -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    """Answers 404 to everything that Stripe might be asked, and keeps the headers."""
    seen: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return web.json_response({"error": {"type": "invalid_request_error", "message": "no pi_secret"}}, status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


async def test_a_call_is_told_by_method_host_and_status() -> None:
    """The path names a payment, and is left out."""
    recorded, here = Recorded(), a_context()
    async with provider() as (address, seen):
        opened = open_stripe("sk_test_1", api_base=address, trace_configs=recorded.tracing.calls())
        async with opened as client:
            with working_in(here), pytest.raises(stripe.InvalidRequestError):
                await client.v1.payment_intents.retrieve_async("pi_secret")

    (span,) = recorded.spans
    assert (span.name, span.kind, parent_of(span)) == ("GET", SpanKind.CLIENT, here.span_id)
    assert told(span) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": int(address.rpartition(":")[2]),
        "http.response.status_code": 404,
        "error.type": "404",
    }
    assert "pi_secret" not in span.to_json()
    assert "traceparent" not in seen[0]


async def test_a_call_that_nobody_answers_is_told_by_its_error() -> None:
    """And raised as it was."""
    recorded = Recorded()
    async with aiohttp.ClientSession(trace_configs=list(recorded.tracing.calls())) as session:
        with working_in(a_context()), pytest.raises(aiohttp.ClientConnectorError):
            await session.get("http://127.0.0.1:9/")

    (span,) = recorded.spans
    assert span.status.status_code is StatusCode.ERROR
    assert told(span)["error.type"].startswith("aiohttp.")


async def test_a_call_outside_any_trace_leaves_no_span() -> None:
    """Such as the daily reconciliation's."""
    recorded = Recorded()
    async with provider() as (address, _):
        configs = list(recorded.tracing.calls())
        async with aiohttp.ClientSession(trace_configs=configs) as session, session.get(address) as answer:
            assert answer.status == 404
        with working_in(a_context(sampled=False)):
            async with aiohttp.ClientSession(trace_configs=configs) as session, session.get(address) as answer:
                assert answer.status == 404

    assert recorded.spans == ()
