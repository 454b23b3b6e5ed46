"""The past over HTTP: an order as it stood, what changed between two moments, and no answer that could be mistaken for another."""

from pathlib import Path
from typing import Any

import pytest

from orderstore.domain import decisions
from orderstore.store.memory import MemoryEventStore
from projections.http.documents import EVENTS_SHOWN_MAX
from tests.builders import PAID_AT_ONCE
from tests.orderstore.audit.clocked import ORDER, START_MS, Clocks, at, commits_of
from tests.projections.histories import HAPPY, groups_of
from tests.projections.http.api import TENANT, Api, running
from tests.projections.http.stories import NOWHERE, dispatched, invoiced

DOCS = Path(__file__).parents[3] / "docs" / "time-travel.md"
GROUPS = groups_of(HAPPY)
SECOND: Clocks = [(1_000 * n, [1_000 * n - 500]) for n in range(len(GROUPS))]


async def logged(clocks: Clocks = SECOND) -> MemoryEventStore:
    """An order's whole life, with clocks of its own: each event half a second older than its commit."""
    store = MemoryEventStore()
    for commit in commits_of(GROUPS[: len(clocks)], clocks, tenant=TENANT):
        await store.append(commit)
    return store


def time(ms: float) -> str:
    return at(ms).isoformat()


async def then(api: Api, **asked: Any) -> dict[str, Any]:
    response = await api.get(f"/orders/{ORDER}", **asked)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


async def test_the_order_after_each_commit_is_what_it_was_then() -> None:
    """Each answer is taken while the order is at that commit, and asked for again when it is long past."""  # B19
    async with running() as api:
        order_id = await api.place()
        at_the_time = [(await api.get(f"/orders/{order_id}?consistency=strong")).json()]
        await api.record(order_id, decisions.complete_payment, purpose="payment-outcome", outcome=PAID_AT_ONCE)
        at_the_time.append((await api.get(f"/orders/{order_id}?consistency=strong")).json())
        await api.post(f"/orders/{order_id}/cancel")

        for number, known in enumerate(at_the_time, start=1):
            past = (await api.get(f"/orders/{order_id}", atCommit=number)).json()
            assert past.pop("asOf") == {
                "asked": {"commit": number, "time": None, "clock": None},
                "commit": number,
                "version": known["version"],
            }
            assert past.pop("publication") is None
            known.pop("publication")
            assert past == known


async def test_the_past_never_speaks_of_publication() -> None:
    """The log does not hold when an event was published: not pending, not published, but nothing, whatever the relay's mark is."""  # K3
    async with running(store=await logged()) as api:
        for mark_ms in (None, 0, START_MS + 10**9):
            api.published_through_ms = mark_ms
            assert (await then(api, atCommit=2))["publication"] is None
            assert (await then(api, atCommit=len(GROUPS)))["publication"] is None


async def test_as_of_a_time_by_either_clock() -> None:
    """Recorded is what could be known; occurred is what was so. Recorded when nothing is said."""
    async with running(store=await logged()) as api:
        by_default = await then(api, asOf=time(1_700))
        recorded = await then(api, asOf=time(1_700), clock="recorded")
        occurred = await then(api, asOf=time(1_700), clock="occurred")

        assert by_default == recorded
        assert recorded["asOf"] == {
            "asked": {"commit": None, "time": "2026-03-01T12:00:01.700Z", "clock": "recorded"},
            "commit": 2,
            "version": 2,
        }
        assert (occurred["asOf"]["commit"], occurred["asOf"]["asked"]["clock"]) == (3, "occurred")
        assert (recorded["status"], occurred["status"]) == ("RECEIVED", "CONFIRMED")


async def test_any_offset_and_fraction_is_the_moment_that_it_is() -> None:
    """A microsecond before the commit it had not been written down; the answer says how the question was understood."""
    async with running(store=await logged()) as api:
        for asked, commit, understood in (
            ("2026-03-01T13:00:01+01:00", 2, "2026-03-01T12:00:01.000Z"),
            ("2026-03-01t12:00:01z", 2, "2026-03-01T12:00:01.000Z"),
            ("2026-03-01T12:00:00.999999Z", 1, "2026-03-01T12:00:00.999999Z"),
            ("2026-03-01T06:30:00.9999999-05:30", 1, "2026-03-01T12:00:00.999999Z"),
        ):
            found = (await then(api, asOf=asked))["asOf"]
            assert (found["commit"], found["asked"]["time"]) == (commit, understood)


