"""The one shape of every operation by which people change an order: who asks, of which order, under which key, of which version; the
`Wish` that they have; and the answer, which names the event that says so."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar
from uuid import uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from orderstore.expected import Expected
from orderstore.recorded import Actor
from orderstore.wishes.wish import Granted, Wish
from projections.http.answers import written
from projections.http.body import read_as
from projections.http.described import BODY_PROBLEMS, STORE_PROBLEMS, accepts, answers
from projections.http.headers import IdempotencyKey, IfMatch, traceparent_of
from projections.http.places import OrderIdOf
from projections.http.services import Services, ServicesOf

_Model = TypeVar("_Model", bound=BaseModel)

ASKED: Final = ("bad_parameter", *BODY_PROBLEMS, "unknown_order", "wrong_version", *STORE_PROBLEMS)
"""What any of them may be refused for."""
REPLAYED: Final = {"Idempotency-Replayed": "`true` when it had been done already."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A request about one order."""

    request: Request
    services: Services
    order_id: str
    expected: Expected
    key: str
    """The client's own Idempotency-Key, or one that was drawn: then each request is one of its own."""

    @property
    def about(self) -> dict[str, Any]:
        """What the verbs of `Orders` want to know of every request."""
        return {"expected": self.expected, "traceparent": traceparent_of(self.request)}

    async def read(self, model: type[_Model], *, empty_is: _Model | None = None) -> _Model:
        """The body. Raises Problem."""
        return await read_as(model, self.request, empty_is=empty_is)

    async def ask(self, wish: Wish, actor: Actor) -> Granted:
        """Have it done. Raises what `Orders.ask` does."""
        return await self.services.orders.ask(self.order_id, wish, actor=actor, **self.about)

    def told(
        self,
        granted: Granted,
        status: str,
        *,
        status_code: int = 202,
        headers: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 - JSON values, by their names in the API
    ) -> Response:
        """The answer: the same for a repeat, but for a header that says so."""
        shown = dict(headers or {})
        if not granted.new:
            shown["Idempotency-Replayed"] = "true"
        return written(self.request, granted.recorded, status, status_code=status_code, headers=shown, **more)


async def _asked(request: Request, order_id: OrderIdOf, services: ServicesOf, expected: IfMatch) -> Asking:
    return Asking(request=request, services=services, order_id=order_id, expected=expected, key=str(uuid4()))


async def _keyed(
    request: Request, order_id: OrderIdOf, *, services: ServicesOf, key: IdempotencyKey, expected: IfMatch
) -> Asking:
    key = key if key is not None else str(uuid4())
    return Asking(request=request, services=services, order_id=order_id, expected=expected, key=key)


Asked = Annotated[Asking, Depends(_asked)]
"""Of what can be done once: a repeat needs no key to be known."""
Keyed = Annotated[Asking, Depends(_keyed)]
"""Of what can be done again and again: its Idempotency-Key names it."""


def add_verb(
    router: APIRouter,
    path: str,
    operation: Callable[..., Any],
    *,
    summary: str,
    takes: type[BaseModel],
    examples: Mapping[str, Any],
    required: bool = True,
    gives: Any,  # noqa: ANN401 - a model, or a union of them
    means: str,
    refused: Iterable[str],
    keyed: bool = False,
) -> None:
    """One operation under `/orders/{orderId}`, with everything that the document says of it. It answers 202: what was asked is durable, and
    the work follows. `keyed`: an Idempotency-Key names it, and may have named something else."""
    problems = (*ASKED, *refused, *(("idempotency_key_reused",) if keyed else ()))
    router.add_api_route(
        f"/orders/{{orderId}}{path}",
        operation,
        methods=["POST"],
        tags=["orders"],
        status_code=202,
        summary=summary,
        openapi_extra=accepts(takes, examples, required=required),
        responses=answers(202, gives, means, problems, headers=REPLAYED),
    )
