"""The shapes of the operations on webhook endpoints: what is asked, and what is answered."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from orderstore.registry import HEARS_ALL_PUBLIC, consumed_by
from orderstore.request_fields import VISIBLE, Whole
from projections.http.json_types import Number, YesNo
from projections.http.places import Time
from projections.http.webhook_desk import DeliveryState, Ended

TYPES_MAX = 100
REPLAYED_MAX = 2_000
RATE_MAX = 200
OVERLAP_S_MAX = 7 * 86_400

_Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2_000,
        examples=["https://partner.example/hooks/orders"],
        json_schema_extra={"pattern": r"^https://[!-\[\]-~]+$"},
    ),
]
_Types = Annotated[
    tuple[
        Annotated[
            str, Field(min_length=1, max_length=100, json_schema_extra={"enum": sorted(consumed_by(HEARS_ALL_PUBLIC))})
        ],
        ...,
    ],
    Field(max_length=TYPES_MAX, description="Event types as the registry names them; none means every public one."),
]
_Description = Annotated[str, Field(max_length=200, json_schema_extra={"pattern": VISIBLE})]
_Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why: it goes on record in the endpoint, in the clear.",
        json_schema_extra={"pattern": VISIBLE},
    ),
]


class _Asked(BaseModel):
    """A misspelt field is refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class AddEndpoint(_Asked):
    """Where to, and of what."""

    url: _Url
    event_types: _Types = ()
    description: _Description = ""
    reason: _Reason


class ChangeEndpoint(_Asked):
    """What is to be otherwise; what is not named stays."""

    url: _Url | None = None
    event_types: _Types | None = None
    description: _Description | None = None
    reason: _Reason


class Because(_Asked):
    """Why."""

    reason: _Reason


class Rotate(_Asked):
    """`overlapSeconds`: for how long the secret before signs beside the new one; 0 when others know it."""

    overlap_seconds: Annotated[int, Field(strict=True, ge=0, le=OVERLAP_S_MAX), Whole] = 86_400
    reason: _Reason


class Replay(_Asked):
    """Events that occurred from `from` on and before `to`. `dryRun` says what would be replayed and needs no reason."""

    from_: Annotated[Time, Field(alias="from")]
    to: Time
    event_types: _Types = ()
    states: Annotated[tuple[Ended, ...], Field(min_length=1, max_length=4)] = ("failed", "abandoned", "skipped")
    replay: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=64,
            description="A name. The same name goes on where it ended; without one it is made of the range.",
        ),
    ] = None
    dry_run: YesNo = False
    rate: Annotated[float, Field(gt=0, le=RATE_MAX, description="How many a second at most."), Number] = 50
    max: Annotated[
        int, Field(strict=True, ge=1, le=REPLAYED_MAX, description="How many at most in this request."), Whole
    ] = 500
    reason: _Reason | None = None


BODIES = (AddEndpoint, ChangeEndpoint, Because, Rotate, Replay)


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Secret(_Answer):
    """One that signs; `retiresAt`: until when."""

    id: str
    created_at: str
    retires_at: str | None


class WebhookEndpoint(_Answer):
    id: str
    url: str
    event_types: list[str]
    description: str
    state: Literal["enabled", "disabled", "removed"]
    cause: Literal["", "operator", "gone", "failing"]
    since: str
    failing_since: str | None
    created_at: str
    secrets: list[Secret]


class EndpointChange(_Answer):
    at: str
    actor: dict[str, str]
    what: str
    reason: str


class WholeEndpoint(WebhookEndpoint):
    """With who changed what, newest first."""

    changes: list[EndpointChange]


class ShownSecret(WholeEndpoint):
    """`secret` (whsec_...) is shown this once."""

    secret: str


class WebhookEndpoints(_Answer):
    endpoints: list[WebhookEndpoint]


class ListedDelivery(_Answer):
    """`lastStatus` is null without an answer. A `nextAttemptAt` that is past: the endpoint is down and held, or no sender runs."""

    event_id: str
    event_type: str
    order_id: str | None
    occurred_at: str
    state: DeliveryState
    tries: int
    last_status: int | None
    next_attempt_at: str | None


class Deliveries(_Answer):
    deliveries: list[ListedDelivery]
    next_cursor: str | None


class DeliveryAttempt(_Answer):
    """`status` is null when there was no answer; `answer` is the first of it."""

    at: str
    status: int | None
    duration_ms: int
    error: str | None
    answer: str


class WebhookDelivery(ListedDelivery):
    announced_at: str
    replay: str | None
    payload: str
    attempts: list[DeliveryAttempt]


class Replayed(_Answer):
    """`whole`: the range has no more to replay; else ask again with the same name. In a dry run `replayed` are those that would be."""

    replay: str
    dry_run: bool
    replayed: int
    made: int
    by_type: dict[str, int]
    waiting: int
    done_before: int
    not_meant: int
    unreadable_orders: int
    whole: bool
