"""What the archive takes from a message: which order has grown, and to which commit. It reads no event: also those that this build does
not know yet are archived, as bytes.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from orderstore.contract import COMMIT_ATTRIBUTE
from orderstore.domain.ids import stream_of
from workers.envelope import MalformedMessage
from workers.runtime.queue import Message

COMMIT_MAX = 10**9
DIGITS_MAX = 10
_Name = Annotated[str, Field(min_length=1, max_length=256)]


@dataclass(frozen=True, slots=True)
class Hint:
    """Commit `commit` of a stream exists; None: at least one commit does. `sent_at_ms` is the queue's clock."""

    stream: str
    commit: int | None
    sent_at_ms: int


class _Grown(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    order_id: _Name
    tenant: _Name


def hint_of(message: Message) -> Hint:
    """The hint in a message. Raises MalformedMessage."""
    try:
        grown = _Grown.model_validate_json(message.body)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, found['loc'])) or 'body'}: {found['type']}" for found in error.errors()[:5])
        raise MalformedMessage("not a hint that an order has grown: " + ", ".join(problems)) from None
    number = message.attributes.get(COMMIT_ATTRIBUTE)
    if number is not None and not (
        number.isascii() and number.isdigit() and len(number) <= DIGITS_MAX and 1 <= int(number) <= COMMIT_MAX
    ):
        raise MalformedMessage("not a hint that an order has grown: its commit is not a number")
    return Hint(
        stream=stream_of(grown.tenant, grown.order_id),
        commit=None if number is None else int(number),
        sent_at_ms=message.sent_at_ms,
    )