async def test_a_clock_that_was_fast_never_makes_an_order_that_never_was() -> None:
    """The payment says a minute later than the confirmation that builds on it: until then neither has happened."""
    async with running(store=await logged([(0, [0]), (60_000, [60_000]), (1_000, [1_000])])) as api:
        between = await then(api, asOf=time(30_000))
        after = await then(api, asOf=time(60_000))

        assert (between["status"], between["payment"]["status"], between["asOf"]["commit"]) == (
            "RECEIVED",
            "PENDING",
            1,
        )
        assert (after["status"], after["asOf"]["commit"]) == ("CONFIRMED", 3)


@pytest.mark.parametrize("query", [{"asOf": time(-1)}, {"asOf": time(-600), "clock": "occurred"}, {"atCommit": 0}])
async def test_before_it_began_there_was_no_order(query: dict[str, Any]) -> None:
    """404, and when it began: not an empty order, and not the same 404 as of an order that never was."""
    async with running(store=await logged()) as api:
        response = await api.get(f"/orders/{ORDER}", **query)
        problem = response.json()

        assert (response.status_code, problem["code"]) == (404, "not_begun")
        assert problem["began"] == {
            "commit": 1,
            "version": 1,
            "recordedAt": "2026-03-01T12:00:00.000Z",
            "occurredAt": "2026-03-01T11:59:59.500Z",
        }
        assert "2026-03-01T12:00:00.000Z" in problem["detail"]
        assert (await api.get(f"/orders/{NOWHERE}", **query)).json()["code"] == "unknown_order"


async def test_a_commit_beyond_the_head_is_not_answered_with_the_head() -> None:
    """404 that says how far the order has come."""
    async with running(store=await logged()) as api:
        for path in (f"/orders/{ORDER}?atCommit=9", f"/orders/{ORDER}/changes?from=1&to=9"):
            response = await api.get(path)
            problem = response.json()

            assert (response.status_code, problem["code"]) == (404, "unknown_commit")
            assert problem["head"] == {"commit": 8, "version": 10}
            assert "commit 9" in problem["detail"]


async def test_the_past_is_read_from_the_log_also_while_the_view_is_behind() -> None:
    """And while it cannot be read at all."""
    async with running() as api:
        api.views.held = True
        order_id = await api.place()

        assert (await api.get(f"/orders/{order_id}?atCommit=1")).json()["status"] == "RECEIVED"


