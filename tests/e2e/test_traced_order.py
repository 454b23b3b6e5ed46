"""A laptop with one more setting: an order's spans arrive at a collector, in one trace, through the real stream, topic and queues."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.programs import running
from tests.e2e.test_article_scenarios import place, wait_for
from tests.waiting import eventually
from tests.workers.tracing.collector import Collector, collecting

pytestmark = [pytest.mark.e2e, pytest.mark.thorough]


def ways_up(collector: Collector, name: str) -> list[list[str]]:
    """From each span with that name, the names of its parents up to the first."""
    spans: dict[bytes, Any] = {span.span_id: span for span in collector.spans()}
    ways = []
    for span in spans.values():
        if span.name == name:
            way, here = [span.name], span
            while here.parent_span_id in spans:
                here = spans[here.parent_span_id]
                way.append(here.name)
            ways.append(way)
    return ways


def test_one_setting_shows_an_order_from_its_invoice_back_to_the_call(state_dir: Path, tmp_path: Path) -> None:
    """SNS hands the message attribute to SQS, raw; the spans of every role arrive over OTLP; the stop flushes the last of them."""  # E044
    with collecting() as collector:
        variables = {"ORDERSTORE_TRACING_OTLP_ENDPOINT": collector.address}
        with running("up", "--port", "0", state_dir=state_dir, folder=tmp_path, variables=variables) as up:
            order_id = place(up)
            wait_for(up, order_id, status="COMPLETED")
            billed = eventually(
                lambda: ways_up(collector, "append_numbered orderstore-local-events"),
                what="the invoice's span has arrived",
                process=up.process,
            )
            assert up.interrupt() == 0
        links = {link.span_id for span in collector.spans() for link in span.links if span.name.startswith("process ")}
        created = {span.span_id for span in collector.spans() if span.name == "create orderstore-local-order-events"}
        names = {span.name for span in collector.spans()}

    assert billed[-1][1] == "process orderstore-local-billing"
    assert billed[-1][-1] == "POST /orders"
    assert billed[-1].count("create orderstore-local-order-events") >= 3
    assert links
    assert links <= created
    assert {"delete orderstore-local-billing", "project order_status", "process orderstore-local-archive"} <= names
    assert collector.resource()["service.name"] == "orderstore"
