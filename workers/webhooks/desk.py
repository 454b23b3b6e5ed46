"""The desk, with what endpoints were told: deliveries and their attempts, telling again, a test.

Every method raises what `EndpointDesk`'s do, and those about one delivery UnknownDelivery. Telling again is on record in the endpoint.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import anyio

from orderstore.codec import timestamp_of
from orderstore.recorded import Actor
from workers.webhooks import documents
from workers.webhooks.addresses import AddressPolicy
from workers.webhooks.deliveries import Announced, Deliveries
from workers.webhooks.delivery import STATES, TEST_EVENTS, UNDELIVERED, Delivery, DeliveryState, delivery_id
from workers.webhooks.endpoint_desk import EndpointDesk, checked_event_types, checked_identifier, translated
from workers.webhooks.endpoints import Endpoints
from workers.webhooks.errors import NotPossible, UnknownDelivery
from workers.webhooks.payload import TEST_TYPE, test_payload
from workers.webhooks.replaying import (
    RATE_DEFAULT,
    RATE_MAX,
    REPLAYED_DEFAULT,
    REPLAYED_MAX,
    Pace,
    Range,
    Replayer,
    Report,
)
from workers.webhooks.secrets import Secrets

LISTED_MAX: Final = 500
READS_AT_ONCE_MAX: Final = 16
PAGES_MAX: Final = 20
"""A list by state looks at so many pages; its cursor goes on."""


class WebhooksDesk(EndpointDesk):
    """For the endpoints of one tenant."""

    def __init__(
        self,
        endpoints: Endpoints,
        deliveries: Deliveries,
        secrets: Secrets,
        replayer: Replayer,
        *,
        policy: AddressPolicy,
        tenant: str,
        now_ms: Callable[[], int],
    ) -> None:
        super().__init__(endpoints, secrets, policy=policy, tenant=tenant, now_ms=now_ms)
        self._deliveries = deliveries
        self._replayer = replayer

    async def deliveries(
        self,
        endpoint_id: str,
        *,
        state: DeliveryState | None = None,
        from_ms: int | None = None,
        until_ms: int | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Mapping[str, Any]:
        """What it was told of, the newest event first, each as it stands now."""
        if not 1 <= limit <= LISTED_MAX:
            raise NotPossible(f"a limit is 1 to {LISTED_MAX}")
        after = documents.after_of(cursor, endpoint_id=endpoint_id)
        found: list[Mapping[str, Any]] = []
        with translated():
            await self._mine(endpoint_id)
            for _ in range(PAGES_MAX):
                rows, after = await self._deliveries.of_endpoint(
                    endpoint_id,
                    from_ms=from_ms,
                    until_ms=until_ms,
                    limit=limit - len(found),
                    after=after,
                    newest_first=True,
                )
                standing = await self._standing([row.id for row in rows if state is None or row.state == state])
                found += [documents.standing(row) for row in standing if state is None or row.state == state]
                if after is None or len(found) == limit:
                    break
        return {"deliveries": found, "nextCursor": documents.cursor_of(after)}

    async def delivery(self, endpoint_id: str, event_id: str) -> Mapping[str, Any]:
        """One delivery with its attempts. Raises UnknownDelivery."""
        with translated():
            await self._mine(endpoint_id)
            return documents.delivery(await self._delivery(endpoint_id, event_id))

    async def redeliver(self, endpoint_id: str, event_id: str, *, actor: Actor, reason: str) -> Mapping[str, Any]:
        """Send one again, whatever became of it; one that waits is left to its schedule. Raises UnknownDelivery."""
        change = self._change(actor, f"redelivered {event_id}", reason)
        with translated():
            self._is_enabled(await self._mine(endpoint_id))
            found = await self._delivery(endpoint_id, event_id)
            if found.state != "pending":
                await self._endpoints.change(endpoint_id, lambda now: now.noting(change))
                await self._deliveries.rearm(found, replay=f"one-{uuid4().hex[:16]}")
            return documents.delivery(await self._delivery(endpoint_id, event_id))

    async def replay(
        self,
        endpoint_id: str,
        *,
        from_ms: int,
        until_ms: int,
        event_types: Sequence[str] = (),
        states: Sequence[DeliveryState] = UNDELIVERED,
        from_log: bool = False,
        name: str | None = None,
        dry_run: bool,
        rate_per_s: float = RATE_DEFAULT,
        most: int = REPLAYED_DEFAULT,
        seconds_max: float = float("inf"),
        actor: Actor,
        reason: str | None,
        progress: Callable[[Report], None] = lambda _report: None,
    ) -> Mapping[str, Any]:
        """Tell it again of a range. The same request with the same name goes on where it ended, and repeats nothing."""
        if from_ms >= until_ms:
            raise NotPossible("a range begins before it ends")
        if not 0 < rate_per_s <= RATE_MAX or not 1 <= most <= REPLAYED_MAX:
            raise NotPossible(f"at most {RATE_MAX:g} a second, and {REPLAYED_MAX:,} in all")
        if unknown := set(states) - (set(STATES) - {"pending"}):
            raise NotPossible(f"nothing is replayed that is {', '.join(sorted(unknown))}")
        wanted = Range(
            from_ms=from_ms,
            until_ms=until_ms,
            event_types=checked_event_types(event_types),
            states=tuple(states),
            from_log=from_log,
        )
        pace = Pace(rate_per_s=rate_per_s, most=most, seconds_max=seconds_max)
        chosen = wanted.name(endpoint_id) if name is None else checked_identifier(name)
        with translated():
            endpoint = await self._mine(endpoint_id)
            if not dry_run:
                self._is_enabled(endpoint)
            span = f"{timestamp_of(wanted.from_ms)} to {timestamp_of(wanted.until_ms)}"
            change = None if dry_run else self._change(actor, f"replayed {span} ({chosen})", reason or "")

            async def note() -> None:
                if change is not None:
                    await self._endpoints.change(endpoint_id, lambda now: now.noting(change))

            done = await self._replayer.run(
                endpoint, wanted, name=chosen, dry_run=dry_run, pace=pace, progress=progress, before_first=note
            )
        return documents.report(done)

    async def test(self, endpoint_id: str) -> Mapping[str, Any]:
        """Send it something that means nothing, as soon as a sender finds it; the delivery tells how it went."""
        now_ms, event = self._now_ms(), f"{TEST_EVENTS}{uuid4().hex}"
        payload = test_payload(endpoint_id, event, now_ms=now_ms)
        announced = Announced(event=event, event_type=TEST_TYPE, order="", occurred_at_ms=now_ms, payload=payload)
        with translated():
            self._is_enabled(await self._mine(endpoint_id))
            await self._deliveries.create(endpoint_id, announced)
            return documents.delivery(await self._delivery(endpoint_id, event))

    async def _standing(self, ids: Sequence[str]) -> list[Delivery]:
        """The rows themselves: the index knows neither tries nor times. A few are read at once."""
        found: dict[str, Delivery | None] = {}
        some = anyio.CapacityLimiter(READS_AT_ONCE_MAX)

        async def read(one: str) -> None:
            async with some:
                found[one] = await self._deliveries.get(one)

        async with anyio.create_task_group() as tasks:
            for one in ids:
                tasks.start_soon(read, one, name=f"read {one}")
        return [row for one in ids if (row := found[one]) is not None]

    async def _delivery(self, endpoint_id: str, event_id: str) -> Delivery:
        found = await self._deliveries.get(delivery_id(endpoint_id, event_id))
        if found is None:
            raise UnknownDelivery("the endpoint has no delivery of that event")
        return found
