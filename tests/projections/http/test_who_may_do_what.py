"""Bearer tokens and scopes: everything but health asks who you are, and the service never runs open."""

import hashlib

import pytest

from projections.http.auth import BearerTokens, OpenService, Token, sha256_of
from tests.projections.http.api import ADMIN, ARTICLE, OPERATOR, READER, REVIEWER, SCRAPER, WRITER, running

ORDER = "/orders/6f1d6b0e-6c0f-5b8e-9a53-0c2f3a3d7a11"
HANDLING = ("approve", "decline", "receive", "inspection")
OPERATIONS = [
    ("POST", "/orders", "orders:write"),
    ("POST", f"{ORDER}/cancel", "orders:write"),
    ("POST", f"{ORDER}/refunds", "orders:write"),
    ("POST", f"{ORDER}/holds", "orders:write"),
    ("POST", f"{ORDER}/holds/h-1/release", "orders:write"),
    *(
        ("POST", f"{ORDER}/{verb}", "orders:write")
        for verb in (
            *("line-cancellations", "edits", "edits/e-1/withdrawal", "payment-attempts", "answers/missing_stock"),
            *("returns", "returns/r-1/cancel"),
        )
    ),
    *(
        ("POST", f"{ORDER}/{verb}", "orders:operate")
        for verb in ("delays", "notes", "refunds/r-1/retry", *(f"returns/r-1/{verb}" for verb in HANDLING))
    ),
    ("POST", f"{ORDER}/review", "orders:review"),
    ("GET", "/orders?customerId=c", "orders:read"),
    ("GET", ORDER, "orders:read"),
    ("GET", f"{ORDER}/events", "orders:read"),
    ("GET", f"{ORDER}/invoices", "orders:read"),
    ("GET", f"{ORDER}/lines", "orders:read"),
    ("GET", "/invoices/INV-000001", "orders:read"),
    ("GET", "/exceptions?kind=held", "orders:read"),
    ("GET", "/sales?from=2026-03-01&to=2026-03-02", "orders:read"),
    ("GET", "/business", "orders:read"),
    ("GET", "/metrics", "metrics:read"),
]
HOLDERS = {
    "orders:read": READER,
    "orders:write": WRITER,
    "orders:operate": OPERATOR,
    "orders:review": REVIEWER,
    "metrics:read": SCRAPER,
}


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
async def test_without_a_token_nothing_is_told_or_done(method: str, path: str, scope: str) -> None:
    """401 and a challenge, whatever else is wrong with the request."""
    async with running() as api:
        response = await api.client.request(method, path)

        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
        assert response.headers["www-authenticate"] == 'Bearer realm="orderstore"'
        assert await api.stored() == []


@pytest.mark.parametrize(
    "value",
    [
        "Bearer wrong",
        "Bearer " + WRITER + "x",
        "Bearer " + WRITER[:-1],
        "Bearer " + WRITER.upper(),
        "Bearer " + sha256_of(WRITER),
        "Bearer " + "x" * 10_000,
        "Bearer caf\xe9",
        "Basic d3JpdGVyOnNlY3JldA==",
        "Bearer",
        "Bearer  ",
        WRITER,
    ],
)
async def test_a_wrong_token_opens_nothing(value: str) -> None:
    """Nor does the hash of a right one."""
    async with running() as api:
        headers = {"Authorization": value.encode("latin-1")}
        response = await api.client.post("/orders", json=ARTICLE, headers=headers)

        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert await api.stored() == []


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
@pytest.mark.parametrize("token", [READER, WRITER, OPERATOR, REVIEWER, SCRAPER])
async def test_a_token_does_what_its_scope_names_and_nothing_else(
    method: str, path: str, scope: str, token: str
) -> None:
    """403 names the scope that is missing."""
    async with running() as api:
        response = await api.client.request(method, path, headers={"Authorization": f"Bearer {token}"})

        if token == HOLDERS[scope]:
            assert response.status_code not in {401, 403}
        else:
            assert (response.status_code, response.json()["code"]) == (403, "forbidden")
            assert f'scope="{scope}"' in response.headers["www-authenticate"]


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
async def test_an_administrator_may_do_everything(method: str, path: str, scope: str) -> None:
    """`admin` includes every other scope."""
    async with running() as api:
        response = await api.client.request(method, path, headers={"Authorization": f"Bearer {ADMIN}"})

        assert response.status_code not in {401, 403}


async def test_a_refused_body_is_not_even_read() -> None:
    """Whoever may not write cannot make the service work either."""
    async with running() as api:
        response = await api.post("/orders", "not an order", token=READER)

        assert response.status_code == 403


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json"])
async def test_health_and_the_description_ask_for_no_token(path: str) -> None:
    """They show no data."""
    async with running() as api:
        assert (await api.client.get(path)).status_code == 200


HASH = sha256_of("a")


@pytest.mark.parametrize(
    "tokens",
    [
        (),
        (Token("a", "", frozenset({"admin"})),),
        (Token("a", "secret", frozenset({"admin"})),),
        (Token("a", HASH.upper(), frozenset({"admin"})),),
        (Token("a", hashlib.sha256(b"").hexdigest(), frozenset({"admin"})),),
        (Token("", HASH, frozenset({"admin"})),),
        (Token("a b", HASH, frozenset({"admin"})),),
        (Token("a", HASH, frozenset()),),
        (Token("a", HASH, frozenset({"orders:reed"})),),  # type: ignore[arg-type]  # what a misspelt configuration gives
        (Token("a", HASH, frozenset({"admin"})), Token("b", HASH, frozenset({"orders:read"}))),
        (Token("a", HASH, frozenset({"admin"})), Token("a", sha256_of("b"), frozenset({"orders:read"}))),
    ],
)
def test_the_service_refuses_to_start_rather_than_run_open(tokens: tuple[Token, ...]) -> None:
    """No token, or one that is not safe: a clear error instead of an app."""
    with pytest.raises(OpenService):
        BearerTokens(tokens)
