"""What a writer believes of an order before it adds to it: the expected version, as stores of events have always known it.

Versions count events; a commit may hold several, and only its last one is ever a state that somebody could have seen. A version from inside
a commit is therefore never right: `If-Match` with one is refused, rather than let history fork there.
"""

from dataclasses import dataclass
from typing import assert_never


class WrongVersion(Exception):
    """The order is not where the caller believed it to be. Nothing was stored; read it again and decide again."""

    def __init__(self, expected: "Expected", *, version: int) -> None:
        """Carry what was expected and where the order is."""
        super().__init__(f"expected {expected.wanted}, but the order is at version {version}")
        self.expected = expected
        self.version = version


@dataclass(frozen=True, slots=True)
class Whatever:
    """Any version: the decision looks at the state alone."""

    wanted = "any version"


@dataclass(frozen=True, slots=True)
class NoStream:
    """Nothing has been written yet."""

    wanted = "no order"


@dataclass(frozen=True, slots=True)
class StreamExists:
    """Something has been written."""

    wanted = "an order"


@dataclass(frozen=True, slots=True)
class Exactly:
    """The last event that the caller saw has this version (from 1)."""

    version: int

    @property
    def wanted(self) -> str:
        """For the message."""
        return f"version {self.version}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """The last event that the caller saw has one of these versions; none at all is never right."""

    versions: tuple[int, ...]

    @property
    def wanted(self) -> str:
        """For the message."""
        return f"one of the versions {', '.join(map(str, self.versions))}" if self.versions else "no version at all"


Expected = Whatever | NoStream | StreamExists | Exactly | OneOf


def check_expected(expected: Expected, *, version: int) -> None:
    """Compare with the order's version, 0 when there is none yet. Raises WrongVersion."""
    match expected:
        case Whatever():
            met = True
        case NoStream():
            met = version == 0
        case StreamExists():
            met = version > 0
        case Exactly():
            met = version == expected.version
        case OneOf():
            met = version in expected.versions
        case _:
            assert_never(expected)
    if not met:
        raise WrongVersion(expected, version=version)
