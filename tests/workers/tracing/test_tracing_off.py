"""Off by default, and then there is nothing: no object between the parts, and not one module of the recorder."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.workers.test_process_settings import REQUIRED, problems_of
from tests.workers.test_wiring import out_of_reach
from workers import settings as module
from workers.core import open_core
from workers.metrics.projections import ProjectionMetrics
from workers.metrics.table import Metrics
from workers.settings import from_environment, is_configured, tracing_variables
from workers.subscriptions import keyed_subscriber
from workers.tracing.opening import open_tracing
from workers.tracing.port import Off
from workers.variables import headers_in
from workers.wiring import open_service

OPENS_A_SERVICE = """
import sys
import anyio
from tests.workers.test_wiring import out_of_reach
from workers.metrics.table import Metrics
from workers.wiring import open_service

async def main():
    async with open_service(out_of_reach(), ["relay", "projector"], Metrics()) as running:
        print(type(running.core.tracing).__name__)
    recorder = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf")
    ours = ("workers.tracing.spans", "workers.tracing.recording", "workers.tracing.exporting")
    print(sorted(name for name in sys.modules if name.startswith(recorder + ours)))

anyio.run(main)
"""


@pytest.mark.thorough
def test_by_default_not_one_module_of_the_recorder_is_imported() -> None:
    """A process of its own, opened and closed as in production: what is not there costs nothing."""
    done = subprocess.run(
        [sys.executable, "-c", OPENS_A_SERVICE],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=60,
        check=False,
    )

    assert done.stdout.splitlines()[-2:] == ["Off", "[]"], done.stderr


async def test_by_default_every_part_is_itself() -> None:
    """Nothing stands in between."""
    async with open_tracing(out_of_reach(), ["payment"], Metrics()) as tracing:
        assert isinstance(tracing, Off)
        part: Any = object()
        assert tracing.app(part) is part
        assert tracing.log(part, table="t") is part
        assert tracing.projections(part) is part
        assert tracing.publisher(part, topic="t") is part
        assert tracing.handler(part, queue="q") is part
        assert tracing.queue(part, name="q") is part
        assert tracing.calls() == ()


async def test_the_core_s_parts_are_themselves_without_and_wrapped_with_an_endpoint() -> None:
    """The composition root puts each part into tracing, and tracing alone decides."""
    from workers.tracing.appending import TracedLog
    from workers.tracing.projecting import TracedProjections
    from workers.tracing.publishing import TracedPublisher

    async with open_core(out_of_reach(), Metrics()) as core:
        assert core.orders._transactor._store is core.store
        assert type(keyed_subscriber(core, "views")._observer) is ProjectionMetrics

    traced = replace(out_of_reach(), tracing_otlp_endpoint="http://127.0.0.1:9")
    async with open_service(traced, ["relay"], Metrics()) as running:
        core = running.core
        assert isinstance(core.orders._transactor._store, TracedLog)
        assert isinstance(keyed_subscriber(core, "views")._observer, TracedProjections)
        assert isinstance(keyed_subscriber(core, "relay")._sender._publisher, TracedPublisher)
        assert keyed_subscriber(core, "relay")._sender._publisher._topic == "shop-order-events"


@pytest.mark.parametrize(
    "address", ["collector:4318", "ftp://collector", "http://", "http://a?b=c", "http://user:secret@collector", "x"]
)
def test_an_endpoint_that_is_no_address_is_refused_at_the_start(address: str) -> None:
    """Better than spans that silently go nowhere."""
    assert problems_of(ORDERSTORE_TRACING_OTLP_ENDPOINT=address)[0].startswith("ORDERSTORE_TRACING_OTLP_ENDPOINT: ")


@pytest.mark.parametrize("headers", ["authorization", "=x", "a=b,,c=d", "a b=c", "a=b\nc", "a="])
def test_headers_that_are_none_are_refused_and_not_shown(headers: str) -> None:
    """They are secrets: the problem is named without them."""
    (problem,) = problems_of(
        ORDERSTORE_TRACING_OTLP_ENDPOINT="https://collector", ORDERSTORE_TRACING_OTLP_HEADERS=headers
    )
    assert problem == "ORDERSTORE_TRACING_OTLP_HEADERS: must be like name=value, several with commas between them"


def test_headers_without_an_endpoint_and_ratios_beyond_one_are_refused() -> None:
    """A setting that does nothing is a mistake."""
    assert len(problems_of(ORDERSTORE_TRACING_OTLP_HEADERS="a=b")) == 1
    assert len(problems_of(ORDERSTORE_TRACING_SAMPLE_RATIO="1.5")) == 1


def test_headers_are_read_as_they_are_meant_and_show_nowhere() -> None:
    """Only the first equals sign divides: tokens end with some."""
    settings = from_environment(
        {
            **REQUIRED,
            "ORDERSTORE_TRACING_OTLP_ENDPOINT": " https://collector:4318/otlp ",
            "ORDERSTORE_TRACING_OTLP_HEADERS": "Authorization=Basic abc==, x-team=shop",
            "ORDERSTORE_TRACING_SAMPLE_RATIO": "0.05",
        }
    )

    assert headers_in(settings.tracing_otlp_headers) == {"authorization": "Basic abc==", "x-team": "shop"}
    assert headers_in(None) == {}
    assert (settings.tracing_otlp_endpoint, settings.tracing_sample_ratio) == ("https://collector:4318/otlp", 0.05)
    assert "abc" not in repr(settings)


def test_on_a_laptop_the_setting_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded environment brings every other setting, and commands still find it: this one alone configures no service."""
    variables = {"ORDERSTORE_TRACING_OTLP_ENDPOINT": "http://localhost:4318"}
    monkeypatch.setattr(module.os, "environ", {"PATH": "/bin", **variables})

    assert not is_configured()
    assert tracing_variables() == variables
    assert from_environment(REQUIRED, overrides=tracing_variables()).tracing_otlp_endpoint == "http://localhost:4318"
