"""Who did what, over HTTP: filters narrow the history, and its pages still give every event once."""

from typing import Any

import pytest

from tests.orderstore.audit.clocked import ORDER
from tests.projections.http.api import Api, running
from tests.projections.http.test_past_of_orders import logged, time

FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ({"actorType": "customer"}, [1, 6]),
    ({"actorId": "alice"}, [3, 4, 8]),
    ({"type": "OrderConfirmed"}, [4]),
    ({"type": ["OrderConfirmed", "OrderCreated"]}, [1, 4]),
    ({"source": "bank-service"}, [5, 9, 10]),
    ({"correlationId": ORDER, "type": "OrderCreated"}, [1]),
    ({"correlationId": "other"}, []),
    ({"causationId": "cause-3"}, [3, 4]),
    ({"recordedFrom": time(3_000)}, [5, 6, 7, 8, 9, 10]),
    ({"recordedTo": time(3_000)}, [1, 2, 3, 4]),
    ({"recordedFrom": time(1_000), "recordedTo": time(3_000)}, [2, 3, 4]),
    ({"occurredFrom": time(2_500), "occurredTo": time(4_500)}, [5, 6]),
    ({"occurredTo": time(2_500.001)}, [1, 2, 3, 4, 5]),
    ({"actorType": "operator", "recordedFrom": time(4_000)}, [8]),
    ({"actorType": "operator", "type": "OrderCreated"}, []),
]


async def walked(api: Api, limit: int, **filters: Any) -> list[list[int]]:
    """The versions on each page."""
    pages: list[list[int]] = []
    after: int | None = 0
    while after is not None:
        page = (await api.get(f"/orders/{ORDER}/events", after=after, limit=limit, **filters)).json()
        pages.append([item["version"] for item in page["items"]])
        assert len(pages) <= 20
        after = page["nextAfter"]
    return pages


@pytest.mark.parametrize(("filters", "versions"), FILTERS, ids=[" ".join(filters) or "none" for filters, _ in FILTERS])
async def test_filters_and_pages_go_together(filters: dict[str, Any], versions: list[int]) -> None:
    """However large the page: every event that passes once, none that does not, and the last page says that it is the last."""
    async with running(store=await logged()) as api:
        for limit in (1, 2, 3, 100):
            pages = await walked(api, limit, **filters)

            assert [version for page in pages for version in page] == versions
            assert all(len(page) == limit for page in pages[:-1]), "no page but the last is short"
            assert len(pages) == max(1, -(-len(versions) // limit)), "no empty page at the end"


async def test_a_page_begins_after_its_version_whether_that_passes_or_not() -> None:
    """A cursor is a place in history, so that it means the same with other filters."""
    async with running(store=await logged()) as api:
        for after, versions in ((0, [3, 4, 8]), (2, [3, 4, 8]), (3, [4, 8]), (5, [8]), (8, []), (10**9, [])):
            page = (await api.get(f"/orders/{ORDER}/events", after=after, actorId="alice")).json()

            assert [item["version"] for item in page["items"]] == versions
            assert page["nextAfter"] is None
