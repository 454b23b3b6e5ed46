"""PutEvents answers entry by entry: what failed in passing is sent again, alone; what is refused is told; nothing is forgotten."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from orderstore.store.trouble import Backoff
from tests.virtual_time import run_virtual
from workers.intake.eventbridge import CALL_BYTES_MAX, BusEvents, EventBridgeReports
from workers.intake.reports import ACCEPTED, SOURCE, Report, ReportNotSent, ReportRefused

Answer = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]


class Bus:
    """An EventBridge client that answers as it is told to, call by call; afterwards it takes everything."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[Sequence[dict[str, Any]]] = []

    async def put_events(self, *, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - as the client has it
        self.calls.append(Entries)
        answer = self.answers.pop(0) if self.answers else taken
        if isinstance(answer, Exception):
            raise answer
        return {"Entries": answer(Entries)}


def taken(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"EventId": f"id-of-{entry['Detail']}"} for entry in entries]


def all_but(*positions: int, code: str) -> Answer:
    """Every entry but these."""

    def answer(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        refused = {"ErrorCode": code, "ErrorMessage": "..."}
        return [refused if at in positions else found for at, found in enumerate(taken(entries))]

    return answer


def refusing(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutEvents")  # type: ignore[typeddict-item]  # only what is looked at


def put(bus: Bus, *details: bytes, tries_max: int = 4) -> list[str]:
    async def scenario() -> list[str]:
        backoff = Backoff(tries_max=tries_max)
        events = BusEvents(bus, bus="shop", random=random.Random(1), backoff=backoff)  # type: ignore[arg-type]  # a fake of the one call
        return await events.put([("shop.example", "OrderRequest", detail) for detail in details])

    return run_virtual(scenario)


def test_what_failed_is_sent_again_and_nothing_else_is() -> None:
    """The ids come back in the order of the events."""
    bus = Bus(all_but(1, code="ThrottlingException"), all_but(0, code="InternalFailure"))

    assert put(bus, b"1", b"2", b"3") == ["id-of-1", "id-of-2", "id-of-3"]
    assert [[entry["Detail"] for entry in call] for call in bus.calls] == [["1", "2", "3"], ["2"], ["2"]]


@pytest.mark.parametrize(
    "trouble",
    [
        EndpointConnectionError(endpoint_url="https://events"),
        refusing("InternalException", 500),
        refusing("ThrottlingException", 400),
    ],
    ids=["unreachable", "failing", "throttled"],
)
def test_a_call_that_failed_in_passing_is_made_again(trouble: Exception) -> None:
    """It may have been heard: a report has its own id for that."""
    assert put(Bus(trouble), b"1") == ["id-of-1"]


def test_trouble_that_goes_on_is_told() -> None:
    """After a bounded number of tries."""
    bus = Bus(*[all_but(0, code="ThrottlingException")] * 9)

    with pytest.raises(ReportNotSent, match="1 events in 4 tries"):
        put(bus, b"1")
    assert len(bus.calls) == 4


@pytest.mark.parametrize("answer", [all_but(0, code="MalformedDetail"), refusing("AccessDeniedException", 403)])
def test_what_the_bus_refuses_is_not_tried_again(answer: Answer | Exception) -> None:
    """Somebody must mend it first."""
    bus = Bus(answer)

    with pytest.raises(ReportRefused):
        put(bus, b"1")
    assert len(bus.calls) == 1


def test_calls_keep_the_bounds_of_aws() -> None:
    """Ten entries, and 256 KB."""
    many, large = Bus(), Bus()
    put(many, *(b"%d" % number for number in range(23)))
    put(large, *[b"x" * 100_000] * 5)

    assert [len(call) for call in many.calls] == [10, 10, 3]
    assert [len(call) for call in large.calls] == [2, 2, 1]
    assert all(sum(len(entry["Detail"]) for entry in call) <= CALL_BYTES_MAX for call in large.calls)


def test_a_report_is_put_in_our_name() -> None:
    """The rule that feeds the intake lets that name not through."""
    bus = Bus()

    async def scenario() -> None:
        reports = EventBridgeReports(bus, bus="shop", random=random.Random(1))  # type: ignore[arg-type]  # a fake of the one call
        await reports.send([Report(ACCEPTED, {"orderId": "1"})])

    run_virtual(scenario)
    ((entry,),) = bus.calls
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == (SOURCE, ACCEPTED, "shop")
    assert json.loads(entry["Detail"]) == {"orderId": "1"}
