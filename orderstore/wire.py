"""What every body of a request is: a JSON object with these fields and no others, named as the API names them."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireRequest(BaseModel):
    """The base of all of them."""

    # What is refused is never repeated, and what is personal never printed: not in an answer, an exception or a log.
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )
