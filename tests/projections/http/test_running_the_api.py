"""Health, metrics, failures and the log: what those who run the service see, and what nobody sees."""

import json
from typing import Any

import pytest

from orderstore.codec import MalformedCommit
from orderstore.store.errors import CommitTooLarge, CorruptCommit, Refused, StreamTooLong, Throttled, Unavailable
from orderstore.store.memory import MemoryEventStore
from orderstore.store.port import Commit
from orderstore.transact import Contended
from tests.projections.http.api import ARTICLE, SCRAPER, running
from tests.projections.http.stories import NOWHERE


class FailingStore(MemoryEventStore):
    """A log that fails as it is told to, and keeps nothing."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure

    async def append(self, commit: Commit) -> None:
        raise self.failure

    async def read(self, stream: str, *, after: int = 0) -> tuple[Commit, ...]:
        raise self.failure


async def test_the_process_lives_whatever_its_dependencies_do() -> None:
    """A broken database must not restart every task."""
    async with running() as api:
        api.parts["store"] = False

        assert (await api.get("/healthz", token=None)).json() == {"status": "alive"}


async def test_not_ready_says_what_is_not() -> None:
    """503 with the parts by name; 200 again as soon as they are back."""
    async with running() as api:
        api.parts.update(store=False, views=True, relay=False)
        refused = await api.get("/readyz", token=None)
        api.parts.update(store=True, relay=True)

        assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
        assert refused.json()["notReady"] == ["relay", "store"]
        assert (await api.get("/readyz", token=None)).status_code == 200


async def test_lag_is_no_reason_not_to_be_ready() -> None:
    """Taking a slow service out makes it slower."""
    async with running() as api:
        api.views.held = True
        await api.place()

        assert (await api.get("/readyz", token=None)).status_code == 200


async def test_the_metrics_are_prometheus_text() -> None:
    """As the registry wrote them."""
    async with running() as api:
        response = await api.get("/metrics", token=SCRAPER)

        assert response.content == b"orders_total 1\n"
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


FAILURES: list[tuple[Exception, int, str, str | None]] = [
    (Throttled("PutItem", tries=3), 503, "throttled", "1"),
    (Unavailable("PutItem", tries=3, ambiguous=False), 503, "unavailable", "5"),
    (Unavailable("PutItem", tries=3, ambiguous=True), 503, "unavailable", "5"),
    (Contended("secret-table"), 503, "contended", "1"),
    (CommitTooLarge("s", 1, body_bytes=2, body_bytes_max=1), 413, "body_too_large", None),
    (Refused("PutItem", "AccessDeniedException", "arn:aws:secret-table"), 500, "internal", None),
    (CorruptCommit("secret-table", 1, "hash"), 500, "unreadable_order", None),
    (StreamTooLong("secret-table", "secret"), 500, "unreadable_order", None),
    (MalformedCommit("secret: jane@example.com"), 500, "unreadable_order", None),
    (RuntimeError("secret-table jane@example.com"), 500, "internal", None),
    (KeyError("secret-table"), 500, "internal", None),
]


@pytest.mark.parametrize(("failure", "status", "code", "retry_after"), FAILURES)
@pytest.mark.parametrize("reading", [True, False])
async def test_a_failing_log_is_told_apart_and_tells_nothing_of_itself(
    failure: Exception, status: int, code: str, retry_after: str | None, reading: bool
) -> None:
    """What may be tried again is 503 with a time to come back; what may not is 500; no name, no message, no stack."""
    async with running(store=FailingStore(failure)) as api:
        if reading:
            response = await api.get(f"/orders/{NOWHERE}/events")
        else:
            response = await api.post("/orders", ARTICLE, X_Request_Id="req-1")

        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers.get("retry-after") == retry_after
        assert response.headers["content-type"] == "application/problem+json"
        for secret in ("secret", "arn:", "AccessDenied", "Traceback", "jane"):
            assert secret not in response.text


async def test_an_ambiguous_failure_says_how_to_find_out() -> None:
    """The order may have been stored: the key makes the repeat harmless."""
    async with running(store=FailingStore(Unavailable("PutItem", tries=3, ambiguous=True))) as api:
        assert "Idempotency-Key" in (await api.post("/orders", ARTICLE)).json()["detail"]


async def test_an_order_that_cannot_be_read_asks_for_an_operator_and_not_for_a_repeat() -> None:
    """Repeating reads the same bytes again; the log names the commit and the order, the answer fits what is promised."""
    async with running(store=FailingStore(CorruptCommit("shop/order-x", 3, "its hash is wrong"))) as api:
        response = await api.get(f"/orders/{NOWHERE}/events")
        detail = response.json()["detail"]

        assert response.json()["title"] == "The order cannot be read as it is stored"
        assert "repeating the request does not help" in detail
        assert "orderstore audit verify --order" in detail
        failed, finished = api.logs.entries
        assert (failed["event"], failed["orderId"], finished["status"]) == ("request_failed", NOWHERE, 500)
        assert "commit 3 of shop/order-x" in failed["errors"][0]["message"]
        promised = (await api.get("/openapi.json", token=None)).json()["paths"]
        for path, verb in (("/orders/{orderId}/events", "get"), ("/orders/{orderId}/cancel", "post")):
            assert "`unreadable_order`" in promised[path][verb]["responses"]["500"]["description"]


async def test_an_unexpected_failure_is_logged_under_its_request_without_the_message() -> None:
    """The place in the code is written down; what an unknown error says may quote the request and is not."""
    async with running(store=FailingStore(RuntimeError("jane@example.com is the problem"))) as api:
        response = await api.post("/orders", ARTICLE, X_Request_Id="req-1")
        failed, finished = api.logs.entries

        assert response.json()["instance"] == "urn:orderstore:request:req-1"
        assert (failed["event"], failed["log_level"], failed["requestId"]) == ("request_failed", "error", "req-1")
        assert failed["errors"][0]["type"] == "builtins.RuntimeError"
        assert any("test_running_the_api" in place for place in failed["errors"][0]["at"])
        assert "jane" not in json.dumps(api.logs.entries)
        assert (finished["status"], finished["requestId"]) == (500, "req-1")


async def test_our_own_failures_are_logged_with_their_message() -> None:
    """They are written by this service and name a table or a permission, which is what one needs to know."""
    async with running(store=FailingStore(Refused("PutItem", "AccessDeniedException", "no"))) as api:
        await api.post("/orders", ARTICLE)

        assert "AccessDeniedException" in api.logs.entries[0]["errors"][0]["message"]


async def test_an_accepted_order_is_one_log_line_with_the_six_fields() -> None:
    """eventId, correlationId, orderId, source, eventType, occurredAt."""  # E125
    async with running() as api:
        response = await api.post("/orders", ARTICLE)
        (line,) = api.logs.entries
        (created,) = (await api.orders.load(response.json()["orderId"])).events

        assert line["eventId"] == created.event_id == response.json()["eventId"]
        assert line["correlationId"] == line["orderId"] == created.order_id
        assert (line["source"], line["eventType"]) == ("order-service", "OrderCreated")
        assert line["occurredAt"].endswith("Z")
        assert (line["method"], line["route"], line["status"]) == ("POST", "/orders", 202)


async def test_no_personal_data_and_no_secret_is_logged() -> None:
    """Whatever came in: taken, refused or failed; nor is anything of it counted under a name."""
    async with running() as api:
        named = {**ARTICLE, "customerName": "Jane Doe", "customerId": "jane-doe-1980"}
        await api.post("/orders", named, Idempotency_Key="jane-key")
        await api.post("/orders", {**named, "currency": "jane-currency"})
        await api.post("/orders", {**named, "jane-field": 1})
        await api.get("/orders", customerId="jane-doe-1980")
        await api.get("/orders", customerId="c", jane="x")
        await api.get("/jane-path")
        await api.post("/orders", named, token="jane-token")
        seen = json.dumps([api.logs.entries, api.measures.requests])

        assert "jane" not in seen.lower()
        assert "secret" not in seen


async def test_measures_have_few_names() -> None:
    """Routes are templates, paths and methods that nobody knows share one name: a scanner cannot fill the memory."""
    async with running() as api:
        order_id = await api.place()
        for path in (f"/orders/{order_id}", f"/orders/{NOWHERE}", "/a", "/b/c", "/orders/x/y/z"):
            await api.get(path)
        await api.client.request("BREW", "/coffee")

        assert set(api.measures.requests) == {
            ("POST", "/orders", 202),
            ("GET", "/orders/{orderId}", 200),
            ("GET", "/orders/{orderId}", 404),
            ("GET", "unmatched", 404),
            ("other", "unmatched", 404),
        }


async def test_an_invented_method_on_a_known_path_is_no_name_either() -> None:
    """The method of a label is one of those that the API knows."""
    async with running() as api:
        await api.client.request("BREW", "/orders")

        assert api.measures.requests == [("other", "/orders", 405)]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/orders/", 404, "not_found"),
        ("GET", "/redoc", 404, "not_found"),
        ("GET", "/%00%ff", 404, "not_found"),
        ("GET", "/orders//events", 404, "not_found"),
        ("DELETE", "/orders", 405, "method_not_allowed"),
        ("PUT", "/healthz", 405, "method_not_allowed"),
    ],
)
async def test_the_unknown_is_a_problem_too(method: str, path: str, status: int, code: str) -> None:
    """One form for every no, with the request's id in it."""
    async with running() as api:
        response = await api.client.request(method, path, headers={"X-Request-Id": "abc"})
        problem = response.json()

        assert (response.status_code, problem["code"], problem["status"]) == (status, code, status)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["x-request-id"] == "abc"
        assert problem["type"] == f"urn:orderstore:problem:{code}"
        assert problem["instance"] == "urn:orderstore:request:abc"


