"""Which moments a test goes through that lets something die, wait or race at each call in turn."""

from collections.abc import Sequence
from typing import Final

from hypothesis import settings

ONE_IN: Final = 5
"""`make test-unit` takes so many of them, spread evenly, the first and the last among them; `make test` takes all."""


def moments(calls: int) -> Sequence[int]:
    """Of the calls 1 to `calls`, those to go through. Raises ValueError when there is none: a test of nothing."""
    if calls < 1:
        raise ValueError("there is no call at all")
    if settings.get_current_profile_name() != "unit":
        return range(1, calls + 1)
    return sorted({*range(1, calls + 1, ONE_IN), calls})
