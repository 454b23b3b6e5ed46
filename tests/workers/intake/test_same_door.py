"""What the API refuses, the intake refuses, in the same words; what the API takes, the intake takes as the same order."""

import json
from typing import Any

import pytest

from tests.projections.http.api import ARTICLE, running
from tests.projections.http.test_refused_bodies import REFUSED
from tests.workers.intake.intake_world import IntakeWorld, event
from workers.intake.reports import ACCEPTED, REJECTED

# Where the API answers the sender alone with more than others may read: a sum, and the characters of an address that are wrong.
REWORDED = ("", "/customerEmail")


@pytest.mark.parametrize(("body"), [pytest.param(body, id=name) for name, body, *_ in REFUSED])
async def test_a_refusal_has_the_api_s_code_detail_and_reasons(body: Any) -> None:
    """Field by field, pointer by pointer."""  # B02, K7
    async with running() as api:
        problem = (await api.send(json.dumps(body).encode())).json()
    world = IntakeWorld()
    await world.handle(event(body))
    (report,) = world.reports.sent

    assert report.detail_type == REJECTED
    assert (report.detail["code"], report.detail["detail"]) == (problem["code"], problem["detail"])
    theirs, ours = problem.get("errors", []), report.detail.get("errors", [])
    assert [error["code"] for error in ours] == [error["code"] for error in theirs]
    plain = [(error["pointer"], error["detail"]) for error in theirs if error["pointer"] not in REWORDED]
    told = {(error["pointer"], error["detail"]) for error in ours}
    assert [it for it in plain if it not in told and it[1] != "there is no such field"] == []


async def test_what_is_taken_is_the_same_order() -> None:
    """But for who sent it, by which way and when, the first event of the order says the same."""  # K7
    async with running() as api:
        order_id = (await api.post("/orders", ARTICLE)).json()["orderId"]
        theirs = (await api.orders.load(order_id)).events[0].event
    world = IntakeWorld()
    await world.handle(event(ARTICLE))
    (report,) = world.reports.sent
    ours = (await world.orders.load(report.detail["orderId"])).events[0].event

    assert report.detail_type == ACCEPTED
    for field in ("lines", "currency", "total_exact", "total_minor", "customer_id", "country", "reference", "hooks"):
        assert getattr(ours, field) == getattr(theirs, field), field
