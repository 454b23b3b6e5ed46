"""Seeds of tests whose every run is another story: a few in each run of the unit tests, some in `make test`, all of them in `make long`."""

from collections.abc import Iterable
from typing import Any

import pytest


def seeds(few: int, all_of_them: Iterable[int], *, some: int | None = None) -> list[Any]:
    """The seeds for `pytest.mark.parametrize`: those after the first `few` are `thorough`, those after the first `some` (twice as many,
    and two at least) are `long`."""
    until = max(2, 2 * few) if some is None else some
    return [
        seed if place < few else pytest.param(seed, marks=pytest.mark.thorough if place < until else pytest.mark.long)
        for place, seed in enumerate(all_of_them)
    ]
