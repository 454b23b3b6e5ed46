"""What a decoder promises, and the ways in which its input is broken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, Final

MIB: Final = 1024 * 1024
Mutate = Callable[[Random, Sequence[Any]], Any]
"""Draws a broken one from valid ones."""


def as_it_is(value: Any) -> Any:
    """For a shape that is the input itself."""
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One layer of a decoder's input. `finish` puts the layers around it that are right: checksums, compression, signatures, envelopes.

    So what lies behind a checksum is met too, not only the checksum.
    """

    mutate: Mutate
    samples: Callable[[], Sequence[Any]]
    finish: Callable[[Any], Any] = as_it_is

    def broken(self, random: Random) -> Any:
        """One input."""
        return self.finish(self.mutate(random, self.samples()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """One decoder: whatever comes in, only `errors` come out. `errors` are those that its layer declares; none: it never raises.

    `covers` names the functions of the code that it goes through (`module:function`). `check` looks at what came of an input after the
    decoder: that nothing was written, say. `weight`: so many cases of another one take as long as one of this.
    """

    name: str
    covers: tuple[str, ...]
    decode: Callable[[Any], object]
    errors: tuple[type[Exception], ...] = ()
    valid: Callable[[], Sequence[tuple[Any, Any]]]
    """Inputs by the real encoder, and what they are decoded to."""
    shapes: tuple[Shape, ...]
    weight: int = 1
    memory_bytes_max: int = 32 * MIB


def samples(make: Callable[[], Sequence[Any]]) -> Callable[[], Sequence[Any]]:
    """Made once, when they are first asked for."""
    return cache(make)
