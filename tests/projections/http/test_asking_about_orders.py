"""Reading: views that follow the log, the log itself where it is asked for, pages with bounds, nothing personal."""

import pytest

from orderstore.domain import decisions
from orderstore.domain import events as e
from projections.http.services import ViewsUnavailable
from tests.builders import PAID_AT_ONCE
from tests.projections.http.api import ARTICLE, running
from tests.projections.http.stories import NOWHERE, dispatched, invoiced


async def test_the_view_and_the_log_say_the_same() -> None:
    """`strong` folds the log with the view's own function: once the view has caught up, no member differs."""  # B19
    async with running() as api:
        order_id = await invoiced(api)
        eventual = await api.get(f"/orders/{order_id}")
        strong = await api.get(f"/orders/{order_id}?consistency=strong")

        assert (eventual.status_code, strong.status_code) == (200, 200)
        assert eventual.json() == strong.json()
        assert strong.json()["status"] == "IN_FULFILMENT"
        assert strong.json()["invoiceNumbers"] == ["INV-000001"]


async def test_an_order_that_the_view_has_not_seen_yet_is_found_in_the_log() -> None:
    """Eventual: 404 with a hint. Strong: the order."""
    async with running() as api:
        api.views.held = True
        order_id = await api.place()
        eventual = await api.get(f"/orders/{order_id}")
        strong = await api.get(f"/orders/{order_id}?consistency=strong")

        assert (eventual.status_code, eventual.json()["code"]) == (404, "unknown_order")
        assert "consistency=strong" in eventual.json()["hint"]
        assert (strong.status_code, strong.json()["status"]) == (200, "RECEIVED")

        api.views.held = False
        assert (await api.get(f"/orders/{order_id}")).json() == strong.json()


@pytest.mark.parametrize("query", ["", "?consistency=strong"])
async def test_publication_is_told_in_the_articles_words(query: str) -> None:
    """ORDER_RECEIVED until the relay's mark has passed the order's last event, EVENT_PUBLISHED after; a mark proves nothing of its own
    millisecond."""  # E040, E041, K3
    async with running() as api:
        order_id = await api.place()
        recorded_at_ms = (await api.orders.load(order_id)).events[-1].recorded_at_ms
        told = []
        for mark_ms in (None, recorded_at_ms - 1, recorded_at_ms, recorded_at_ms + 1):
            api.published_through_ms = mark_ms
            publication = (await api.get(f"/orders/{order_id}{query}")).json()["publication"]
            told.append((publication["status"], publication["state"]))

        assert told == [("pending", "ORDER_RECEIVED")] * 3 + [("published", "EVENT_PUBLISHED")]


async def test_a_new_event_is_pending_again() -> None:
    """Publication is a property of the last event, not of the order for ever."""
    async with running() as api:
        order_id = await api.place()
        api.published_through_ms = api.clock()
        before = (await api.get(f"/orders/{order_id}")).json()["publication"]["status"]
        await api.record(order_id, decisions.complete_payment, purpose="payment-outcome", outcome=PAID_AT_ONCE)
        after = (await api.get(f"/orders/{order_id}")).json()["publication"]["status"]

        assert (before, after) == ("published", "pending")


async def test_history_is_readable_and_has_nothing_personal() -> None:
    """Every event with its place, time, author and cause; not the sealed text, nor the plain one, nor a hash of it."""  # B19, D31, K1
    async with running() as api:
        order_id = await dispatched(api, customerName="Jane Doe")
        response = await api.get(f"/orders/{order_id}/events")
        items = response.json()["items"]

        assert [item["version"] for item in items] == list(range(1, len(items) + 1))
        assert [item["eventType"] for item in items] == [
            "OrderCreated",
            "PaymentCompleted",
            "InventoryReserved",
            "OrderConfirmed",
            "ShipmentCreated",
            "ShipmentDispatched",
        ]
        assert items[0]["data"]["totalAmount"] == "900.00"
        assert items[1]["actor"] == {"type": "service", "id": "payment"}
        assert items[1]["causationId"] == items[0]["eventId"]
        order = (await api.orders.load(order_id)).events[0].event
        assert isinstance(order, e.OrderCreated)
        assert order.contact is not None
        for secret in ("jane@example.com", "Jane Doe", order.contact.ciphertext, "SEALED", order.request_hash):
            assert secret not in response.text


async def test_history_is_paged_by_version() -> None:
    """Walking the pages gives every event once; the last page says that it is the last."""
    async with running() as api:
        order_id = await dispatched(api)
        versions: list[int] = []
        pages = 0
        after: int | None = 0
        while after is not None:
            page = (await api.get(f"/orders/{order_id}/events", after=after, limit=2)).json()
            assert len(page["items"]) <= 2
            pages += 1
            versions += [item["version"] for item in page["items"]]
            after = page["nextAfter"]
        beyond = (await api.get(f"/orders/{order_id}/events", after=10**9)).json()

        assert versions == [1, 2, 3, 4, 5, 6]
        assert pages == 3
        assert (beyond["items"], beyond["nextAfter"]) == ([], None)


