"""The whole API as Schemathesis meets it: the OpenAPI document that the app itself gives, and what every answer is held to.

Schemathesis drives an app from its own event loop; the app's lifespan there is one world of orders, endpoints, letters and so on.
"""

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode, Response
from schemathesis.checks import CheckContext
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.python import asgi
from schemathesis.specs.openapi import checks
from starlette.types import Receive, Scope, Send

from projections.http import dead_letters, webhooks
from tests.projections.http.api import ADMIN
from tests.projections.http.changed import is_a_change
from tests.projections.http.live_api import events_in
from tests.projections.http.whole_api import CUSTOMER, HELD_BY, WholeApi, running_whole

SEED: Final = 6
SECONDS_MAX: Final = 0.05
"""How long a desk works for one request: whoever asks for a rate of one an hour is answered soon all the same."""
EVENTS_MAX: Final = 20
HEADERS: Final = {"Authorization": f"Bearer {ADMIN}"}
_CONFIG: Final = {
    "seed": SEED,
    "max-stream-events": EVENTS_MAX,
    # Tokens are not drawn: they are given, and `ignored_auth` takes them away.
    "generation": {"with-security-parameters": False},
}

# What no schema can say of a request, so that one which fits its schema may still be refused. (What it can say, it must.)
_BEYOND_SCHEMAS: Final = frozenset(
    {
        *("value_error", "refused", "hooks_refused", "unknown_currency"),
        *("contradictory", "bad_cursor", "not_a_moment", "not_a_position"),
    }
)
_AMOUNTS: Final = ("/price", "/discount", "/total")
"""As text their bounds are beyond a schema."""


class Stage:
    """ASGI. Each lifespan is a new world; every answer that refuses is watched for what it leaves behind."""

    def __init__(self) -> None:
        self.whole: WholeApi
        self.left_behind: list[str] = []
        self.changes = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        if scope["type"] == "lifespan":
            await receive()
            async with running_whole(changes=self.changes) as self.whole:
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        status = 0

        async def noted(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        if scope["method"] == "GET":
            await self.whole.api.app(scope, receive, noted)
            return
        before = await self.whole.kept()
        await self.whole.api.app(scope, receive, noted)
        if status >= 400:
            after = await self.whole.kept()
            self.left_behind += [f"{status} {scope['path']}: {part}" for part in after if after[part] != before[part]]


STAGE: Final = Stage()


@functools.cache
def described() -> Any:
    """The document as Schemathesis reads it."""
    config = SchemathesisConfig.from_dict(dict(_CONFIG))
    return schemathesis.openapi.from_asgi("/openapi.json", STAGE, config=config)


@contextmanager
def on_stage(label: str | None = None) -> Iterator[Stage]:
    """A fresh world, with what this operation needs, or every one; at its end nothing may be left behind by anything that was refused."""
    schema = described()
    asgi.shutdown_lifespans()
    STAGE.changes = label is None or is_a_change(label)
    with (
        patch.object(dead_letters, "SECONDS_MAX", SECONDS_MAX),
        patch.object(webhooks, "SECONDS_MAX", SECONDS_MAX),
        client() as session,
    ):
        schema.coverage_unexpected_methods_seen.clear()
        STAGE.left_behind.clear()
        yield STAGE
        assert STAGE.left_behind == []
        assert session.get("/readyz").status_code == 200
    asgi.shutdown_lifespans()


def drawing(examples: int) -> settings:
    """So many examples, the same on every run with a seed; one that fails is shown as it was drawn, since the world has moved on."""
    return settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def client() -> Iterator[Any]:
    """For questions that no schema leads to."""
    app: Any = STAGE
    with asgi.get_client(app) as session:
        yield session


def operation(label: str) -> Any:
    """By its method and path."""
    method, path = label.split(" ")
    return described()[path][method]


def ids(label: str) -> dict[str, str]:
    """Path parameters that name what is there."""
    known = STAGE.whole.known
    order = known.placed
    if label.endswith("/release"):
        order = known.held
    elif label.endswith(("/refunds", "/invoices", "/changes")):
        order = known.invoiced
    there = {
        "orderId": order,
        "holdId": HELD_BY,
        "invoiceNumber": "INV-000001",
        "customerId": CUSTOMER,
        "noteId": known.note,
        "endpointId": known.endpoint,
        "eventId": known.event,
        "queue": "payment",
        "messageId": known.letter,
    }
    if known.changed is not None:
        there |= known.changed.ids(label)
    return {name: value for name, value in there.items() if f"{{{name}}}" in label}


_CONDITIONS: Final = ("If-Match", "If-None-Match", "Last-Event-ID", "lastEventId")
"""Drawn at random, no condition ever holds: of a case that is about something else they are left out."""


def boundaries(label: str) -> Iterator[Any]:
    """Schemathesis's own cases for every bound and every keyword of the operation's schemas, and for methods that it does not have."""
    found = operation(label)
    generation = found.schema.config.generation_for(operation=found, phase="coverage")
    for case in found.schema.iter_coverage_cases(
        found, generation_modes=list(GenerationMode), generation_config=generation
    ):
        path = case.meta.components.get(ParameterLocation.PATH)
        if path is not None and path.mode.is_positive:
            case.path_parameters = {**case.path_parameters, **ids(label)}
        for name in _CONDITIONS:
            if name != case.meta.phase.data.parameter:
                case.headers.pop(name, None)
                case.query.pop(name, None)
        yield case


def check(case: Any) -> Any:
    """Send it, and hold the answer to the document."""
    streams = case.operation.path.endswith("/live")
    excluded = [checks.positive_data_acceptance, *([checks.response_schema_conformance] if streams else [])]
    additional = [_refused_for_what_schemas_cannot_say, _is_problem, *([_events_fit] if streams else [])]
    if case.operation.path in _LETTERS_BESIDE:
        excluded.append(checks.allow_header_conformance)
    return case.call_and_validate(headers=HEADERS, excluded_checks=excluded, additional_checks=additional)


_LETTERS_BESIDE: Final = frozenset({"/dead-letters/{queue}/redrive", "/dead-letters/{queue}/purge"})
"""A dead letter may be called `redrive` too: it can be asked for, and `Allow` says so."""


def _refused_for_what_schemas_cannot_say(_context: CheckContext, response: Response, case: Any) -> None:
    """A request that fits its schema may only be refused for what no schema can say."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return
    for error in response.json().get("errors", ()):
        amount = error.get("pointer", "").endswith(_AMOUNTS) and error["code"].endswith("than_equal")
        assert amount or error["code"] in _BEYOND_SCHEMAS, f"the document promises this: {error}"


def _is_problem(_context: CheckContext, response: Response, case: Any) -> None:
    """Whatever is refused is refused with a problem document that says what happened; also on paths and methods that do not exist."""
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    (media_type,) = response.headers["content-type"]
    assert media_type == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["code"]
    assert problem["detail"]
    assert problem["instance"].endswith(response.headers["x-request-id"][0])


def _events_fit(_context: CheckContext, response: Response, case: Any) -> None:
    """Each event of a stream has the shape that the document gives its name."""
    if response.status_code != 200:
        return
    raw = described().raw_schema
    shapes = raw["paths"][case.operation.path]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    for event in events_in(response.content.decode()):
        if "event" in event:
            shape = {**shapes["x-sse-events"][event["event"]], "components": raw["components"]}
            Draft202012Validator(shape).validate(json.loads(event["data"]))
