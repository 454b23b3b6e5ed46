"""What the published forms are made of."""

from typing import Annotated, Final, TypedDict

from orderstore.schemas.shape import DECIMAL_PATTERN, Shape

MOMENT_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"

Moment = Annotated[str, Shape(pattern=MOMENT_PATTERN, format="date-time")]
"""ISO 8601 with milliseconds and Z (E042)."""
Amount = Annotated[str, Shape(pattern=DECIMAL_PATTERN)]
"""A decimal as people write it, never a binary float."""
Count = Annotated[int, Shape(minimum=1)]
Line = Annotated[int, Shape(minimum=0)]
"""The index of a line of the order."""
Minor = Annotated[int, Shape(minimum=0)]
"""An amount in minor units of the order's currency."""
Currency = Annotated[str, Shape(pattern="^[A-Z]{3}$")]
"""ISO 4217."""


class Pieces(TypedDict):
    """So many pieces of the order's line with this index (0-based)."""

    line: Line
    quantity: Count
