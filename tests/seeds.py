"""Seeds of tests whose every run is another story: a few in each run of the unit tests, all of them in `make test`."""

from collections.abc import Iterable
from typing import Any

import pytest


def seeds(first: int, all_of_them: Iterable[int]) -> list[Any]:
    """The seeds for `pytest.mark.parametrize`; those after the `first` few are `thorough`."""
    return [
        seed if place < first else pytest.param(seed, marks=pytest.mark.thorough)
        for place, seed in enumerate(all_of_them)
    ]
