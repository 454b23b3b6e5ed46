"""Tracing as the settings have it. Without an endpoint nothing is imported, made or put between anything."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from workers.metrics.table import Metrics
from workers.settings import Settings
from workers.tracing.port import Off, Tracing
from workers.variables import headers_in


@asynccontextmanager
async def open_tracing(settings: Settings, roles: Sequence[str], metrics: Metrics) -> AsyncIterator[Tracing]:
    """For as long as the block lasts."""
    if settings.tracing_otlp_endpoint is None:
        yield Off()
        return
    # Here, so that who does not trace does not pay for it: the exporter alone brings a second and a dozen megabytes.
    from workers.tracing.exporting import ExportBounds, open_recording, otlp_exporter, resource_of  # noqa: PLC0415

    bounds = ExportBounds()
    exporter = otlp_exporter(
        settings.tracing_otlp_endpoint, headers=headers_in(settings.tracing_otlp_headers), bounds=bounds
    )
    async with open_recording(
        exporter,
        resource_of(roles, namespace=settings.resource_prefix),
        sample_ratio=settings.tracing_sample_ratio,
        metrics=metrics,
        bounds=bounds,
    ) as recording:
        yield recording
