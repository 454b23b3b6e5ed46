"""What the API reads: one tenant's documents, lists page by page, and cursors that cannot be made up."""

import base64
from contextlib import suppress

import anyio
import orjson
import pytest

from projections.answers.cursors import Position, decode_cursor, encode_cursor
from projections.answers.orders import open_queries, status_in
from projections.answers.ports import InvalidCursor, OrderDocuments, ViewsUnavailable
from projections.view_store import Stored, UnreadableDocument, ViewStoreThrottled, ViewStoreUnavailable
from projections.view_store.memory import MemoryViewStore
from projections.views import VIEWS, order_status
from projections.views.view import Generations
from tests.builders import NOON
from tests.projections.histories import ORDER, commits_for, groups_of, happy_commits, order_number, recorded_of
from tests.projections.lagging import project, targets_in
from tests.projections.read_side import ReadSide
from tests.virtual_time import run_virtual

LIST = "main/order_status/customer/customer-1"


async def filled() -> ReadSide:
    side = ReadSide()
    commits = happy_commits()
    for index in range(25):
        placed_at = NOON.replace(minute=index)
        commits += commits_for(
            groups_of((), order_id=order_number(index), placed_at=placed_at), order_id=order_number(index)
        )
    guest = order_number(99)
    commits += commits_for(groups_of((), order_id=guest, customer_id=None), order_id=guest)
    await side.append(commits)
    await side.deliver(*commits)
    return side


def test_an_order_and_its_invoice_are_found() -> None:
    """By order, and the invoice by its number too; what is not there is None or empty."""

    async def scenario() -> None:
        queries = await open_queries((await filled()).views, tenant="main")

        assert (await queries.order_status(ORDER))["status"] == "COMPLETED"
        [invoice] = await queries.invoices_of_order(ORDER)
        assert invoice["orderId"] == ORDER
        assert await queries.invoice(invoice["invoiceNumber"]) == invoice
        assert await queries.order_status("unknown") is None
        assert await queries.order_and_invoices(ORDER) == OrderDocuments(await queries.order_status(ORDER), [invoice])
        assert await queries.order_and_invoices("unknown") == OrderDocuments(None, [])
        statuses = await queries.order_statuses([ORDER, order_number(1), "unknown"])
        assert {order_id: status["orderId"] for order_id, status in statuses.items()} == {
            ORDER: ORDER,
            order_number(1): order_number(1),
        }
        assert await queries.order_statuses([]) == {}
        assert list(await queries.invoices_of_order(order_number(1))) == []
        assert await queries.invoice("INV-2026-000000") is None

    run_virtual(scenario)


def test_a_customers_orders_come_newest_first_each_once() -> None:
    """Pages of seven over 26 orders, and then the end."""

    async def scenario() -> None:
        queries = await open_queries((await filled()).views, tenant="main")
        seen: list[dict] = []
        cursor = None
        for page_size in (7, 7, 7, 7):
            page = await queries.orders_of_customer("customer-1", cursor, page_size)
            seen += page.items
            cursor = page.next_cursor
        assert cursor is None
        assert len({order["orderId"] for order in seen}) == len(seen) == 26
        assert [order["placedAt"] for order in seen] == sorted((order["placedAt"] for order in seen), reverse=True)
        assert (await queries.orders_of_customer("nobody", None, 10)).items == []

    run_virtual(scenario)


def test_another_tenant_sees_nothing() -> None:
    """Neither by id, nor by list, nor with a cursor of this tenant, which is refused."""

    async def scenario() -> None:
        side = await filled()
        ours, theirs = await open_queries(side.views, tenant="main"), await open_queries(side.views, tenant="other")
        cursor = (await ours.orders_of_customer("customer-1", None, 3)).next_cursor

        assert await theirs.order_status(ORDER) is None
        assert list(await theirs.invoices_of_order(ORDER)) == []
        assert (await theirs.orders_of_customer("customer-1", None, 10)).items == []
        with pytest.raises(InvalidCursor):
            await theirs.orders_of_customer("customer-1", cursor, 10)

    run_virtual(scenario)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "%%%",
        "a",
        "x" * 5_000,
        base64.urlsafe_b64encode(b"not json").decode(),
        base64.urlsafe_b64encode(orjson.dumps(["a"])).decode(),
        base64.urlsafe_b64encode(orjson.dumps(["a", 1])).decode(),
        base64.urlsafe_b64encode(orjson.dumps(["", "b"])).decode(),
        base64.urlsafe_b64encode(orjson.dumps({"a": "b"})).decode(),
        base64.urlsafe_b64encode(orjson.dumps([2, "00000000", "sort", "id"])).decode(),
        encode_cursor("another list", Position("sort", "id")),
        encode_cursor(LIST, Position("", "id")),
        encode_cursor(LIST, Position("s" * 1_025, "id")),
        encode_cursor(LIST, Position("ö" * 513, "id")),
        encode_cursor(LIST, Position("sort", "")),
        encode_cursor(LIST, Position("sort", "a/b")),
        encode_cursor(LIST, Position("sort", "i" * 129)),
        "é",
    ],
)
def test_a_cursor_that_was_made_up_is_refused(cursor: str) -> None:
    """It never reaches the database."""
    with pytest.raises(InvalidCursor):
        decode_cursor(LIST, cursor)