async def test_a_customers_orders_are_paged_without_loss_or_repeat() -> None:
    """Seven orders in pages of three, and none of anybody else's."""
    async with running() as api:
        mine = {await api.place(customerId="me/1") for _ in range(7)}
        await api.place(customerId="me")
        found: list[str] = []
        cursor: str | None = None
        sizes = []
        while True:
            asked = {"customerId": "me/1", "limit": 3} | ({} if cursor is None else {"cursor": cursor})
            page = (await api.get("/orders", **asked)).json()
            sizes.append(len(page["items"]))
            found += [item["orderId"] for item in page["items"]]
            cursor = page["nextCursor"]
            if cursor is None:
                break

        assert sizes == [3, 3, 1]
        assert set(found) == mine
        assert len(found) == 7
        assert all("publication" in item for item in page["items"])


async def test_an_unknown_customer_has_an_empty_list() -> None:
    """That is an answer, not an error."""
    async with running() as api:
        assert (await api.get("/orders", customerId="nobody")).json() == {"items": [], "nextCursor": None}


BAD_QUERIES = [
    ("/orders", "customerId"),
    ("/orders?customerId=", "customerId"),
    (f"/orders?customerId={'c' * 129}", "customerId"),
    ("/orders?customerId=c&limit=0", "limit"),
    ("/orders?customerId=c&limit=101", "limit"),
    ("/orders?customerId=c&limit=1e1", "limit"),
    (f"/orders?customerId=c&limit={'9' * 5000}", "limit"),
    ("/orders?customerId=c&cursor=", "cursor"),
    ("/orders?customerId=c&cursor=nonsense", "cursor"),
    ("/orders?customerId=c&cursor=WyIxIiwieCJd", "cursor"),
    ("/orders?customerId=c&cursor=%00", "cursor"),
    ("/orders?customerId=c&cursor=%ED%A0%80", "cursor"),
    (f"/orders?customerId=c&cursor={'a' * 5000}", "cursor"),
    ("/orders?customerId=c&sort=asc", "sort"),
    (f"/orders/{NOWHERE}?consistency=maybe", "consistency"),
    (f"/orders/{NOWHERE}?consitency=strong", "consitency"),
    (f"/orders/{NOWHERE}/events?after=-1", "after"),
    (f"/orders/{NOWHERE}/events?after=99999999999999999999", "after"),
    (f"/orders/{NOWHERE}/events?limit=101", "limit"),
    ("/invoices/-", "invoiceNumber"),
    (f"/invoices/{'1' * 65}", "invoiceNumber"),
]


@pytest.mark.parametrize(("path", "parameter"), BAD_QUERIES)
async def test_a_parameter_out_of_bounds_is_named(path: str, parameter: str) -> None:
    """400, never 500, never silently something else than was asked."""
    async with running() as api:
        response = await api.get(path)

        assert response.status_code == 400
        assert response.headers["content-type"] == "application/problem+json"
        assert [error["parameter"] for error in response.json()["errors"]] == [parameter]


@pytest.mark.parametrize("rest", ["", "?consistency=strong", "/events", "/invoices"])
@pytest.mark.parametrize("order_id", [NOWHERE, "1", "..%2f..", NOWHERE + "0", "%00", NOWHERE.replace("-", "")])
async def test_an_order_that_is_not_there_is_not_found(order_id: str, rest: str) -> None:
    """404, whatever was asked of it and however it is spelt."""
    async with running() as api:
        response = await api.get(f"/orders/{order_id}{rest}")

        assert response.status_code == 404
        assert response.json()["code"] in {"unknown_order", "not_found"}


async def test_an_order_id_in_capitals_is_the_same_order() -> None:
    """UUIDs are compared without regard to case (RFC 9562)."""
    async with running() as api:
        order_id = await api.place()

        assert (await api.get(f"/orders/{order_id.upper()}?consistency=strong")).json()["orderId"] == order_id


async def test_invoices_are_found_by_order_and_by_number() -> None:
    """The same document both ways; before there is one, an empty list."""
    async with running() as api:
        order_id = await invoiced(api, number=7)
        waiting = await api.place()
        by_order = (await api.get(f"/orders/{order_id}/invoices")).json()
        by_number = (await api.get("/invoices/INV-000007")).json()

        assert by_order == {"orderId": order_id, "items": [by_number]}
        assert (by_number["orderId"], by_number["total"], len(by_number["lines"])) == (order_id, "900.00", 2)
        assert (await api.get(f"/orders/{waiting}/invoices")).json()["items"] == []
        assert (await api.get("/invoices/INV-000008")).json()["code"] == "unknown_invoice"


async def test_views_that_cannot_be_read_are_no_missing_order() -> None:
    """503 with a time to come back, not 404; the log still answers."""
    async with running() as api:
        order_id = await api.place()
        api.views.failure = ViewsUnavailable("secret host name")
        eventual = await api.get(f"/orders/{order_id}")

        assert (eventual.status_code, eventual.headers["retry-after"]) == (503, "5")
        assert "secret" not in eventual.text
        assert (await api.get(f"/orders/{order_id}?consistency=strong")).status_code == 200


async def test_the_articles_request_is_shown_without_its_mail_address() -> None:
    """The status is for screens that many see."""
    async with running() as api:
        order_id = await api.place()

        assert ARTICLE["customerEmail"] not in (await api.get(f"/orders/{order_id}")).text