CONTRADICTIONS: list[tuple[str, list[str]]] = [
    ("?asOf=2026-03-01T12:00:00Z&atCommit=1", ["asOf", "atCommit"]),
    ("?clock=recorded", ["clock"]),
    ("?atCommit=1&clock=occurred", ["clock"]),
    ("?consistency=eventual&atCommit=1", ["consistency", "atCommit"]),
    ("?consistency=eventual&asOf=2026-03-01T12:00:00Z", ["consistency", "asOf"]),
    ("?atCommit=1&atCommit=2", ["atCommit"]),
    ("?asOf=2026-03-01T12:00:00Z&asOf=2026-03-01T12:00:00Z", ["asOf"]),
    ("?atCommit=-1", ["atCommit"]),
    ("?atCommit=1.5", ["atCommit"]),
    (f"?atCommit={'9' * 5000}", ["atCommit"]),
    ("?atCommit=", ["atCommit"]),
    ("?asOf=", ["asOf"]),
    ("?asOf=yesterday", ["asOf"]),
    ("?asOf=2026-03-01", ["asOf"]),
    ("?asOf=2026-03-01T12:00:00", ["asOf"]),
    ("?asOf=2026-03-01T12:00:00+01:00", ["asOf"]),  # the + is a blank there
    ("?asOf=2026-03-01T12:00:00Z&clock=published", ["clock"]),
    ("?asof=2026-03-01T12:00:00Z", ["asof"]),
    ("/changes", ["from", "to"]),
    ("/changes?from=1", ["to"]),
    ("/changes?from=1&to=", ["to"]),
    ("/changes?from=1&to=x", ["to"]),
    ("/changes?from=-1&to=2", ["from"]),
    ("/changes?from=1&to=2&clock=recorded", ["clock"]),
    ("/changes?from=1&to=2&to=3", ["to"]),
    ("/changes?from=1&to=2&limit=3", ["limit"]),
    ("/events?type=OrderCreate", ["type"]),
    ("/events?type=OrderCreated&type=", ["type"]),
    (f"/events?type={'x' * 5000}", ["type"]),
    ("/events?actorType=robot", ["actorType"]),
    ("/events?actorId=", ["actorId"]),
    ("/events?recordedFrom=2026-03-02T00:00:00Z&recordedTo=2026-03-01T00:00:00Z", ["recordedFrom", "recordedTo"]),
    ("/events?occurredFrom=2026-03-01T00:00:00Z&occurredTo=2026-03-01T00:00:00Z", ["occurredFrom", "occurredTo"]),
    ("/events?occurredTo=tomorrow", ["occurredTo"]),
    ("/events?actorId=a&actorId=b", ["actorId"]),
    ("/events?actor=alice", ["actor"]),
]


@pytest.mark.parametrize(("rest", "parameters"), CONTRADICTIONS, ids=[rest[:60] for rest, _ in CONTRADICTIONS])
async def test_what_contradicts_itself_or_cannot_be_meant_is_refused_by_name(rest: str, parameters: list[str]) -> None:
    """400, never a guess; before the order is even looked for."""
    async with running() as api:
        response = await api.get(f"/orders/{NOWHERE}{rest}")

        assert response.status_code == 400, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert [error["parameter"] for error in response.json()["errors"]] == parameters


async def test_a_consistency_that_agrees_is_no_contradiction() -> None:
    """The past is read strongly anyway."""
    async with running(store=await logged()) as api:
        assert (await then(api, atCommit=1, consistency="strong"))["version"] == 1


async def test_changes_say_what_changed_who_did_it_and_what_lies_between() -> None:
    """From a commit to a time, field by field."""
    async with running(store=await logged()) as api:
        found = (await api.get(f"/orders/{ORDER}/changes", **{"from": "1", "to": time(2_000)})).json()

        assert (found["from"]["commit"], found["to"]["commit"], found["to"]["version"]) == (1, 3, 4)
        assert found["from"]["asked"] == {"commit": 1, "time": None, "clock": None}
        assert found["to"]["asked"] == {"commit": None, "time": "2026-03-01T12:00:02.000Z", "clock": "recorded"}
        assert found["direction"] == "forward"
        assert [(change["field"], change["old"], change["new"]) for change in found["fields"]] == [
            ("status", "RECEIVED", "CONFIRMED"),
            ("payment.status", "PENDING", "AUTHORIZED"),
            ("inventory.status", "PENDING", "RESERVED"),
        ]
        paid = found["fields"][1]
        assert (paid["commit"], paid["version"], paid["eventType"]) == (2, 2, "PaymentCompleted")
        assert paid["actor"] == {"type": "service", "id": "payment"}
        assert (paid["recordedAt"], paid["occurredAt"]) == ("2026-03-01T12:00:01.000Z", "2026-03-01T12:00:00.500Z")
        assert [event["version"] for event in found["events"]] == [2, 3, 4]
        assert paid["eventId"] == found["events"][0]["eventId"]
        assert found["eventsOmitted"] == 0


async def test_changes_turned_round_are_taken_back() -> None:
    """The same fields and events; old and new exchanged. Between a moment and itself there is nothing."""
    async with running(store=await logged()) as api:
        there = (await api.get(f"/orders/{ORDER}/changes?from=1&to=3")).json()
        back = (await api.get(f"/orders/{ORDER}/changes?from=3&to=1")).json()
        same = (await api.get(f"/orders/{ORDER}/changes", **{"from": "3", "to": time(2_999)})).json()

        assert (there["direction"], back["direction"], same["direction"]) == ("forward", "backward", "none")
        assert [{**change, "old": change["new"], "new": change["old"]} for change in back["fields"]] == there["fields"]
        assert back["events"] == there["events"]
        assert (same["fields"], same["events"]) == ([], [])


