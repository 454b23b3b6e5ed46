"""Stripe over HTTP: the official library with our own way to send, and its errors in our words. The only asyncio-bound part.

Why our own sender: the library's reads an answer's body outside its error handling and without a bound, and does not tell a connection
that was never made (nothing happened) from an answer that never came (the money may have moved).
"""

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn

import aiohttp
import stripe

from workers.payment.gateway import REFUSED, GatewayError, GatewayRefused, GatewayTimeout, GatewayUnavailable
from workers.payment.stripe_declines import WORD

CONNECT_TIMEOUT_S: Final = 3.0
TOTAL_TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
CONNECTIONS_MAX: Final = 100

_TOO_MANY: Final = 429
_CONFLICT: Final = 409
_SERVER_FAULT: Final = 500


class Unanswered(stripe.APIConnectionError):
    """Nobody knows what became of the request."""

    def __init__(self, why: str) -> None:
        super().__init__(why, should_retry=False)  # type: ignore[no-untyped-call]  # the library's own class is untyped


class NotSent(Unanswered):
    """No connection was made: Stripe has not heard of the request."""


class AiohttpSender(stripe.HTTPClient):
    """How the library sends a request. It never repeats one: the payment worker decides about that."""

    name = "aiohttp"

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__()
        self._session = session

    async def request_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,  # noqa: ANN401 - as in the base class
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Raises NotSent, Unanswered."""
        try:
            async with self._session.request(
                method, url, headers=headers, data=post_data, allow_redirects=False
            ) as answer:
                body = bytearray()
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        raise Unanswered("the answer is longer than any of Stripe's")
                return bytes(body), answer.status, answer.headers
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unanswered(type(error).__name__) from error

    def close(self) -> None:
        """Nothing is open that is not closed by `open_stripe`."""

    async def close_async(self) -> None:
        """See `close`."""


def stripe_client(api_key: str, sender: stripe.HTTPClient, *, api_base: str | None) -> stripe.StripeClient:
    """The library's client over a sender, with the API version that the library was made for, whatever the account's default is.

    `api_base` is another address than Stripe's, for tests.
    """
    # The library otherwise writes an id of this machine into the home directory and tells Stripe how long calls took.
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        api_key,
        http_client=sender,
        max_network_retries=0,
        base_addresses={"api": api_base} if api_base is not None else None,
    )


@asynccontextmanager
async def open_stripe(
    api_key: str,
    *,
    api_base: str | None,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
    trace_configs: Sequence[aiohttp.TraceConfig] = (),
) -> AsyncIterator[stripe.StripeClient]:
    """A client with its connections, for as long as the block lasts; `trace_configs` are told of each request."""
    connector = aiohttp.TCPConnector(
        limit=CONNECTIONS_MAX, ssl=ssl.create_default_context(cafile=stripe.ca_bundle_path)
    )
    timeout = aiohttp.ClientTimeout(total=total_timeout_s, connect=min(CONNECT_TIMEOUT_S, total_timeout_s))
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, trust_env=False, trace_configs=list(trace_configs)
    ) as session:
        yield stripe_client(api_key, AiohttpSender(session), api_base=api_base)


class ServerFault(GatewayTimeout):
    """A 5xx. `replayed`: it is the stored answer of an earlier call with the same key, and will be given again until the key is forgotten.

    Source: docs.stripe.com/api/idempotent_requests (stored results are replayed, "including 500 errors").
    """

    def __init__(self, text: str, *, replayed: bool) -> None:
        super().__init__(text)
        self.replayed = replayed


def raise_translated(error: stripe.StripeError, *, writes: bool) -> NoReturn:
    """What went wrong, in the gateway's words: types, codes and the request's id, never Stripe's own text, which may quote.

    `writes` is false for a question, after which nothing can have happened.
    """
    text = f"{type(error).__name__} {error.http_status or '-'} {error.code or '-'} {error.request_id or '-'}"
    raise _translated(error, text, writes=writes) from error


def _translated(error: stripe.StripeError, text: str, *, writes: bool) -> GatewayError:
    status = error.http_status or 0
    match error:
        case NotSent() | stripe.RateLimitError():
            return GatewayUnavailable(text)
        case stripe.AuthenticationError() | stripe.PermissionError():
            return GatewayUnavailable(text)  # every order meets it, and nothing has happened: hold them all
        case stripe.IdempotencyError() if status != _CONFLICT:
            return GatewayRefused(text)
        case stripe.APIConnectionError():
            return GatewayTimeout(text) if writes else GatewayUnavailable(text)
        case _:
            pass
    if status == _TOO_MANY:
        return GatewayUnavailable(text)
    if status == _CONFLICT:  # another request with this key is under way: it may be charging right now
        return GatewayTimeout(text)
    if isinstance(error, stripe.APIError) or status >= _SERVER_FAULT:
        replayed = str((error.headers or {}).get("idempotent-replayed", "")).lower() == "true"
        return ServerFault(text, replayed=replayed) if writes else GatewayUnavailable(text)
    code = error.code if isinstance(error.code, str) and WORD.fullmatch(error.code) else REFUSED
    return GatewayRefused(text, code=code)


def metadata_of(thing: stripe.StripeObject) -> dict[str, str]:
    """What was attached to it: ours, and anybody else's who uses the account."""
    return {str(name): str(value) for name, value in (thing.to_dict().get("metadata") or {}).items()}
