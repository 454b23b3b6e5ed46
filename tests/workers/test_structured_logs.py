"""Logs: one JSON object a line, whoever wrote it, and nothing personal under the names that could hold it."""

import logging

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from tests.workers.log_lines import log_lines
from workers.logs import EVENT_FIELDS, REDACTED_FIELDS


def test_a_line_is_a_json_object_with_its_level_its_moment_and_what_is_bound() -> None:
    """Bound fields stand on every line below, without being passed."""  # E125
    with log_lines() as lines, bound_contextvars(orderId="order-1"):
        structlog.get_logger("workers.events").info("handled", outcome="done")

    (line,) = lines.all()
    assert {name: line[name] for name in ("event", "level", "orderId", "outcome")} == {
        "event": "handled",
        "level": "info",
        "orderId": "order-1",
        "outcome": "done",
    }
    assert line["at"].endswith("Z")


def test_libraries_log_in_the_same_form() -> None:
    """A warning of the standard library's logging becomes such a line, with the bound fields; its chatter does not."""
    with log_lines("debug") as lines, bound_contextvars(orderId="order-1"):
        logging.getLogger("botocore").info("chatter")
        logging.getLogger("botocore").warning("slow %s", "answer")

    (line,) = lines.all()
    assert (line["event"], line["level"], line["orderId"]) == ("slow answer", "warning", "order-1")


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_less_severe_lines_are_left_out(level: str, shown: int) -> None:
    """The setting names the least severe level that is written."""
    with log_lines(level) as lines:
        log = structlog.get_logger("workers")
        for method in (log.debug, log.info, log.warning, log.error):
            method("line")

    assert len(lines.all()) == shown


@pytest.mark.parametrize("name", sorted(REDACTED_FIELDS))
def test_what_may_be_personal_is_replaced_whoever_logs_it(name: str) -> None:
    """Passed, bound, or given by a library: the value never reaches the line."""
    with log_lines() as lines:
        structlog.get_logger("workers").warning("line", **{name: "ada@example.com"})
        with bound_contextvars(**{name: "ada@example.com"}):
            logging.getLogger("aiohttp").warning("line")

    assert "ada@example.com" not in lines.stream.getvalue()
    assert [line[name] for line in lines.all()] == ["[redacted]", "[redacted]"]


def test_an_error_s_trace_stays_on_its_line() -> None:
    """A trace has many lines; the log line is still one object."""
    with log_lines() as lines:
        try:
            raise ValueError("no")
        except ValueError:
            structlog.get_logger("workers").exception("failed")

    (line,) = lines.all()
    assert line["exception"].endswith("ValueError: no")


def test_no_field_of_an_event_is_ever_redacted() -> None:
    """The six fields by which an event is followed hold nothing personal and must stay readable."""  # E125
    assert not set(EVENT_FIELDS) & REDACTED_FIELDS
