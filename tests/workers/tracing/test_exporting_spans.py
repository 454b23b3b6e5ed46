"""Spans leave the process beside the work: whatever becomes of them, the work never waits for it and never hears of it."""

import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import anyio
import pytest
from opentelemetry import metrics as otel_metrics
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.workers.test_wiring import out_of_reach
from tests.workers.tracing.collector import collecting
from tests.workers.tracing.recorded import a_context, told
from workers.metrics.table import Metrics
from workers.runtime.outcome import Done, Outcome
from workers.runtime.queue import Message
from workers.tracing.exporting import ExportBounds, open_recording, resource_of
from workers.tracing.opening import open_tracing
from workers.tracing.port import Tracing
from workers.tracing.recording import Recording

BOUNDS = ExportBounds(queue_max=8, batch_max=4, every_s=3_600, timeout_s=1, flush_s=10)


def recording(
    exporter: SpanExporter, metrics: Metrics, *, ratio: float = 1.0, bounds: ExportBounds = BOUNDS
) -> AbstractAsyncContextManager[Recording]:
    resource = resource_of(["payment"], namespace="shop")
    return open_recording(exporter, resource, sample_ratio=ratio, metrics=metrics, bounds=bounds)


async def work(tracing: Tracing, times: int = 1, **attributes: str) -> None:
    """So many messages are handled."""

    async def handler(_message: Message) -> Outcome:
        return Done()

    handle = tracing.handler(handler, queue="shop-payment")
    for number in range(times):
        message = Message(
            id=f"m-{number}", receipt="r", body="{}", attributes=attributes, receive_count=1, sent_at_ms=0
        )
        assert await handle(message) == Done()


def spans(metrics: Metrics, result: str) -> float:
    return metrics.registry.get_sample_value("orderstore_spans_total", {"result": result}) or 0


async def test_what_waits_at_the_end_is_exported_and_counted() -> None:
    """Nothing is lost at an orderly stop, also when it is a cancellation."""
    for cancelled in (False, True):
        exporter, metrics = InMemorySpanExporter(), Metrics()
        with anyio.CancelScope() as scope:
            async with recording(exporter, metrics) as tracing:
                await work(tracing, 3)
                if cancelled:
                    scope.cancel()
                    await anyio.sleep_forever()

        assert len(exporter.get_finished_spans()) == 3
        assert (spans(metrics, "ended"), spans(metrics, "exported"), spans(metrics, "failed")) == (3, 3, 0)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("OtelBatch")]


async def test_an_exporter_that_fails_costs_the_spans_and_nothing_else() -> None:
    """Whether it says so or raises; both are counted."""

    class Failing(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if len(spans) % 2:
                return SpanExportResult.FAILURE
            raise ConnectionError("no way")

    metrics = Metrics()
    async with recording(Failing(), metrics) as tracing:
        await work(tracing, 3)
        assert spans(metrics, "failed") == 0
    async with recording(Failing(), metrics) as tracing:
        await work(tracing, 2)

    assert (spans(metrics, "ended"), spans(metrics, "exported"), spans(metrics, "failed")) == (5, 0, 5)


@pytest.mark.timeout(20)
async def test_an_exporter_that_hangs_holds_up_neither_the_work_nor_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """What waits is bounded, what does not fit is dropped; at the end the process leaves it behind after the flush's time."""
    caplog.set_level(logging.CRITICAL)
    reached, released = threading.Event(), threading.Event()

    class Hanging(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            reached.set()
            released.wait()
            return SpanExportResult.SUCCESS

    metrics = Metrics()
    async with recording(Hanging(), metrics, bounds=replace(BOUNDS, flush_s=0.05)) as tracing:
        await work(tracing, 500)
        assert reached.wait(10)
        assert spans(metrics, "ended") == 500

    assert not released.is_set()
    ending = [
        thread for thread in threading.enumerate() if thread.name in ("end of tracing", "OtelBatchSpanRecordProcessor")
    ]
    assert all(thread.daemon for thread in ending)  # the interpreter's end does not wait for it either
    released.set()
    for thread in ending:
        thread.join()
    assert spans(metrics, "exported") <= BOUNDS.queue_max + BOUNDS.batch_max


@pytest.mark.parametrize(
    ("ratio", "sampled_by_the_caller", "recorded"), [(0, None, 0), (1, None, 1), (0, True, 1), (1, False, 0)]
)
async def test_the_caller_s_decision_comes_before_the_ratio(
    ratio: float, sampled_by_the_caller: bool | None, recorded: int
) -> None:
    """The ratio is for traces that begin here."""
    exporter = InMemorySpanExporter()
    attributes = {}
    if sampled_by_the_caller is not None:
        attributes["traceparent"] = a_context(sampled=sampled_by_the_caller).traceparent
    async with recording(exporter, Metrics(), ratio=ratio) as tracing:
        await work(tracing, **attributes)

    assert len(exporter.get_finished_spans()) == recorded


async def test_nothing_is_registered_for_the_whole_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other libraries' instrumentation stays as silent as it was, and nothing holds up the interpreter's end."""
    monkeypatch.setattr("opentelemetry.sdk.trace.atexit.register", None)
    before = otel_trace._TRACER_PROVIDER, otel_metrics.get_meter_provider()
    async with recording(InMemorySpanExporter(), Metrics()) as tracing:
        await work(tracing)
        assert (otel_trace._TRACER_PROVIDER, otel_metrics.get_meter_provider()) == before
        assert otel_trace._TRACER_PROVIDER is None


async def test_one_setting_sends_spans_to_a_collector() -> None:
    """OTLP over HTTP: the path is OTLP's own, the headers are those of the setting, the resource says who speaks."""
    with collecting() as collector:
        for given in (collector.address, f"{collector.address}/", f"{collector.address}/v1/traces"):
            settings = replace(
                out_of_reach(),
                tracing_otlp_endpoint=given,
                tracing_otlp_headers="authorization=Bearer a=b, x-team=shop",
            )
            metrics = Metrics()
            async with open_tracing(settings, ["payment"], metrics) as tracing:
                await work(tracing, 2)
            assert spans(metrics, "exported") == 2

    assert collector.paths == ["/v1/traces"] * 3
    assert collector.headers[0].items() >= {"authorization": "Bearer a=b", "x-team": "shop"}.items()
    resource = collector.resource()
    assert resource.pop("service.instance.id")
    assert resource.pop("service.version")
    assert resource.pop("telemetry.sdk.version")
    assert [value.string_value for value in resource.pop("orderstore.roles")] == ["payment"]
    assert resource == {
        "service.name": "orderstore-payment",
        "service.namespace": "shop",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
    }
    assert {span.name for span in collector.spans()} == {"process shop-payment"}


async def test_a_process_of_several_roles_is_one_service() -> None:
    """As the embedded environment is."""
    attributes = resource_of(["api", "relay"], namespace="shop").attributes

    assert (attributes["service.name"], attributes["orderstore.roles"]) == ("orderstore", ("api", "relay"))


async def test_what_a_span_is_told_is_bounded() -> None:
    """Texts are cut, and links and attributes end somewhere."""
    exporter = InMemorySpanExporter()
    async with recording(exporter, Metrics()) as tracing:

        async def handler(_message: Message) -> Outcome:
            return Done()

        long = Message(id="m" * 5_000, receipt="r", body="{}", attributes={}, receive_count=1, sent_at_ms=0)
        await tracing.handler(handler, queue="shop-payment")(long)

    (span,) = exporter.get_finished_spans()
    assert len(told(span)["messaging.message.id"]) == 512
