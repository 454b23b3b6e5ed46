"""A client span for each request of an aiohttp session, by the conventions for HTTP: method, host, status; no path, which names payments.

No context is sent along: who is called is another company, and our traces are none of its business.
"""

from types import SimpleNamespace

import aiohttp
from opentelemetry.trace import SpanKind

from orderstore.tracing import current
from workers.tracing import names
from workers.tracing.port import Attributes
from workers.tracing.spans import OpenSpan, Spans, type_of


def traced_calls(spans: Spans) -> aiohttp.TraceConfig:
    """For `aiohttp.ClientSession(trace_configs=…)`. A request that belongs to no trace leaves no span."""

    async def begun(
        _session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams
    ) -> None:
        here = current()
        context.span = None
        if here is None:
            return
        attributes: Attributes = {names.HTTP_METHOD: request.method}
        if request.url.host is not None:
            attributes[names.SERVER_ADDRESS] = request.url.host
        if request.url.port is not None:
            attributes[names.SERVER_PORT] = request.url.port
        context.span = spans.begin(request.method, SpanKind.CLIENT, attributes, parent=here)

    async def answered(
        _session: aiohttp.ClientSession, context: SimpleNamespace, answer: aiohttp.TraceRequestEndParams
    ) -> None:
        span: OpenSpan | None = context.span
        if span is None:
            return
        span.tell({names.HTTP_STATUS: answer.response.status})
        if answer.response.status >= 400:  # of a client span the conventions count both kinds as errors
            span.failed(str(answer.response.status))
        span.end(spans.now_ns())

    async def failed(
        _session: aiohttp.ClientSession, context: SimpleNamespace, failure: aiohttp.TraceRequestExceptionParams
    ) -> None:
        span: OpenSpan | None = context.span
        if span is None:
            return
        span.failed(type_of(failure.exception))
        span.end(spans.now_ns())

    config = aiohttp.TraceConfig()
    config.on_request_start.append(begun)
    config.on_request_end.append(answered)
    config.on_request_exception.append(failed)
    return config
