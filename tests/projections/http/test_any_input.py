"""Whatever is sent, the door answers 202 or 4xx, never 5xx; and what it took can be read back."""

import asyncio
import base64
import json
from typing import Any
from urllib.parse import quote
from zlib import crc32

import orjson
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.projections.http.api import ARTICLE, Api, running

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**30), max_value=10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Nd", "Zs"]), max_size=5)
    | st.datetimes().map(lambda moment: moment.isoformat() + "Z")
    | st.decimals(allow_nan=True).map(str)
    | st.sampled_from(["USD", "JPY", "KWD", "a@b.co", "0", "-0", "1E+3", "1_0", "", " ", "\ud800", "approved"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    "items", "currency", "customerId", "customerEmail", "customerName", "customerPhone", "customerAddress", "customerVatId",
    "country", "channel", "reference", "placedAt",
    "paymentOutcome", "inventoryOutcome", "simulateTechnicalFailure", "terms", "customer_id", "\ud800",
]  # fmt: skip
LINE_FIELDS = ["sku", "quantity", "price", "description", "Sku"]
LINES = st.dictionaries(st.sampled_from(LINE_FIELDS), SCALARS, max_size=4).map(
    lambda changes: {"sku": "S", "quantity": 1, "price": "2.50", **changes}
)
ALMOST_ORDERS = st.builds(
    lambda changes, lines: {**ARTICLE, **({"items": lines} if lines else {}), **changes},
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3),
    st.lists(LINES, max_size=3),
)
BODIES = (
    (VALUES | ALMOST_ORDERS).map(lambda document: json.dumps(document).encode())
    | ALMOST_ORDERS.map(lambda document: json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | st.binary(max_size=200)
)
NAMES = [
    "customerId", "cursor", "limit", "after", "consistency", "x", "asOf", "clock", "atCommit", "from", "to", "type", "actorType",
    "actorId", "source", "recordedFrom", "recordedTo", "occurredFrom", "occurredTo", "correlationId", "causationId",
    "minCommit", "waitMs", "kind", "currency",
]  # fmt: skip
MOMENTS = [
    "0",
    "1",
    "9" * 400,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-03-01T12:00:00Z",
    "OrderCreated",
    "2026-03-01",
    "9999-12-31",
    "0001-01-01",
    "stalled",
    "parked",
    "EUR",
]
THOROUGHLY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def serving(check: Any, *arguments: Any) -> None:
    async def scenario() -> None:
        async with running(hooks_allowed=True) as api:
            await check(api, *arguments)

    asyncio.run(scenario())


@pytest.mark.thorough
@THOROUGHLY
@given(body=BODIES)
def test_any_body_is_taken_or_refused(body: bytes) -> None:
    """202 and one order that can be read from the log and from the view, or 4xx and an empty log."""
    serving(_placed_or_refused, body)


async def _placed_or_refused(api: Api, body: bytes) -> None:
    response = await api.send(body)
    note(response.text)
    if response.status_code != 202:
        assert 400 <= response.status_code < 500
        assert response.headers["content-type"] == "application/problem+json"
        assert await api.stored() == []
        return
    order_id = response.json()["orderId"]
    assert len(await api.stored()) == 1
    for path in (f"/orders/{order_id}", f"/orders/{order_id}?consistency=strong", f"/orders/{order_id}/events"):
        assert (await api.get(path)).status_code == 200


@pytest.mark.thorough
@THOROUGHLY
@given(
    name=st.sampled_from(NAMES),
    value=st.text(max_size=30) | st.sampled_from(MOMENTS),
    path=st.sampled_from(
        [
            "/orders",
            "/orders/6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11",
            "/invoices/INV-1",
            "/exceptions",
            "/sales",
            "/business",
        ]
    ),
    rest=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=10),
)
def test_any_question_is_answered_or_refused(name: str, value: str, path: str, rest: str) -> None:
    """Query and path hold whatever a client likes; nothing of it is our failure."""
    serving(_answered_or_refused, name, value.encode("utf-8", "replace").decode(), path, rest)


async def _answered_or_refused(api: Api, name: str, value: str, path: str, rest: str) -> None:
    days = {"from": "2026-03-01", "to": "2026-03-02"}
    for asked in (path, path + "/events", path + "/changes", path + "/invoices", f"{path}/{quote(rest, safe='/')}"):
        for others in ({"customerId": "c"}, {"from": "0", "to": "1"}, days, {"kind": "held"}, {"kind": "parked"}, {}):
            response = await api.get(asked, **{**others, name: value})
            assert response.status_code < 500


CURSORS = st.one_of(
    st.binary(max_size=60).map(lambda made_up: base64.urlsafe_b64encode(made_up).decode().rstrip("=")),
    st.builds(
        lambda form, sort, order_id, name: base64.urlsafe_b64encode(
            orjson.dumps([form, f"{crc32(name.encode()):08x}", sort, order_id])
        ).decode(),
        st.sampled_from([1, 2, "2", None]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(["views ", "relay x", "x y"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        st.sampled_from(
            ["acme/parked", "acme/exceptions/held", "acme/exceptions/stalled", "acme/order_status/customer/c", "x"]
        ),
    ),
)


@pytest.mark.thorough
@THOROUGHLY
@given(cursor=CURSORS)
def test_any_cursor_is_answered_or_refused(cursor: str) -> None:
    """Also one that is made up by somebody who has read this code."""
    serving(_walked_or_refused, cursor)


async def _walked_or_refused(api: Api, cursor: str) -> None:
    for asked in (
        "/orders?customerId=c",
        "/exceptions?kind=held",
        "/exceptions?kind=stalled",
        "/exceptions?kind=parked",
    ):
        assert (await api.get(f"{asked}&cursor={quote(cursor)}")).status_code in {200, 400}
