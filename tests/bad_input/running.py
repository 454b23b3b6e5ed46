"""Runs cases, and says of a case that breaks a promise what it was and how to see it again."""

import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from tests.bad_input.decoder import Decoder

SHOWN_CHARACTERS: Final = 2_000
WEIGHED_EVERY: Final = 25
"""Tracing memory makes everything slower: every so many cases, and whenever a case is replayed."""
SECONDS_MAX: Final = 20.0
"""Of processor time for one input: what takes longer holds up everything else in its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A promise that was broken."""

    decoder: str
    seed: int
    what: str
    given: str

    def __str__(self) -> str:
        again = f"python -m tests.bad_input --decoder {self.decoder!r} --seed {self.seed}"
        return f"{self.decoder}, seed {self.seed}: {self.what}\n  input: {self.given}\n  again: {again}"


def broken_input(decoder: Decoder, seed: int) -> Any:
    """The input of a case: the seed decides everything."""
    random = Random(f"{decoder.name}:{seed}")
    return random.choice(decoder.shapes).broken(random)


def run_case(decoder: Decoder, seed: int, *, weighed: bool) -> Broken | None:
    """One case; None when every promise was kept."""
    given = broken_input(decoder, seed)
    begun = time.process_time()
    if weighed:
        tracemalloc.start()
    try:
        wrong = _outcome(decoder, given)
        peak = tracemalloc.get_traced_memory()[1] if weighed else 0
    finally:
        if weighed:
            tracemalloc.stop()
    taken = time.process_time() - begun
    if wrong is None and peak > decoder.memory_bytes_max:
        wrong = f"it took {peak:,} bytes of memory"
    if wrong is None and taken > SECONDS_MAX:
        wrong = f"it took {taken:.0f} s"
    return None if wrong is None else Broken(decoder=decoder.name, seed=seed, what=wrong, given=shown(given))


def _outcome(decoder: Decoder, given: Any) -> str | None:
    try:
        decoder.decode(given)
    except decoder.errors:
        return None
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__module__}.{type(error).__qualname__}: {str(error)[:300]!a}"
    return None


def run_cases(decoder: Decoder, first: int, count: int) -> Iterator[Broken]:
    """The cases with these seeds."""
    for seed in range(first, first + count):
        broken = run_case(decoder, seed, weighed=seed % WEIGHED_EVERY == 0)
        if broken is not None:
            yield broken


def wrongly_refused(decoder: Decoder) -> list[str]:
    """The valid inputs that are not decoded to what they are."""
    wrong = []
    for given, expected in decoder.valid():
        found = decoder.decode(given)
        if found != expected:
            wrong.append(f"{decoder.name}: {shown(given)} was read as {shown(found)}, not as {shown(expected)}")
    return wrong


def shown(value: Any) -> str:
    """In printable ASCII, cut."""
    text = ascii(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}… ({len(text):,} characters)"
