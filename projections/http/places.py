"""The path and query parameters that the operations share, with their bounds."""

import re
from collections import Counter
from datetime import datetime
from typing import Annotated, Final, Literal, NoReturn

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from orderstore.audit.moments import AsOf, AtCommit, Clock, Moment, NotAMoment, parse_moment, parse_time
from orderstore.audit.trail import NotAFilter, Span, Wanted, check_type
from orderstore.recorded import ActorType
from orderstore.registry import BY_NAME
from orderstore.request_fields import check_key
from projections.http.notes import note_order
from projections.http.problems import SEE_ERRORS, FieldError, Problem

PAGE_ITEMS_MAX: Final = 100
PAGE_ITEMS: Final = 50
CURSOR_CHARACTERS_MAX: Final = 2048
COMMIT_MAX: Final = 999_999_999
WAIT_MS_MAX: Final = 10_000

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


async def _order_id(
    request: Request, order_id: Annotated[str, Path(alias="orderId", json_schema_extra={"format": "uuid"})]
) -> str:
    """The order id in the one form that the log knows."""
    order_id = order_id.lower()
    if not _UUID.fullmatch(order_id):
        raise Problem("unknown_order", "an order id is a UUID")
    note_order(request, order_id)
    return order_id


OrderIdOf = Annotated[str, Depends(_order_id)]
InvoiceNumber = Annotated[
    str, Path(alias="invoiceNumber", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["INV-2026-000001"])
]


async def _said_once(request: Request) -> None:
    """A parameter that is given twice says two things; of the framework's own it would be the last, silently."""
    counted = Counter(name for name, _ in request.query_params.multi_items() if name not in _MANY)
    if repeated := [name for name, count in counted.items() if count > 1]:
        errors = [FieldError(parameter=name[:128], detail="send it once", code="repeated") for name in repeated]
        raise Problem("bad_parameter", SEE_ERRORS, errors=errors)


SaidOnce = Depends(_said_once)
_MANY: Final = frozenset({"type", "currency"})


def _time(text: object) -> datetime:
    try:
        return parse_time(str(text))
    except NotAMoment as error:
        raise PydanticCustomError("not_a_time", "{reason}", {"reason": str(error)}) from error


