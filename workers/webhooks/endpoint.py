"""An endpoint: where somebody wants to be told, of what, with which secrets, and how it fares. A value; `endpoints.py` keeps them.

enabled ──> disabled (operator | gone | failing) ──> enabled …
   └───────────────┴──> removed                     for good
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from orderstore.recorded import Actor
from workers.tables.rows import reading, typed
from workers.webhooks.errors import NotPossible

EndpointState = Literal["enabled", "disabled", "removed"]
DisabledCause = Literal["", "operator", "gone", "failing"]
"""`gone`: it answered 410; `failing`: nothing but failures for days."""
WHAT: Final = "a webhook endpoint"
CHANGES_KEPT: Final = 50
SECRETS_MAX: Final = 3
REMOVED_KEPT_S: Final = 90 * 86_400
"""How long the record of a removed one stays, well beyond its deliveries' time: the table is read whole, again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """A secret under the endpoint's own key. `retires_at_ms`: until when it signs; 0 for the present one."""

    id: str
    ciphertext: str
    created_at_ms: int
    retires_at_ms: int = 0

    def signs(self, now_ms: int) -> bool:
        """Whether receivers may still rely on it."""
        return self.retires_at_ms == 0 or now_ms < self.retires_at_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who changed what, and why."""

    at_ms: int
    actor: Actor
    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """As it stands. Times are wall clock, in milliseconds since 1970. `event_types`: none means every public one."""

    id: str
    tenant: str
    url: str
    event_types: tuple[str, ...]
    description: str
    state: EndpointState
    cause: DisabledCause
    since_ms: int
    """Since when it is in this state."""
    failing_since_ms: int
    """When the failures began that no success has ended; 0 for none."""
    secrets: tuple[SealedSecret, ...]
    """The present one first."""
    created_at_ms: int
    changes: tuple[Change, ...]
    """The last ones, oldest first."""
    revision: int

    def wants(self, event_type: str) -> bool:
        """Whether it asked to be told of such events."""
        return not self.event_types or event_type in self.event_types

    def noting(self, change: Change) -> "Endpoint":
        """With one more change on record."""
        return replace(self, changes=(*self.changes, change)[-CHANGES_KEPT:])

    def disabled(self, cause: DisabledCause, change: Change) -> "Endpoint":
        """Nothing is sent from now on."""
        return replace(self, state="disabled", cause=cause, since_ms=change.at_ms).noting(change)

    def enabled(self, change: Change) -> "Endpoint":
        """It is sent to again, and its failures are forgotten."""
        return replace(self, state="enabled", cause="", since_ms=change.at_ms, failing_since_ms=0).noting(change)

    def removed(self, change: Change) -> "Endpoint":
        """Nobody's any more: the secrets go, the record of it stays for a while."""
        return replace(self, state="removed", cause="operator", since_ms=change.at_ms, secrets=()).noting(change)

    def rotated(self, secret: SealedSecret, *, overlap_ms: int, change: Change) -> "Endpoint":
        """With a new secret; earlier ones sign for `overlap_ms` more, or until the time that they were given before.

        Raises NotPossible when too many would sign: none that somebody still relies on is dropped for it.
        """
        until_ms = change.at_ms + overlap_ms
        earlier = (
            replace(old, retires_at_ms=min(until_ms, old.retires_at_ms or until_ms))
            for old in self.secrets
            if old.signs(change.at_ms)
        )
        kept = tuple(old for old in earlier if old.signs(change.at_ms))
        if len(kept) >= SECRETS_MAX:
            raise NotPossible(f"{SECRETS_MAX} secrets sign already: wait until one retires, or rotate without overlap")
        return replace(self, secrets=(secret, *kept)).noting(change)


def to_row(endpoint: Endpoint) -> dict[str, Any]:
    """What is stored beside the key. `expires_at` is the table's time to live, in seconds; only removed ones have it."""
    leaves = {"expires_at": endpoint.since_ms // 1000 + REMOVED_KEPT_S} if endpoint.state == "removed" else {}
    return {
        **leaves,
        "tenant": endpoint.tenant,
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "description": endpoint.description,
        "state": endpoint.state,
        "cause": endpoint.cause,
        "since_ms": endpoint.since_ms,
        "failing_since_ms": endpoint.failing_since_ms,
        "secrets": [
            {
                "id": secret.id,
                "ciphertext": secret.ciphertext,
                "created_at_ms": secret.created_at_ms,
                "retires_at_ms": secret.retires_at_ms,
            }
            for secret in endpoint.secrets
        ],
        "created_at_ms": endpoint.created_at_ms,
        "changes": [
            {
                "at_ms": change.at_ms,
                "actor_type": change.actor.type,
                "actor": change.actor.id,
                "what": change.what,
                "reason": change.reason,
            }
            for change in endpoint.changes
        ],
        "revision": endpoint.revision,
    }


def from_row(row: Mapping[str, Any]) -> Endpoint:
    """What `to_row` made of it. Raises RowUnreadable."""
    with reading(WHAT):
        changes = [
            {**change, "actor": {"type": change["actor_type"], "id": change["actor"]}} for change in row["changes"]
        ]
    return typed(Endpoint, {**row, "id": row.get("endpoint"), "changes": changes}, WHAT)
