"""The shape of every refusal, for the OpenAPI document."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class ProblemError(BaseModel):
    """What is wrong: at a JSON pointer into the body (RFC 6901), or in a named parameter."""

    model_config = ConfigDict(title="ProblemError")

    detail: str
    code: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemPlace(BaseModel):
    """Where and when an order began that did not exist at the moment that was asked for."""

    model_config = ConfigDict(title="ProblemPlace", alias_generator=to_camel)

    commit: int
    version: int
    recorded_at: str
    occurred_at: str


class ProblemHead(BaseModel):
    """How far an order has come that has not the commit that was asked for."""

    model_config = ConfigDict(title="ProblemHead")

    commit: int
    version: int


class ProblemDocument(BaseModel):
    """RFC 9457. `code` is stable; further members belong to the kind of problem."""

    model_config = ConfigDict(title="Problem", alias_generator=to_camel)

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[ProblemError] | None = None
    errors_omitted: int | None = None
    hint: str | None = None
    began: ProblemPlace | None = None
    head: ProblemHead | None = None
