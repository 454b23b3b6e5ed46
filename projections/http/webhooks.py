"""The operations on webhook endpoints. What they do is the desk's; this only asks and tells."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from projections.http import webhook_examples as examples
from projections.http import webhook_schemas as schemas
from projections.http.answers import JsonAnswer
from projections.http.auth import WebhookReader, WebhookWriter
from projections.http.body import read_as
from projections.http.described import accepts, answers
from projections.http.desks import translated
from projections.http.places import Limit, SaidOnce, Time
from projections.http.services import ServicesOf
from projections.http.webhook_desk import DeliveryState, WebhookDesk

# A request must be answered before its client gives up; whoever has more to replay asks again, or uses the command line.
SECONDS_MAX: Final = 20.0

_BODY: Final = ("not_json", "body_timeout", "body_too_large", "unsupported_media_type")
_DESK: Final = ("bad_parameter", "not_found", "invalid", "unavailable", "internal")
_UNCACHED: Final = {"Cache-Control": "no-store"}
_NAME: Final = r"^[A-Za-z0-9_-]{1,100}$"
EndpointOf = Annotated[str, Path(alias="endpointId", pattern=_NAME, examples=["whe_0f8fad5bd9cb469fa16570867728950e"])]
EventOf = Annotated[str, Path(alias="eventId", pattern=_NAME)]
Moment = Annotated[Time | None, Query()]


def add_routes(router: APIRouter) -> None:
    """Endpoints, their secrets, what they were told, and telling again."""
    every, one = "/webhooks/endpoints", "/webhooks/endpoints/{endpointId}"
    events, event = f"{one}/deliveries", f"{one}/deliveries/{{eventId}}"
    whole, shown, delivery = schemas.WholeEndpoint, schemas.ShownSecret, schemas.WebhookDelivery
    because = accepts(schemas.Because, examples.BECAUSE)
    adding = accepts(schemas.AddEndpoint, examples.ADD)
    changing = accepts(schemas.ChangeEndpoint, examples.CHANGE)
    rotating = accepts(schemas.Rotate, examples.ROTATE)
    replaying = accepts(schemas.Replay, examples.REPLAY)
    for method, path, operation, summary, status, answer, asked in (
        ("GET", every, list_webhook_endpoints, "All endpoints", 200, schemas.WebhookEndpoints, {}),
        ("POST", every, add_webhook_endpoint, "Add an endpoint", 201, shown, adding),
        ("GET", one, get_webhook_endpoint, "One endpoint, and who changed what", 200, whole, {}),
        ("PATCH", one, change_webhook_endpoint, "Change an endpoint", 200, whole, changing),
        ("POST", f"{one}/enable", enable_webhook_endpoint, "Send to it again", 200, whole, because),
        ("POST", f"{one}/disable", disable_webhook_endpoint, "Send nothing to it", 200, whole, because),
        ("POST", f"{one}/remove", remove_webhook_endpoint, "Remove it for good", 200, whole, because),
        ("POST", f"{one}/rotate", rotate_webhook_secret, "A new secret", 200, shown, rotating),
        ("POST", f"{one}/test", send_webhook_test, "Send a test", 202, delivery, {}),
        ("POST", f"{one}/replay", replay_webhooks, "Tell it again of a range", 200, schemas.Replayed, replaying),
        ("GET", events, list_webhook_deliveries, "What it was told of, newest first", 200, schemas.Deliveries, {}),
        ("GET", event, get_webhook_delivery, "One delivery with its attempts", 200, delivery, {}),
        ("POST", f"{event}/redeliver", redeliver_webhook, "Send one again", 202, delivery, because),
    ):
        router.add_api_route(
            path,
            operation,
            methods=[method],
            status_code=status,
            summary=summary,
            tags=["webhooks"],
            dependencies=[SaidOnce],
            openapi_extra=asked or None,
            responses=answers(status, answer, "As it is now.", (*(_BODY if asked else ()), *_DESK)),
        )


async def list_webhook_endpoints(_reader: WebhookReader, services: ServicesOf) -> Response:
    """Oldest first; removed ones are not shown."""
    with translated():
        return JsonAnswer(dict(await _desk(services).endpoints()))


async def add_webhook_endpoint(request: Request, writer: WebhookWriter, services: ServicesOf) -> Response:
    """It is enabled, and hears of what happens from about now on. Its secret is shown in this answer only."""
    asked = await read_as(schemas.AddEndpoint, request)
    with translated():
        made = await _desk(services).add(
            url=asked.url,
            event_types=asked.event_types,
            description=asked.description,
            actor=writer.actor,
            reason=asked.reason,
        )
    return JsonAnswer(dict(made), status_code=201, headers=_UNCACHED)


async def get_webhook_endpoint(_reader: WebhookReader, services: ServicesOf, endpoint: EndpointOf) -> Response:
    """With its state, the cause of it, since when; and no secret."""
    with translated():
        return JsonAnswer(dict(await _desk(services).endpoint(endpoint)))


async def change_webhook_endpoint(
    request: Request, writer: WebhookWriter, services: ServicesOf, endpoint: EndpointOf
) -> Response:
    """What waits is sent to the new address."""
    asked = await read_as(schemas.ChangeEndpoint, request)
    with translated():
        done = await _desk(services).change(
            endpoint,
            url=asked.url,
            event_types=asked.event_types,
            description=asked.description,
            actor=writer.actor,
            reason=asked.reason,
        )
    return JsonAnswer(dict(done))


async def enable_webhook_endpoint(
    request: Request, writer: WebhookWriter, services: ServicesOf, endpoint: EndpointOf
) -> Response:
    """What was put aside meanwhile is not sent by itself: replay it."""
    asked = await read_as(schemas.Because, request)
    with translated():
        return JsonAnswer(dict(await _desk(services).enable(endpoint, actor=writer.actor, reason=asked.reason)))


async def disable_webhook_endpoint(
    request: Request, writer: WebhookWriter, services: ServicesOf, endpoint: EndpointOf
) -> Response:
    """Attempts that are under way come to their end."""
    asked = await read_as(schemas.Because, request)
    with translated():
        return JsonAnswer(dict(await _desk(services).disable(endpoint, actor=writer.actor, reason=asked.reason)))


async def remove_webhook_endpoint(
    request: Request, writer: WebhookWriter, services: ServicesOf, endpoint: EndpointOf
) -> Response:
    """Its secrets are gone, and nothing brings it back."""
    asked = await read_as(schemas.Because, request)
    with translated():
        return JsonAnswer(dict(await _desk(services).remove(endpoint, actor=writer.actor, reason=asked.reason)))


async def rotate_webhook_secret(
    request: Request, writer: WebhookWriter, services: ServicesOf, endpoint: EndpointOf
) -> Response:
    """During the overlap each webhook bears both signatures. The new secret is shown in this answer only."""
    asked = await read_as(schemas.Rotate, request)
    with translated():
        done = await _desk(services).rotate(
            endpoint, overlap_s=asked.overlap_seconds, actor=writer.actor, reason=asked.reason
        )
    return JsonAnswer(dict(done), headers=_UNCACHED)


async def send_webhook_test(_writer: WebhookWriter, services: ServicesOf, endpoint: EndpointOf) -> Response:
    """It is sent as soon as a sender finds it; look at the delivery for how it went."""
    with translated():
        return JsonAnswer(dict(await _desk(services).test(endpoint)), status_code=202)


async def replay_webhooks(
    request: Request, writer: WebhookWriter, services: ServicesOf, endpoint: EndpointOf
) -> Response:
    """Under the same webhook ids, on record. Asked again under the same name, it goes on where it ended."""
    asked = await read_as(schemas.Replay, request)
    with translated():
        done = await _desk(services).replay(
            endpoint,
            from_ms=_ms(asked.from_),
            until_ms=_ms(asked.to),
            event_types=asked.event_types,
            states=asked.states,
            name=asked.replay,
            dry_run=asked.dry_run,
            rate_per_s=asked.rate,
            most=asked.max,
            seconds_max=SECONDS_MAX,
            actor=writer.actor,
            reason=asked.reason,
        )
    return JsonAnswer(dict(done))


async def list_webhook_deliveries(
    _reader: WebhookReader,
    services: ServicesOf,
    endpoint: EndpointOf,
    *,
    state: DeliveryState | None = None,
    since: Annotated[Time | None, Query(alias="from")] = None,
    to: Moment = None,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(min_length=1, max_length=2_000)] = None,
) -> Response:
    """By when the events occurred. A page may be short, or empty, and still have a next one."""
    with translated():
        found = await _desk(services).deliveries(
            endpoint,
            state=state,
            from_ms=None if since is None else _ms(since),
            until_ms=None if to is None else _ms(to),
            limit=limit,
            cursor=cursor,
        )
    return JsonAnswer(dict(found))


async def get_webhook_delivery(
    _reader: WebhookReader, services: ServicesOf, endpoint: EndpointOf, event: EventOf
) -> Response:
    """When each attempt was, what came of it, and when the next is."""
    with translated():
        return JsonAnswer(dict(await _desk(services).delivery(endpoint, event)))


async def redeliver_webhook(
    request: Request, writer: WebhookWriter, services: ServicesOf, endpoint: EndpointOf, event: EventOf
) -> Response:
    """Whatever became of it, under the same webhook id; one that waits is left to its schedule."""
    asked = await read_as(schemas.Because, request)
    with translated():
        done = await _desk(services).redeliver(endpoint, event, actor=writer.actor, reason=asked.reason)
    return JsonAnswer(dict(done), status_code=202)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _desk(services: ServicesOf) -> WebhookDesk:
    desk = services.webhooks
    assert desk is not None, "these routes exist only where there is a desk"
    return desk
