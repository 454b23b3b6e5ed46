"""Settings, and what comes with an address: headers, cursors, answers of those that are called."""

import base64
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from orderstore.invoicing.sellers import SellersError, parse_sellers
from projections.http.auth import OpenService
from tests.bad_input.decoder import Decoder, Shape, samples
from tests.bad_input.mutations import of_bytes, of_json, of_plain, of_text
from tests.bad_input.of_files import EVENT_TEXT, NOW_MS
from workers.api import authentication
from workers.commands.environment import EnvironmentFailed, variables_in
from workers.ecs_agent import _reason
from workers.notification import chat
from workers.settings import Settings, SettingsError, from_environment
from workers.variables import headers_in
from workers.webhooks import schedule
from workers.webhooks.addresses import AddressPolicy
from workers.webhooks.delivery import shown
from workers.webhooks.documents import after_of, cursor_of
from workers.webhooks.errors import NotPossible

VARIABLES: Final = {
    "ORDERSTORE_RESOURCE_PREFIX": "shop",
    "ORDERSTORE_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:shop-order-events",
    "ORDERSTORE_BLOBS_BUCKET": "shop-blobs",
    "ORDERSTORE_KMS_KEY_ID": "alias/shop",
    "ORDERSTORE_AUDIT_BUCKET": "shop-audit",
    "ORDERSTORE_SIGNING_KEY_ID": "alias/shop-audit",
    "ORDERSTORE_PROVIDERS": "sandbox",
    "ORDERSTORE_API_PORT": "8080",
    "ORDERSTORE_QUEUE_WAIT_S": "20",
    "ORDERSTORE_HANDLER_DEADLINE_S": "15",
    "ORDERSTORE_NOTIFICATION_CHANNELS": "email,inbox",
    "ORDERSTORE_VISIBILITY_TIMEOUT_S": "120",
    "ORDERSTORE_OTLP_ENDPOINT": "https://collector.example:4318",
    "ORDERSTORE_OTLP_HEADERS": "a=b,c=d",
}


