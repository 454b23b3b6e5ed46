"""The desk at which people look after endpoints: what the command line and the API both call. Answers are JSON documents.

Every method raises UnknownEndpoint, NotPossible for a request that is wrong, WebhooksUnavailable, Contended. Whatever changes an endpoint
is on record in it: who, when, why.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from orderstore.privacy.keys import PrivacyError
from orderstore.recorded import Actor
from orderstore.registry import HEARS_ALL_PUBLIC, consumed_by
from orderstore.request_fields import check_clear_text, check_identifier
from orderstore.store.errors import StoreError
from workers.tables.errors import TableError
from workers.webhooks import documents
from workers.webhooks.addresses import AddressPolicy
from workers.webhooks.endpoint import Change, Endpoint
from workers.webhooks.endpoints import Endpoints
from workers.webhooks.errors import NotPossible, UnknownEndpoint, WebhooksUnavailable
from workers.webhooks.secrets import Secrets

OVERLAP_S_DEFAULT: Final = 86_400
OVERLAP_S_MAX: Final = 7 * 86_400
REASON_CHARACTERS_MAX: Final = 500
DESCRIPTION_CHARACTERS_MAX: Final = 200


class EndpointDesk:
    """For the endpoints of one tenant."""

    def __init__(
        self,
        endpoints: Endpoints,
        secrets: Secrets,
        *,
        policy: AddressPolicy,
        tenant: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._endpoints = endpoints
        self._secrets = secrets
        self._policy = policy
        self._tenant = tenant
        self._now_ms = now_ms

    async def endpoints(self) -> Mapping[str, Any]:
        """All endpoints, oldest first, without the removed ones."""
        with translated():
            mine = [one for one in await self._endpoints.all() if one.tenant == self._tenant]
        return {"endpoints": [documents.endpoint(one, now_ms=self._now_ms()) for one in mine]}

    async def endpoint(self, endpoint_id: str) -> Mapping[str, Any]:
        """One endpoint, with what was changed."""
        with translated():
            return documents.whole_endpoint(await self._mine(endpoint_id), now_ms=self._now_ms())

    async def add(
        self, *, url: str, event_types: Sequence[str], description: str, actor: Actor, reason: str
    ) -> Mapping[str, Any]:
        """A new endpoint, enabled. `secret` is in this answer and in no other."""
        change = self._change(actor, "added", reason)
        self._check(url=url, event_types=event_types, description=description)
        endpoint_id = f"whe_{uuid4().hex}"
        with translated():
            sealed, secret = await self._secrets.make(endpoint_id)
            made = Endpoint(
                id=endpoint_id,
                tenant=self._tenant,
                url=url,
                event_types=checked_event_types(event_types),
                description=_description(description),
                state="enabled",
                cause="",
                since_ms=change.at_ms,
                failing_since_ms=0,
                secrets=(sealed,),
                created_at_ms=change.at_ms,
                changes=(change,),
                revision=1,
            )
            await self._endpoints.add(made)
        return {**documents.whole_endpoint(made, now_ms=self._now_ms()), "secret": secret}

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
        """Another address, other types, another description; None leaves it. What waits goes to the new address."""
        said = {"url": url, "event types": event_types, "description": description}
        names = [name for name, value in said.items() if value is not None]
        if not names:
            raise NotPossible("say what is to be changed")
        change = self._change(actor, f"changed {', '.join(names)}", reason)
        self._check(url=url, event_types=event_types, description=description)
        values: dict[str, Any] = {}
        if url is not None:
            values["url"] = self._policy.check_url(url)
        if event_types is not None:
            values["event_types"] = checked_event_types(event_types)
        if description is not None:
            values["description"] = _description(description)
        return await self._changed(endpoint_id, lambda now: replace(now, **values).noting(change))

    async def enable(self, endpoint_id: str, *, actor: Actor, reason: str) -> Mapping[str, Any]:
        """Send to it again. What was put aside meanwhile is not sent by itself: replay it."""
        change = self._change(actor, "enabled", reason)

        def decide(now: Endpoint) -> Endpoint:
            self._policy.check_url(now.url)
            return now if now.state == "enabled" else now.enabled(change)

        return await self._changed(endpoint_id, decide)

    async def disable(self, endpoint_id: str, *, actor: Actor, reason: str) -> Mapping[str, Any]:
        """Send nothing to it; attempts that are under way come to their end."""
        change = self._change(actor, "disabled", reason)
        return await self._changed(
            endpoint_id, lambda now: now if now.state == "disabled" else now.disabled("operator", change)
        )

    async def remove(self, endpoint_id: str, *, actor: Actor, reason: str) -> Mapping[str, Any]:
        """For good: its secrets are gone, and it is in no list."""
        change = self._change(actor, "removed", reason)
        return await self._changed(endpoint_id, lambda now: now.removed(change))

    async def rotate(
        self, endpoint_id: str, *, overlap_s: int = OVERLAP_S_DEFAULT, actor: Actor, reason: str
    ) -> Mapping[str, Any]:
        """A new secret; the one before signs too for `overlap_s` more (0: it is known to others, and signs no longer)."""
        if not 0 <= overlap_s <= OVERLAP_S_MAX:
            raise NotPossible(f"two secrets sign for at most {OVERLAP_S_MAX // 86_400} days")
        change = self._change(actor, f"rotated the secret, overlap {overlap_s} s", reason)
        with translated():
            await self._mine(endpoint_id)
            sealed, secret = await self._secrets.make(endpoint_id)
        done = await self._changed(
            endpoint_id, lambda now: now.rotated(sealed, overlap_ms=overlap_s * 1000, change=change)
        )
        return {**done, "secret": secret}

    async def _changed(self, endpoint_id: str, decide: Callable[[Endpoint], Endpoint]) -> Mapping[str, Any]:
        def mine(now: Endpoint) -> Endpoint:
            self._check_mine(now)
            return decide(now)

        with translated():
            return documents.whole_endpoint(await self._endpoints.change(endpoint_id, mine), now_ms=self._now_ms())

    async def _mine(self, endpoint_id: str) -> Endpoint:
        found = await self._endpoints.get(endpoint_id)
        self._check_mine(found)
        return found

    def _check_mine(self, found: Endpoint) -> None:
        if found.tenant != self._tenant or found.state == "removed":
            raise UnknownEndpoint(f"there is no endpoint {found.id!r}")

    def _check(self, *, url: str | None, event_types: Sequence[str] | None, description: str | None) -> None:
        """Raises NotPossible, which names every field that is wrong."""
        wrong: list[tuple[str, str]] = []
        checks: tuple[tuple[str, Callable[[], object] | None], ...] = (
            ("/url", None if url is None else lambda: self._policy.check_url(url)),
            ("/eventTypes", None if event_types is None else lambda: checked_event_types(event_types)),
            ("/description", None if description is None else lambda: _description(description)),
        )
        for pointer, check in checks:
            try:
                if check is not None:
                    check()
            except NotPossible as error:
                wrong += error.wrong or ((pointer, str(error)),)
        if wrong:
            raise NotPossible("; ".join(dict.fromkeys(detail for _, detail in wrong)), wrong=wrong)

    def _is_enabled(self, endpoint: Endpoint) -> None:
        if endpoint.state != "enabled":
            raise NotPossible("the endpoint is disabled: enable it first")

    def _change(self, actor: Actor, what: str, reason: str) -> Change:
        """Who does what, and why: it stands on record. Raises NotPossible."""
        if not reason.strip() or len(reason) > REASON_CHARACTERS_MAX:
            detail = f"say why (reason), in at most {REASON_CHARACTERS_MAX} characters: it goes on record"
            raise NotPossible(detail, wrong=(("/reason", detail),))
        _clear(reason, "reason")
        return Change(
            at_ms=self._now_ms(), actor=Actor(actor.type, checked_identifier(actor.id)), what=what, reason=reason
        )


def checked_event_types(names: Sequence[str]) -> tuple[str, ...]:
    known = consumed_by(HEARS_ALL_PUBLIC)
    if unknown := sorted(set(names) - set(known)):
        there = f"there are {', '.join(sorted(known))}"
        wrong = [
            (f"/eventTypes/{place}", f"there is no public event type {name[:100]!r}; {there}")
            for place, name in enumerate(names)
            if name in unknown
        ]
        raise NotPossible(f"there is no public event type {unknown[0][:100]!r}; {there}", wrong=wrong)
    return tuple(sorted(set(names)))


def _description(text: str) -> str:
    if len(text) > DESCRIPTION_CHARACTERS_MAX:
        raise NotPossible(f"a description has at most {DESCRIPTION_CHARACTERS_MAX} characters")
    if text:
        _clear(text, "description")
    return text


def _clear(text: str, what: str) -> None:
    try:
        check_clear_text(text)
    except ValueError as error:
        raise NotPossible(f"{what}: {error}", wrong=((f"/{what}", str(error)),)) from None


def checked_identifier(text: str) -> str:
    try:
        return check_identifier(text)
    except ValueError as error:
        raise NotPossible(str(error)) from None


@contextmanager
def translated() -> Iterator[None]:
    """What is below, in this layer's words."""
    try:
        yield
    except (TableError, StoreError, PrivacyError) as error:
        raise WebhooksUnavailable(f"{type(error).__name__}: {error}") from error