async def test_changes_by_the_clock_of_what_occurred() -> None:
    """The clock is that of both times."""
    async with running(store=await logged()) as api:
        asked = {"from": time(0), "to": time(600)}
        recorded = (await api.get(f"/orders/{ORDER}/changes", **asked)).json()
        occurred = (await api.get(f"/orders/{ORDER}/changes", **asked, clock="occurred")).json()

        assert (recorded["from"]["commit"], recorded["to"]["commit"]) == (1, 1)
        assert (occurred["from"]["commit"], occurred["to"]["commit"]) == (1, 2)


async def test_changes_from_before_the_beginning_are_the_whole_order() -> None:
    """Here that is no 404: nothing is a good place to compare with."""
    async with running(store=await logged()) as api:
        for start in ("0", time(-10_000)):
            found = (await api.get(f"/orders/{ORDER}/changes", **{"from": start, "to": "1"})).json()

            assert (found["from"]["commit"], found["from"]["version"]) == (0, 0)
            assert {change["old"] for change in found["fields"]} == {None}
            assert "customerId" in {change["field"] for change in found["fields"]}
        assert (await api.get(f"/orders/{NOWHERE}/changes?from=0&to=1")).json()["code"] == "unknown_order"


@pytest.mark.thorough
async def test_very_many_events_are_shown_in_part_and_counted() -> None:
    """The answer is bounded; the fields are those of all of them."""
    async with running() as api:
        order_id = await dispatched(api, items=[{"sku": "S", "quantity": 200, "price": "4.50"}])
        for _ in range(EVENTS_SHOWN_MAX):
            refund = {"lines": [{"line": 0, "quantity": 1}]}
            assert (await api.post(f"/orders/{order_id}/refunds", refund)).status_code == 202
        found = (await api.get(f"/orders/{order_id}/changes?from=0&to=105")).json()

        assert len(found["events"]) == EVENTS_SHOWN_MAX
        assert found["eventsOmitted"] == found["to"]["version"] - EVENTS_SHOWN_MAX == 6
        (pending,) = [change for change in found["fields"] if change["field"] == "payment.refundPendingMinor"]
        assert (pending["new"], pending["commit"]) == (450 * EVENTS_SHOWN_MAX, 105)


async def test_nothing_personal_is_in_any_of_it() -> None:
    """Neither the plain text nor the sealed one."""  # D31, K1
    async with running() as api:
        order_id = await invoiced(api, customerName="Jane Doe")
        await api.post(f"/orders/{order_id}/refunds", {"lines": [{"line": 1, "quantity": 1}], "reason": "Doe fell ill"})
        for rest in ("?atCommit=7", "/changes?from=0&to=7", "/events?type=OrderCreated&type=RefundRequested"):
            text = (await api.get(f"/orders/{order_id}{rest}")).text
            for secret in ("jane@example.com", "Jane Doe", "Doe fell ill", "SEALED", "ciphertext"):
                assert secret not in text, rest


@pytest.mark.parametrize("line", [line for line in DOCS.read_text().splitlines() if line.startswith("GET /orders/")])
async def test_the_examples_of_the_documentation_work_as_they_stand(line: str) -> None:
    """Who copies one, with an order of their own, gets an answer."""
    async with running(store=await logged()) as api:
        response = await api.get(line.removeprefix("GET ").replace("{orderId}", ORDER))

        assert response.status_code == 200, response.text


async def test_the_past_is_for_readers() -> None:
    """As everything else."""
    async with running(store=await logged()) as api:
        for rest in ("?atCommit=1", "/changes?from=0&to=1", "/events?actorType=service"):
            assert (await api.get(f"/orders/{ORDER}{rest}", token=None)).status_code == 401