def test_a_cursor_of_the_earlier_form_is_refused_in_words() -> None:
    """It held a generation's key; who still has one begins again, and is told why."""
    earlier = base64.urlsafe_b64encode(orjson.dumps(["2026-03-01/x", "g1/order_status/main/x"])).decode().rstrip("=")
    with pytest.raises(InvalidCursor, match="earlier form"):
        decode_cursor(LIST, earlier)


def test_a_cursor_keeps_its_place() -> None:
    """Any text survives the way out and back, in characters that fit a URL."""
    position = Position("2026-03-01T12:00:00.000Z/ö", "☃")

    cursor = encode_cursor(LIST, position)

    assert decode_cursor(LIST, cursor) == position
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?# ")


@pytest.mark.parametrize("error", [ViewStoreThrottled("slow"), ViewStoreUnavailable("away")])
def test_a_store_that_is_away_is_said_in_the_apis_words(error) -> None:
    """Every question answers with ViewsUnavailable, so that the API says 503."""

    class Away(MemoryViewStore):
        async def get(self, keys):
            raise error

        async def listed(self, list_key, **options):
            raise error

    async def scenario() -> None:
        queries = await open_queries(Away(), tenant="main")
        for question in (
            lambda: queries.order_status(ORDER),
            lambda: queries.order_and_invoices(ORDER),
            lambda: queries.invoice("INV-1"),
            lambda: queries.orders_of_customer("c", None, 1),
        ):
            with pytest.raises(ViewsUnavailable):
                await question()

    run_virtual(scenario)


async def switched(side: ReadSide, before: Generations, after: Generations) -> None:
    """What a rebuild does at its end."""
    for view in VIEWS:
        assert await side.views.change_generations(view.name, before=before, after=after)


def test_a_switch_of_generation_is_seen_and_a_walk_over_the_pages_goes_on() -> None:
    """The next page is of the new generation, right where the page before ended: no order is lost or shown twice."""

    async def scenario() -> None:
        side = await filled()
        queries = await open_queries(side.views, tenant="main")
        first = await queries.orders_of_customer("customer-1", None, 10)
        begun = Generations(current=1, building=2)
        await switched(side, Generations(), begun)
        async for stream in side.store.streams():
            await project(side.store, side.views, stream, targets_in(2))
        await switched(side, begun, Generations(current=2, former=1))
        await anyio.sleep(1.1)
        await side.views.delete(
            [key async for key in side.views.keys("g1/")]
        )  # whoever still reads the former finds nothing

        second = await queries.orders_of_customer("customer-1", first.next_cursor, 10)
        third = await queries.orders_of_customer("customer-1", second.next_cursor, 10)

        seen = [order["orderId"] for page in (first, second, third) for order in page.items]
        assert len(seen) == len(set(seen)) == 26
        assert third.next_cursor is None
        assert (await queries.order_status(ORDER))["status"] == "COMPLETED"
        assert len(await queries.invoices_of_order(ORDER)) == 1

    run_virtual(scenario)


@pytest.mark.parametrize("hostile", [None, 7, "x", [], [1], {}, {"a": 1}, [[]], True])
def test_what_is_no_status_is_said_to_be_none(hostile) -> None:
    """Whatever stands in a document in place of one of its members: it is told, or it is unreadable, and nothing else comes of it."""
    view = None
    for recorded in recorded_of(happy_commits()):
        view = order_status.evolve(view, recorded)
    document = order_status.to_document(view)
    for name in [*document, "shipments", "cancelledMinor", "kept"]:
        broken = orjson.dumps({**document, name: hostile})
        with suppress(UnreadableDocument):
            status_in(Stored(key="k", commit=1, schema=order_status.SCHEMA, document=broken))
    for text in (orjson.dumps(hostile), orjson.dumps({"orderId": "o"})):
        with pytest.raises(UnreadableDocument):
            status_in(Stored(key="k", commit=1, schema=order_status.SCHEMA, document=text))
