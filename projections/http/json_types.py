"""What stands in a body, read as it is written. Left alone, the framework would take `true` for 1, "yes" for true and 5 for a time."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

YesNo = Annotated[bool, Field(strict=True)]


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("this must be a number")  # noqa: TRY004 - pydantic's way to refuse
    return float(value)


Number: Final = BeforeValidator(_number)
"""After a `float`: a JSON number."""