def _event_types(names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        for name in names:
            check_type(name[:_NAME_CHARACTERS_MAX])
    except NotAFilter as error:
        raise PydanticCustomError("unknown_event_type", "{reason}", {"reason": str(error)}) from error
    return names


_NAME_CHARACTERS_MAX: Final = 256
_CLOCK_HINT: Final = "`recorded`: when it was written down, so what could be known; `occurred`: when it happened."
_FROM: Final = "Events {} at or after this RFC 3339 time."
_TO: Final = "Events {} before this RFC 3339 time."
Time = Annotated[datetime, BeforeValidator(_time)]
Word = Annotated[str, Field(min_length=1, max_length=_NAME_CHARACTERS_MAX)]
Limit = Annotated[int, Field(ge=1, le=PAGE_ITEMS_MAX, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Field(max_length=CURSOR_CHARACTERS_MAX, pattern=r"^[\x21-\x7e]+$", description="`nextCursor` of the page before."),
]


class Asked(BaseModel):
    """A misspelt parameter is refused: ignored, it would change what the answer means."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class _Fresh(Asked):
    """What a reader may ask who knows of a commit."""

    min_commit: Annotated[
        int | None,
        Field(
            ge=1,
            le=COMMIT_MAX,
            description="The answer shows this commit at least, such as the `commit` of a write's answer: the view is waited for, then the "
            "log is read.",
        ),
    ] = None
    wait_ms: Annotated[
        int | None,
        Field(
            ge=0,
            le=WAIT_MS_MAX,
            description="With `minCommit`: how long to wait for the view at most, before the log is read. "
            "The service's own bound holds too.",
        ),
    ] = None

    @property
    def wait_s(self) -> float | None:
        """How long to wait for the view; None: as long as the service does."""
        return None if self.wait_ms is None else self.wait_ms / 1000

    def check_wait(self) -> None:
        """Raises Problem: there is nothing to wait for."""
        if self.wait_ms is not None and self.min_commit is None:
            contradiction("it says how long to wait for a commit, and there is no minCommit", "waitMs")


class InvoicesAsked(_Fresh):
    """`GET /orders/{orderId}/invoices`."""


class OrderAsked(_Fresh):
    """`GET /orders/{orderId}`."""

    consistency: Annotated[
        Literal["eventual", "strong"],
        Field(description="`eventual` reads the view, which follows the log closely; `strong` folds the log itself."),
    ] = "eventual"
    as_of: Annotated[
        Time | None,
        Field(
            description="The order as it stood at this RFC 3339 time, from the log. A time needs its offset, such as `Z`."
        ),
    ] = None
    clock: Annotated[Clock | None, Field(description=f"How `asOf` is meant. {_CLOCK_HINT} `recorded` if absent.")] = (
        None
    )
    at_commit: Annotated[
        int | None, Field(ge=0, le=COMMIT_MAX, description="The order as it stood after this commit, from the log.")
    ] = None

    def moment(self) -> Moment | None:
        """The moment of the past that is asked for, if any. Raises Problem: the parameters contradict each other."""
        if self.as_of is not None and self.at_commit is not None:
            contradiction("these name two moments: send one of them", "asOf", "atCommit")
        if self.clock is not None and self.as_of is None:
            contradiction("it says how asOf is meant, and there is no asOf", "clock")
        self.check_wait()
        if self.wait_ms is not None and self.consistency == "strong":
            contradiction("the log is read at once: there is nothing to wait for", "waitMs", "consistency")
        if self.as_of is None and self.at_commit is None:
            return None
        if self.min_commit is not None:
            named = "asOf" if self.at_commit is None else "atCommit"
            contradiction(
                "one asks for the past, the other for the present at that commit or later", "minCommit", named
            )
        if "consistency" in self.model_fields_set and self.consistency == "eventual":
            named = "asOf" if self.at_commit is None else "atCommit"
            contradiction("the past is always read from the log, never from the view", "consistency", named)
        return AsOf(self.as_of, self.clock or "recorded") if self.as_of is not None else AtCommit(self.at_commit or 0)


class ChangesAsked(Asked):
    """`GET /orders/{orderId}/changes`."""

    from_: Annotated[
        Word, Field(alias="from", description="A commit's number (0 is before the first), or an RFC 3339 time.")
    ]
    to: Annotated[Word, Field(description="The same. It may be the earlier one: then changes are taken back.")]
    clock: Annotated[Clock | None, Field(description=f"How times are meant. {_CLOCK_HINT} `recorded` if absent.")] = (
        None
    )

    def moments(self) -> tuple[Moment, Moment]:
        """From and to. Raises Problem."""
        clock = self.clock or "recorded"
        old, new = _moment("from", self.from_, clock), _moment("to", self.to, clock)
        if self.clock is not None and isinstance(old, AtCommit) and isinstance(new, AtCommit):
            contradiction("it says how times are meant, and from and to are commits", "clock")
        return old, new


class EventsAsked(Asked):
    """`GET /orders/{orderId}/events`."""

    after: Annotated[int, Field(ge=0, le=2**53, description="Only events with a version above this one.")] = 0
    limit: Limit = PAGE_ITEMS
    types: Annotated[
        tuple[str, ...],
        Field(
            alias="type",
            max_length=len(BY_NAME),
            description="Only events of this type; it may be repeated for several.",
            json_schema_extra={"items": {"type": "string", "enum": sorted(BY_NAME)}},
        ),
        AfterValidator(_event_types),
    ] = ()
    actor_type: Annotated[ActorType | None, Field(description="Only what such an actor did.")] = None
    actor_id: Annotated[Word | None, Field(description="Only what the actor with this id did.")] = None
    source: Annotated[Word | None, Field(description="Only events that this part of the service wrote.")] = None
    correlation_id: Annotated[Word | None, Field(description="Only events of this correlation.")] = None
    causation_id: Annotated[Word | None, Field(description="Only what this event or request brought about.")] = None
    recorded_from: Annotated[Time | None, Field(description=_FROM.format("written down"))] = None
    recorded_to: Annotated[Time | None, Field(description=_TO.format("written down"))] = None
    occurred_from: Annotated[Time | None, Field(description=_FROM.format("that happened"))] = None
    occurred_to: Annotated[Time | None, Field(description=_TO.format("that happened"))] = None

    def wanted(self) -> Wanted:
        """Which events are asked for. Raises Problem: none could ever pass."""
        try:
            return Wanted(
                actor_type=self.actor_type,
                actor_id=self.actor_id,
                types=frozenset(self.types),
                source=self.source,
                correlation_id=self.correlation_id,
                causation_id=self.causation_id,
                recorded=Span(self.recorded_from, self.recorded_to),
                occurred=Span(self.occurred_from, self.occurred_to),
            )
        except NotAFilter as error:
            contradiction(str(error), *map(to_camel, error.about))


class OrdersAsked(Asked):
    """`GET /orders`."""

    customer_id: Annotated[
        str, Field(min_length=1, max_length=128, description="Whose orders."), AfterValidator(check_key)
    ]
    cursor: Cursor = None
    limit: Limit = PAGE_ITEMS


def _moment(parameter: str, text: str, clock: Clock) -> Moment:
    try:
        return parse_moment(text, clock=clock)
    except NotAMoment as error:
        refused = FieldError(parameter=parameter, detail=str(error), code="not_a_moment")
        raise Problem("bad_parameter", SEE_ERRORS, errors=[refused]) from error


def contradiction(detail: str, *parameters: str) -> NoReturn:
    """Raises Problem: these parameters, by name, cannot be meant together."""
    errors = [FieldError(parameter=name, detail=detail, code="contradictory") for name in parameters]
    raise Problem("bad_parameter", SEE_ERRORS, errors=errors)


OrderQuery = Annotated[OrderAsked, Query()]
InvoicesQuery = Annotated[InvoicesAsked, Query()]
ChangesQuery = Annotated[ChangesAsked, Query()]
EventsQuery = Annotated[EventsAsked, Query()]
OrdersQuery = Annotated[OrdersAsked, Query()]
