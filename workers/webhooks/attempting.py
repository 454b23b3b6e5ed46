"""One attempt: take the delivery in hand, sign, send, judge, write down. At least once: who dies between sending and writing has it
sent again, under the same webhook-id.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import anyio

from orderstore.privacy.keys import PrivacyError
from orderstore.recorded import Actor
from workers.tables.errors import TableError
from workers.webhooks.deliveries import CLAIM_MS, Deliveries
from workers.webhooks.delivery import Attempt, Delivery, DeliveryState, shown
from workers.webhooks.endpoint import Change, DisabledCause, Endpoint
from workers.webhooks.endpoints import Endpoints
from workers.webhooks.errors import SendFailed, UnknownEndpoint, WebhookError
from workers.webhooks.observe import WebhookObserver
from workers.webhooks.schedule import delay_s, retry_after_s
from workers.webhooks.secrets import Secrets
from workers.webhooks.sending import TIMEOUT_S, Answer, Sender
from workers.webhooks.signing import NothingToSignWith, headers

FAILING_MS_MAX: Final = 5 * 86_400_000
"""An endpoint that has done nothing but fail for so long is disabled."""
# What may pass between the claim and the sending; after it, an attempt could outlive its claim.
START_S_MAX: Final = CLAIM_MS / 1000 - 2 * TIMEOUT_S
WRITE_TRIES: Final = 3
WRITE_PAUSE_S: Final = 0.5
WRITE_DEADLINE_S: Final = 10.0
# The endpoint, or what stands before it, asks for peace (specification, "Delivery success and failure").
_THROTTLING: Final = frozenset({429, 502, 503, 504})
_GONE: Final = 410
_US: Final = Actor("service", "webhooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How the endpoint did. `pause_s`: for how long it asked for peace; `due_in_s`: when the delivery is tried again."""

    ok: bool
    pause_s: float | None = None
    due_in_s: float | None = None