def _as_environment(found: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {"x": str(found)}


@samples
def variables() -> list[Any]:
    """Those of the above that this build knows."""
    try:
        from_environment(VARIABLES)
    except SettingsError as error:
        unknown = {problem.partition(":")[0] for problem in error.problems}
        return [{name: value for name, value in VARIABLES.items() if name not in unknown}]
    return [VARIABLES]


TOKENS: Final = [{"name": "shop", "sha256": hashlib.sha256(b"x").hexdigest(), "scopes": ["orders:read"]}]


def _tokens(content: bytes) -> object:
    text = content.decode("utf-8", "replace")
    return authentication(SimpleNamespace(api_tokens=text)) is not None  # type: ignore[arg-type]  # all that is read


SELLERS: Final = [
    {
        "seller": [
            {
                "id": "gb",
                "name": "Acme Ltd",
                "address": ["1 High Street"],
                "vat_id": "GB123456789",
                "series": [{"channels": ["*", "web"], "invoices": "INV", "credit_notes": "CN"}],
            }
        ]
    }
]
SELLERS_TOML: Final = (
    b'[[seller]]\nid = "gb"\nname = "Acme Ltd"\naddress = ["x"]\n'
    b'[[seller.series]]\nchannels = ["*"]\ninvoices = "INV"\ncredit_notes = "CN"\n'
)


def _sellers(content: bytes) -> str:
    found = parse_sellers(content.decode("utf-8", "replace"))
    routes = {*found.channels.values(), *found.by_invoices.values()}
    if not {route.invoices for route in routes}.isdisjoint(route.credit_notes for route in routes):
        raise AssertionError("a series of both")
    return found.of_channel("anything").invoices


AFTER: Final = {"endpoint": "e-1", "occurred_at_ms": 5, "delivery": "e-1/x"}


def _after(cursor: str) -> object:
    return after_of(cursor, endpoint_id="e-1")


def _as_cursor(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


def _retry_after(header: str) -> object:
    found = (
        schedule.retry_after_s(header, now_ms=NOW_MS),
        chat.retry_after_s({"retry-after": header}, NOW_MS),
    )
    if any(wait is not None and not 0 <= wait < 1e12 for wait in found):
        raise AssertionError(f"a wait of {found}")
    return None


def _shown(answer: bytes) -> bool:
    text = shown(answer)
    if len(text) > 10_000 or any(not one.isprintable() and one != "\n" for one in text):
        raise AssertionError("too long, or not printable")
    return True


URLS: Final = ("https://shop.example/hook?x=1", "https://shop.example:443/")


DECODERS: Final = (
    Decoder(
        name="settings",
        covers=("workers.settings:from_environment",),
        decode=lambda found: isinstance(from_environment(_as_environment(found)), Settings),
        errors=(SettingsError,),
        valid=lambda: [(variables()[0], True)],
        shapes=(Shape(mutate=of_plain, samples=variables),),
    ),
    Decoder(
        name="API tokens",
        covers=("workers.api:authentication",),
        decode=_tokens,
        errors=(SettingsError, OpenService),
        valid=lambda: [(json.dumps(TOKENS).encode(), True)],
        shapes=(Shape(mutate=of_json, samples=lambda: [TOKENS]),),
    ),
    Decoder(
        name="sellers",
        covers=("orderstore.invoicing.sellers:_given", "workers.billing_settings:_read"),
        decode=_sellers,
        errors=(SellersError,),
        valid=lambda: [(json.dumps(SELLERS[0]).encode(), "INV"), (SELLERS_TOML, "INV")],
        shapes=(
            Shape(mutate=of_json, samples=lambda: SELLERS),
            Shape(mutate=of_bytes, samples=lambda: [SELLERS_TOML]),
        ),
    ),
    Decoder(
        name="headers of a setting",
        covers=(),
        decode=headers_in,
        valid=lambda: [("a=b,C=d", {"a": "b", "c": "d"})],
        shapes=(Shape(mutate=of_text, samples=lambda: ["a=b,C=d"]),),
    ),
    Decoder(
        name="embedded environment's file",
        covers=("workers.commands.environment:variables_in",),
        decode=lambda content: variables_in(content, Path()),
        errors=(EnvironmentFailed,),
        valid=lambda: [(b'{"settings": {"A": "b"}}', {"A": "b"})],
        shapes=(Shape(mutate=of_json, samples=lambda: [{"settings": {"A": "b"}}]),),
    ),
    Decoder(
        name="ECS agent's answer",
        covers=("workers.ecs_agent:_parsed",),
        decode=lambda body: _reason(400, body) and True,
        valid=lambda: [(b'{"failure": {"Reason": "x", "Detail": "y"}}', True)],
        shapes=(Shape(mutate=of_json, samples=lambda: [{"failure": {"Reason": "x", "Detail": "y"}}, {"error": {}}]),),
    ),
    Decoder(
        name="Retry-After",
        covers=("workers.notification.chat:retry_after_s", "workers.webhooks.schedule:retry_after_s"),
        decode=_retry_after,
        valid=lambda: [("120", None)],
        shapes=(Shape(mutate=of_text, samples=lambda: ["120", "Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 1 Jan 9999"]),),
    ),
    Decoder(
        name="webhook's address",
        covers=("workers.webhooks.addresses:_split",),
        decode=AddressPolicy().check_url,
        errors=(NotPossible,),
        valid=lambda: [(url, url) for url in URLS],
        shapes=(Shape(mutate=of_text, samples=lambda: URLS),),
    ),
    Decoder(
        name="webhook's answer",
        covers=("workers.webhooks.delivery:shown", "workers.notification.chat:ChatChannel._meaning"),
        decode=_shown,
        valid=lambda: [(b"ok", True)],
        shapes=(Shape(mutate=of_bytes, samples=lambda: [b"ok", EVENT_TEXT.encode()]),),
    ),
    Decoder(
        name="cursor of webhook deliveries",
        covers=("workers.webhooks.documents:after_of",),
        decode=_after,
        errors=(NotPossible,),
        valid=lambda: [(cursor_of(AFTER), AFTER)],
        shapes=(
            Shape(mutate=of_text, samples=lambda: [str(cursor_of(AFTER))]),
            Shape(mutate=of_json, samples=lambda: [AFTER], finish=_as_cursor),
        ),
    ),
)
