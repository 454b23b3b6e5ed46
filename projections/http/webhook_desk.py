"""What the operations on webhook endpoints stand on: a port."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from orderstore.recorded import Actor

DeliveryState = Literal["pending", "delivered", "failed", "abandoned", "skipped"]
Ended = Literal["delivered", "failed", "abandoned", "skipped"]


class WebhookDesk(Protocol):
    """The endpoints of one tenant. Answers are JSON documents, as the schemas have them; `…_ms` is milliseconds since 1970.

    Methods raise LookupError (no such endpoint or delivery), ValueError (refused; the text says why), ConnectionError (not now).
    """

    async def endpoints(self) -> Mapping[str, Any]:
        """All endpoints."""

    async def endpoint(self, endpoint_id: str) -> Mapping[str, Any]:
        """One endpoint, with what was changed."""

    async def add(
        self, *, url: str, event_types: Sequence[str], description: str, actor: Actor, reason: str
    ) -> Mapping[str, Any]:
        """A new endpoint; `secret` is in this answer and in no other."""

    async def change(
        self,
        endpoint_id: str,
        *,
        url: str | None = None,
        event_types: Sequence[str] | None = None,
        description: str | None = None,
        actor: Actor,
        reason: str,
    ) -> Mapping[str, Any]:
        """Other values; None leaves one."""

    async def enable(self, endpoint_id: str, *, actor: Actor, reason: str) -> Mapping[str, Any]:
        """Send to it again."""

    async def disable(self, endpoint_id: str, *, actor: Actor, reason: str) -> Mapping[str, Any]:
        """Send nothing to it."""

    async def remove(self, endpoint_id: str, *, actor: Actor, reason: str) -> Mapping[str, Any]:
        """For good."""

    async def rotate(self, endpoint_id: str, *, overlap_s: int, actor: Actor, reason: str) -> Mapping[str, Any]:
        """A new secret, in this answer and in no other."""

    async def test(self, endpoint_id: str) -> Mapping[str, Any]:
        """Send it something that means nothing; the delivery."""

    async def deliveries(
        self,
        endpoint_id: str,
        *,
        state: DeliveryState | None = None,
        from_ms: int | None = None,
        until_ms: int | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Mapping[str, Any]:
        """What it was told of, the newest event first."""

    async def delivery(self, endpoint_id: str, event_id: str) -> Mapping[str, Any]:
        """One delivery with its attempts."""

    async def redeliver(self, endpoint_id: str, event_id: str, *, actor: Actor, reason: str) -> Mapping[str, Any]:
        """Send one again."""

    async def replay(
        self,
        endpoint_id: str,
        *,
        from_ms: int,
        until_ms: int,
        event_types: Sequence[str],
        states: Sequence[Ended],
        name: str | None,
        dry_run: bool,
        rate_per_s: float,
        most: int,
        seconds_max: float,
        actor: Actor,
        reason: str | None,
    ) -> Mapping[str, Any]:
        """Tell it again of a range, as far as the time allows."""
