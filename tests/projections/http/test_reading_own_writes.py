"""Read your writes over HTTP: every write names its commit, and a read that names it sees it, whatever the projector does."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderstore.domain import decisions
from projections.answers.fresh_reads import FreshReads
from projections.answers.ports import ViewsUnavailable
from tests.builders import PAID_AT_ONCE
from tests.projections.http.api import READER, WRITER, Api, bearer, running
from tests.projections.http.stories import NOWHERE, dispatched, invoiced
from tests.virtual_time import run_virtual

LATER = 4_000_000_000_000


def serving(scenario: Callable[[Api], Awaitable[None]]) -> None:
    """The whole API on a clock that jumps: waits cost nothing."""

    async def served() -> None:
        async with running() as api:
            await scenario(api)

    run_virtual(served)


async def answered(api: Api, path: str, **headers: str) -> Any:
    return await api.client.get(path, headers={**bearer(READER), **headers})


@pytest.mark.thorough
async def test_every_write_names_the_commit_that_it_made() -> None:
    """In its body and in a header; a repeat names the same one."""
    async with running() as api:
        placed = await api.post("/orders", ORDER_BODY, Idempotency_Key="k")
        again = await api.post("/orders", ORDER_BODY, Idempotency_Key="k")
        order_id = placed.json()["orderId"]
        held = await api.post(f"/orders/{order_id}/holds", {"holdId": "h", "reason": "address"})
        released = await api.post(f"/orders/{order_id}/holds/h/release", {})
        cancelled = await api.post(f"/orders/{order_id}/cancel", {})
        shipped = await dispatched(api)
        refunded = await api.post(f"/orders/{shipped}/refunds", {"lines": [{"line": 1, "quantity": 1}]})

        writes = [placed, again, held, released, cancelled, refunded]
        assert [write.json()["commit"] for write in writes] == [1, 1, 2, 3, 4, 6]
        assert [write.headers["order-commit"] for write in writes] == ["1", "1", "2", "3", "4", "6"]
        for write in writes:
            found = await api.get(f"/orders/{write.json()['orderId']}", minCommit=write.json()["commit"])
            assert found.status_code == 200


ORDER_BODY = {"currency": "USD", "items": [{"sku": "S", "quantity": 2, "price": "1.50"}]}


async def test_a_refused_write_names_no_commit() -> None:
    """It made none."""
    async with running() as api:
        order_id = await dispatched(api)
        for refused in (
            await api.post("/orders", {}),
            await api.post(f"/orders/{order_id}/cancel", {}),
            await api.post(f"/orders/{NOWHERE}/cancel", {}),
        ):
            assert refused.status_code >= 400
            assert "order-commit" not in refused.headers


@pytest.mark.parametrize(
    ("query", "source"),
    [("", "view"), ("?minCommit=2", "view"), ("?consistency=strong", "log"), ("?consistency=strong&minCommit=2", "log"),
     ("?consistency=eventual&minCommit=2", "view"), ("?atCommit=2", "log"), ("?asOf=2099-01-01T00:00:00Z", "log")],
)  # fmt: skip
async def test_an_answer_says_where_it_was_read_and_what_it_shows(query: str, source: str) -> None:
    """Of the present and of the past, and when there is nothing new to tell."""
    async with running() as api:
        order_id = await dispatched(api)
        shown = await answered(api, f"/orders/{order_id}{query}")
        api.published_through_ms = LATER
        unchanged = await answered(api, f"/orders/{order_id}{query}", **{"If-None-Match": "*"})

        commit = "2" if "atCommit" in query else "5"
        assert (shown.headers["order-source"], shown.headers["order-commit"]) == (source, commit)
        assert shown.json()["commit"] == int(commit)
        assert (unchanged.status_code, unchanged.headers["order-source"], unchanged.headers["order-commit"]) == (
            304,
            source,
            commit,
        )


def test_who_names_the_commit_of_a_write_sees_it_though_the_view_does_not() -> None:
    """After a bounded wait, from the log; without naming it the answer is the older one."""

    async def scenario(api: Api) -> None:
        order_id = await api.place()
        await api.get(f"/orders/{order_id}")
        api.views.held = True
        cancelled = await api.post(f"/orders/{order_id}/cancel", {})
        commit = cancelled.json()["commit"]
        began_s = anyio.current_time()
        fresh = await api.get(f"/orders/{order_id}", minCommit=commit)
        waited_s = anyio.current_time() - began_s
        stale = await api.get(f"/orders/{order_id}")
        at_once = await api.get(f"/orders/{order_id}", minCommit=commit, waitMs=0)

        assert (fresh.json()["status"], fresh.headers["order-source"]) == ("CANCELLING", "log")
        assert waited_s == pytest.approx(1)
        assert (stale.json()["status"], stale.headers["order-source"]) == ("RECEIVED", "view")
        assert anyio.current_time() == began_s + waited_s
        assert at_once.json() == fresh.json()
        assert [source for source, _ in api.measures.commit_reads] == ["log", "log"]

    serving(scenario)


def test_an_order_that_the_view_has_never_seen_is_there_for_its_writer() -> None:
    """Not a 404 with a hint: the order."""

    async def scenario(api: Api) -> None:
        api.views.held = True
        order_id = await api.place()
        unseen = await api.get(f"/orders/{order_id}")
        seen = await api.get(f"/orders/{order_id}?minCommit=1&waitMs=50")

        assert (unseen.status_code, unseen.json()["code"]) == (404, "unknown_order")
        assert "minCommit" in unseen.json()["hint"]
        assert (seen.status_code, seen.json()["status"]) == (200, "RECEIVED")

    serving(scenario)


def test_an_invoice_is_there_for_whoever_knows_of_its_commit() -> None:
    """The view of invoices is read when it has all of them, and the log when it has not."""

    async def scenario(api: Api) -> None:
        order_id = await dispatched(api)
        await api.get(f"/orders/{order_id}")
        api.views.held = True
        other = await invoiced(api, number=2)
        before = await api.get(f"/orders/{order_id}/invoices?minCommit=5")
        late = await api.get(f"/orders/{other}/invoices?minCommit=6&waitMs=100")
        api.views.held = False
        there = await api.get(f"/orders/{other}/invoices?minCommit=6")
        plain = await api.get(f"/orders/{other}/invoices")

        assert (before.json()["items"], before.headers["order-source"]) == ([], "view")
        assert [invoice["invoiceNumber"] for invoice in late.json()["items"]] == ["INV-000002"]
        assert (late.headers["order-source"], late.headers["order-commit"]) == ("log", "6")
        assert (there.json(), there.headers["order-source"]) == (late.json(), "view")
        assert (plain.json(), plain.headers["order-source"]) == (late.json(), "view")
        assert "order-commit" not in plain.headers

    serving(scenario)


@pytest.mark.parametrize("rest", ["?minCommit=9", "?minCommit=9&consistency=strong", "/invoices?minCommit=9"])
def test_a_commit_beyond_the_log_is_not_answered_with_less(rest: str) -> None:
    """404 that says how far the order has come; one for an order that is not there is another."""

    async def scenario(api: Api) -> None:
        order_id = await dispatched(api)
        refused = await api.get(f"/orders/{order_id}{rest}")

        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_commit")
        assert refused.json()["head"] == {"commit": 5, "version": 6}
        assert (await api.get(f"/orders/{NOWHERE}{rest}")).json()["code"] == "unknown_order"

    serving(scenario)


def test_views_that_are_away_are_the_logs_turn() -> None:
    """503 without a commit, the order with one."""

    async def scenario(api: Api) -> None:
        order_id = await api.place()
        api.views.failure = ViewsUnavailable("away")

        assert (await api.get(f"/orders/{order_id}")).status_code == 503
        assert (await api.get(f"/orders/{order_id}?minCommit=1")).json()["status"] == "RECEIVED"
        assert (await api.get(f"/orders/{order_id}/invoices?minCommit=1")).json()["items"] == []
        assert api.measures.failed_reads == ["views", "views"]

    serving(scenario)


def test_a_tag_and_a_commit_together() -> None:
    """304 says: still this version, and the commit that was named is in it. So it is never said of an older one."""

    async def scenario(api: Api) -> None:
        order_id = await api.place()
        api.published_through_ms = LATER
        first = await answered(api, f"/orders/{order_id}?minCommit=1")
        same = await answered(api, f"/orders/{order_id}?minCommit=1", **{"If-None-Match": first.headers["etag"]})
        api.views.held = True
        await api.record(order_id, decisions.complete_payment, purpose="payment-outcome", outcome=PAID_AT_ONCE)
        changed = await answered(api, f"/orders/{order_id}?minCommit=2", **{"If-None-Match": first.headers["etag"]})

        assert (same.status_code, same.headers["order-source"], same.headers["order-commit"]) == (304, "view", "1")
        assert (changed.status_code, changed.headers["etag"], changed.headers["order-source"]) == (200, '"2"', "log")

    serving(scenario)


CONTRADICTIONS: list[tuple[str, list[str]]] = [
    ("?minCommit=1&atCommit=1", ["minCommit", "atCommit"]),
    ("?minCommit=1&asOf=2026-03-01T12:00:00Z", ["minCommit", "asOf"]),
    ("?waitMs=10", ["waitMs"]),
    ("?waitMs=10&atCommit=1", ["waitMs"]),
    ("?minCommit=1&waitMs=10&consistency=strong", ["waitMs", "consistency"]),
    ("?minCommit=0", ["minCommit"]),
    ("?minCommit=-1", ["minCommit"]),
    ("?minCommit=1.5", ["minCommit"]),
    ("?minCommit=", ["minCommit"]),
    (f"?minCommit={'9' * 5000}", ["minCommit"]),
    ("?minCommit=1&waitMs=10001", ["waitMs"]),
    ("?minCommit=1&waitMs=-1", ["waitMs"]),
    ("?minCommit=1&minCommit=2", ["minCommit"]),
    ("?mincommit=1", ["mincommit"]),
    ("/invoices?waitMs=10", ["waitMs"]),
    ("/invoices?minCommit=0", ["minCommit"]),
    ("/invoices?minCommit=1&minCommit=1", ["minCommit"]),
    ("/invoices?consistency=strong", ["consistency"]),
    ("/events?minCommit=1", ["minCommit"]),
]


@pytest.mark.parametrize(("rest", "parameters"), CONTRADICTIONS, ids=[rest[:60] for rest, _ in CONTRADICTIONS])
async def test_what_cannot_be_meant_is_refused_by_name(rest: str, parameters: list[str]) -> None:
    """400, before anything is looked for or waited for."""
    async with running() as api:
        response = await api.get(f"/orders/{NOWHERE}{rest}")

        assert response.status_code == 400, response.text
        assert [error["parameter"] for error in response.json()["errors"]] == parameters


async def test_a_client_that_leaves_while_it_waits_leaves_nothing_behind() -> None:
    """Its place in the queue of those who wait is free again."""
    async with running() as api:
        fresh = FreshReads(api.views, api.orders, random=Random(1), waiters_max=1)
        order_id = await api.place()
        with anyio.move_on_after(0.01):
            await fresh.order(order_id, commit=2)

        assert fresh._looks.waiters == 0


@pytest.mark.thorough
@settings(deadline=None)
@given(
    steps=st.lists(
        st.sampled_from(["place", "cancel", "pay", "hold", "project", "stop", "go", "fail", "wait"]), max_size=12
    ),
    wait_ms=st.sampled_from([None, 0, 1, 300]),
)
def test_whatever_happens_in_between_a_writer_always_sees_its_writes(steps: list[str], wait_ms: int | None) -> None:
    """The projector stops, goes on, fails, or does nothing at all: each write is read back at once, with its commit or a later one."""

    async def scenario(api: Api) -> None:
        order_id = await api.place()
        for step in steps:
            match step:
                case "stop" | "go":
                    api.views.held = step == "stop"
                    continue
                case "fail":
                    api.views.failure = None if api.views.failure else ViewsUnavailable("away")
                    continue
                case "wait":
                    await anyio.sleep(1)
                    continue
                case "project":
                    held, api.views.held = api.views.held, False
                    await api.get(f"/orders/{order_id}")
                    api.views.held = held
                    continue
                case "pay":
                    await api.record(
                        order_id, decisions.complete_payment, purpose="payment-outcome", outcome=PAID_AT_ONCE
                    )
                    commit = (await api.orders.load(order_id)).events[-1].commit
                case "place":
                    order_id = await api.place()
                    commit = 1
                case _:
                    path = {"cancel": "cancel", "hold": "holds"}[step]
                    body = {"reason": "address"} if step == "hold" else {}
                    written = await api.post(f"/orders/{order_id}/{path}", body, token=WRITER)
                    if written.status_code >= 400:
                        continue
                    commit = written.json()["commit"]
            asked = {"minCommit": commit} | ({} if wait_ms is None else {"waitMs": wait_ms})
            began_s = anyio.current_time()
            for rest in ("", "/invoices"):
                read = await api.get(f"/orders/{order_id}{rest}", **asked)
                assert read.status_code == 200, read.text
                assert int(read.headers["order-commit"]) >= commit
            assert anyio.current_time() - began_s <= 2.001

    serving(scenario)
