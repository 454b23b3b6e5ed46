"""Whatever a decoder is given, it decodes it or says no in its layer's own words; and no decoder is left out."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from tests.bad_input.decoder import Decoder
from tests.bad_input.excused import EXCUSED
from tests.bad_input.registry import decoders
from tests.bad_input.running import run_cases, wrongly_refused
from tests.bad_input.search import found

ROOT = Path(__file__).parents[2]
FEW, SOME, MANY = 60, 600, 60_000
"""Cases of a light decoder in each run of the unit tests, in `make test`, in `make long`."""
ALL = [pytest.param(decoder, id=decoder.name) for decoder in decoders()]


def count_of(decoder: Decoder, cases: int) -> int:
    return max(2, cases // decoder.weight)


def told(broken: Sequence[object]) -> str:
    return "\n".join(map(str, broken))


@pytest.mark.parametrize("decoder", ALL)
def test_valid_input_is_read_as_it_was_written(decoder: Decoder) -> None:
    """What the real encoder makes of something is decoded to the same."""
    assert wrongly_refused(decoder) == []


@pytest.mark.parametrize("decoder", ALL)
def test_bad_input_is_read_or_refused(decoder: Decoder) -> None:
    """Never an error of another layer, never unbounded memory, never something half done. The seeds are the same in every run."""
    broken = list(run_cases(decoder, 0, count_of(decoder, FEW)))
    assert not broken, told(broken)


@pytest.mark.thorough
@pytest.mark.parametrize("decoder", ALL)
def test_more_bad_input_is_read_or_refused(decoder: Decoder) -> None:
    """The same with more seeds."""
    broken = list(run_cases(decoder, FEW, count_of(decoder, SOME)))
    assert not broken, told(broken)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("decoder", ALL)
def test_very_much_bad_input_is_read_or_refused(decoder: Decoder) -> None:
    """The same with as many seeds as minutes allow."""
    broken = list(run_cases(decoder, 1_000_000, count_of(decoder, MANY)))
    assert not broken, told(broken)


@pytest.mark.thorough
def test_no_decoder_is_left_out() -> None:
    """Everything in the code that decodes is broken into here, or is excused with a reason."""
    covered = {place for decoder in decoders() for place in decoder.covers}
    left_out = sorted(place for place in found() if place not in covered and place not in EXCUSED)

    assert not left_out, f"break into them (tests/bad_input/registry.py), or say why not (excused.py): {left_out}"
    assert not sorted(EXCUSED.keys() - found().keys()), "excused, and no longer there"
    assert not sorted(EXCUSED.keys() & covered), "excused, and broken into as well"


def test_what_is_covered_is_there() -> None:
    """A name in the registry is a function of the code."""
    for decoder in decoders():
        for place in decoder.covers:
            module, _, path = place.partition(":")
            thing: object = import_module(module)
            for name in path.split("."):
                thing = getattr(thing, name)
            assert callable(thing), place


def test_every_decoder_is_in_the_documentation() -> None:
    """The table says what bad input does to each, and what to do; it names nothing else."""
    page = (ROOT / "docs/bad-input.md").read_text(encoding="utf-8")
    table = page.partition("## Every decoder\n")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    named = [row[1].strip().strip("`") for row in rows]

    assert sorted(named) == sorted(decoder.name for decoder in decoders())
    assert all(cell.strip() for row in rows for cell in row[1:-1])


def test_a_seed_is_all_that_a_replay_needs() -> None:
    """The same seed breaks the same input in the same way, whoever went before."""
    from tests.bad_input.running import broken_input, shown

    for decoder in decoders():
        if decoder.name in ("leaves of a root", "webhook announcement"):  # objects without a text of their own
            continue
        assert shown(broken_input(decoder, 7)) == shown(broken_input(decoder, 7)), decoder.name