async def test_a_wrong_method_is_told_every_right_one() -> None:
    """Allow lists what the path does, not what the first match does."""
    async with running() as api:
        assert (await api.client.delete("/orders")).headers["allow"] == "GET, POST"


@pytest.mark.parametrize("offered", ["", "x" * 129, "a b", 'a"b', "caf\xe9", "a;b"])
async def test_a_request_id_that_is_no_plain_word_is_replaced(offered: str) -> None:
    """It goes into a header, a log line and an answer."""
    async with running() as api:
        response = await api.client.get("/healthz", headers={"X-Request-Id": offered.encode("latin-1")})

        assert response.headers["x-request-id"] != offered
        assert len(response.headers["x-request-id"]) == 36


async def test_answers_are_not_cached_or_sniffed() -> None:
    """They are about one order at one moment."""
    async with running() as api:
        for response in (await api.get("/healthz"), await api.get("/nope"), await api.get(f"/orders/{NOWHERE}")):
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_client_that_leaves_half_way_stores_nothing() -> None:
    """The body never became whole; the log says who left, and it is nobody's failure."""
    sent: list[Any] = []
    parts = iter([{"type": "http.request", "body": b'{"currency"', "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(parts)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", b"Bearer writer-secret"), (b"content-type", b"application/json")]
    async with running() as api:
        scope = {"type": "http", "method": "POST", "path": "/orders", "headers": headers, "query_string": b""}
        await api.app({**scope, "asgi": {"version": "3.0"}, "http_version": "1.1"}, receive, send)

        assert sent[0]["status"] == 400
        assert [entry["log_level"] for entry in api.logs.entries] == ["info"]
        assert await api.stored() == []