class Attempts:
    """Makes attempts; safe in any number of processes."""

    def __init__(
        self,
        deliveries: Deliveries,
        endpoints: Endpoints,
        secrets: Secrets,
        sender: Sender,
        *,
        now_ms: Callable[[], int],
        random: Random,
        observer: WebhookObserver,
    ) -> None:
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._secrets = secrets
        self._sender = sender
        self._now_ms = now_ms
        self._random = random
        self._observer = observer

    async def make(self, delivery_id: str) -> Result | None:
        """Try a delivery if it is due and nobody else has it in hand; None when nothing was sent.

        Raises TableError and StoreError before anything was sent.
        """
        delivery = await self._deliveries.get(delivery_id)
        if delivery is None or delivery.state != "pending" or delivery.due_at_ms > self._now_ms():
            return None
        begun = anyio.current_time()
        claimed = await self._deliveries.claim(delivery)
        if claimed is None:
            return None
        endpoint = await self._enabled(claimed.endpoint)
        if endpoint is None:
            await self._end(claimed, "abandoned" if claimed.attempts else "skipped", None)
            return None
        secrets = await self._signing(endpoint)
        if anyio.current_time() - begun > START_S_MAX:
            return None  # the claim may be over before the attempt is
        attempt, answer = await self._send(endpoint, claimed, secrets)
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + WRITE_DEADLINE_S):
            return await self._judge(endpoint, claimed, attempt, answer)
        return None

    async def _enabled(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint as it stands now, if it is to be told of anything."""
        try:
            endpoint = await self._endpoints.get(endpoint_id)
        except UnknownEndpoint:
            return None
        return endpoint if endpoint.state == "enabled" else None

    async def _signing(self, endpoint: Endpoint) -> Sequence[str]:
        """Its secrets; none when they cannot be opened, which is a failed attempt and no reason to send unsigned."""
        try:
            return await self._secrets.signing(endpoint)
        except PrivacyError as error:
            self._observer.trouble(error)
            return ()

    async def _send(
        self, endpoint: Endpoint, delivery: Delivery, secrets: Sequence[str]
    ) -> tuple[Attempt, Answer | None]:
        body, at_ms, begun = delivery.payload.encode(), self._now_ms(), anyio.current_time()
        answer, error = None, ""
        try:
            with anyio.fail_after(TIMEOUT_S):
                signed = headers(secrets, webhook_id=delivery.event, at_ms=at_ms, body=body)
                answer = await self._sender.post(endpoint.url, headers=signed, body=body)
        except NothingToSignWith:
            error = "secret: its secrets cannot be opened"
        except TimeoutError:
            error = f"timeout: no answer within {TIMEOUT_S:.0f} s"
        except SendFailed as failure:
            error = str(failure)
        except Exception as unforeseen:  # noqa: BLE001 - it may have been sent: then it is an attempt, and those are counted
            self._observer.trouble(unforeseen)
            error = f"internal: {type(unforeseen).__name__}"
        if answer is not None and not _is_ok(answer):
            error = "redirect: not followed" if 300 <= answer.status < 400 else "status"
        duration_s = anyio.current_time() - begun
        self._observer.attempted(_result(answer, error), duration_s=duration_s)
        attempt = Attempt(
            at_ms=at_ms,
            status=0 if answer is None else answer.status,
            duration_ms=round(duration_s * 1000),
            error=error,
            answer="" if answer is None else shown(answer.body),
        )
        return attempt, answer

    async def _judge(self, endpoint: Endpoint, claimed: Delivery, attempt: Attempt, answer: Answer | None) -> Result:
        now_ms = self._now_ms()
        if answer is not None and _is_ok(answer):
            await self._end(claimed, "delivered", attempt)
            await self._note(endpoint, failing_since_ms=0)
            return Result(ok=True)
        asked_s = None if answer is None else retry_after_s(answer.retry_after, now_ms=now_ms)
        wait_s = delay_s(claimed.tries + 1, self._random, retry_after_s=asked_s)
        said_gone = answer is not None and answer.status == _GONE
        if said_gone and await self._disable(endpoint, "gone", "it answered 410 Gone"):
            await self._end(claimed, "abandoned", attempt)
        elif wait_s is None:
            await self._end(claimed, "failed", attempt)
        else:
            due_at_ms = now_ms + round(wait_s * 1000)
            await self._written(lambda: self._deliveries.again(claimed, attempt, due_at_ms=due_at_ms))
        if endpoint.failing_since_ms == 0:
            await self._note(endpoint, failing_since_ms=now_ms)
        elif now_ms - endpoint.failing_since_ms >= FAILING_MS_MAX:
            await self._disable(endpoint, "failing", "nothing but failures for five days")
        throttling = answer is not None and answer.status in _THROTTLING
        return Result(ok=False, pause_s=(asked_s or 0.0) if throttling else None, due_in_s=wait_s)

    async def _end(self, claimed: Delivery, state: DeliveryState, attempt: Attempt | None) -> None:
        if await self._written(lambda: self._deliveries.end(claimed, state, attempt)):
            self._observer.ended(state)

    async def _written(self, write: Callable[[], Awaitable[bool]]) -> bool:
        """Write the outcome down, with some patience; what cannot be written is sent again when the claim is over."""
        for tries in range(1, WRITE_TRIES + 1):
            try:
                if await write():
                    return True
            except TableError as error:
                self._observer.trouble(error)
                if tries < WRITE_TRIES:
                    await anyio.sleep(WRITE_PAUSE_S * tries)
            else:
                # A write whose answer was lost refuses its own repetition: then all is well, and counted one time too few.
                break
        self._observer.outrun()
        return False

    async def _note(self, endpoint: Endpoint, *, failing_since_ms: int) -> None:
        try:
            await self._endpoints.note(endpoint, failing_since_ms=failing_since_ms)
        except TableError as error:
            self._observer.trouble(error)  # the next attempt notes it

    async def _disable(self, endpoint: Endpoint, cause: DisabledCause, reason: str) -> bool:
        """Whether nothing is sent to it any more. An address that was changed meanwhile is another one, of which nothing is known."""
        change = Change(at_ms=self._now_ms(), actor=_US, what="disabled", reason=reason)
        done: list[Endpoint] = []

        def decide(now: Endpoint) -> Endpoint:
            # Its owner may have given it another address meanwhile, or enabled it anew: then it was not this one that failed.
            if now.state != "enabled" or now.url != endpoint.url or now.since_ms != endpoint.since_ms:
                return now
            if cause == "failing" and now.failing_since_ms != endpoint.failing_since_ms:
                return now  # another attempt has arrived since this one began
            done[:] = [now]
            return now.disabled(cause, change)

        try:
            after = await self._endpoints.change(endpoint.id, decide)
        except (TableError, WebhookError) as error:
            self._observer.trouble(error)  # the next attempt disables it
            return False
        if done:
            self._observer.disabled(endpoint.id, cause)
        return after.state != "enabled"


def _is_ok(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def _result(answer: Answer | None, error: str) -> str:
    if answer is None:
        return error.partition(":")[0]
    return "ok" if _is_ok(answer) else f"{answer.status // 100}xx"
