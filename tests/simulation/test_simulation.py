"""The service under every fault at once, by seed: see docs/reliability.md. `make simulate SEEDS=10000` plays more of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.faults import CALM, MILD_ONE_IN, drawn

ROOT = Path(__file__).parents[2]
CHUNK = 25
RUN_S_MAX = 280
# Of each kind of promise one: `python -m tests.simulation --bugs` plays all of them.
BITES = (
    "an append without its condition",
    "random order ids",
    "a drain acknowledges what was not started",
    "a mail is sent without a claim",
)


def simulate(*arguments: str, hash_seed: str = "1") -> subprocess.CompletedProcess[str]:
    """The command as people give it; it gives itself the hash seed that it needs."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--workers", "1", *arguments],
        cwd=ROOT,
        env={"PYTHONHASHSEED": hash_seed, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )


@pytest.mark.thorough
@pytest.mark.parametrize("first", range(0, 100, CHUNK))
def test_when_the_faults_are_over_every_promise_was_kept(first: int) -> None:
    """Whatever a seed lets go wrong: each order ends, once, and money, stock, numbers, views, archive and topic agree."""
    done = simulate("--seeds", f"{first}:{first + CHUNK}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.thorough
def test_a_seed_is_the_same_run_in_every_process() -> None:
    """Line by line of its trace, whatever order the process gives to sets."""
    once, again = (simulate("--seeds", "0:6", "--digests", hash_seed=hash_seed) for hash_seed in ("1", "2"))
    digests = [json.loads(line)["digest"] for line in once.stdout.splitlines() if line.startswith("{")]
    assert len(set(digests)) == 6
    assert [line for line in again.stdout.splitlines() if line.startswith("{")] == [
        line for line in once.stdout.splitlines() if line.startswith("{")
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("bug", BITES)
def test_a_deliberate_bug_is_caught(bug: str) -> None:
    """Within a few seeds; the failure says which, and how to see it again."""
    done = simulate("--seeds", "0:15", "--bug", bug)
    assert done.returncode == 1, done.stdout
    assert "again: python -m tests.simulation --seed " in done.stderr


def test_faults_are_drawn_from_the_seed_alone() -> None:
    """The same twice, others for others; one run in so many has nothing that fails, only what is slow, late or twice."""
    assert drawn(7) == drawn(7)
    assert len({repr(drawn(seed)) for seed in range(100)}) == 100
    mild = [seed for seed in range(60) if drawn(seed).excuse_no_dead_letters]
    assert set(range(0, 60, MILD_ONE_IN)) <= set(mild)
    assert CALM.excuse_no_dead_letters


@pytest.mark.parametrize("arguments", [("--seeds", "9:3"), ("--seeds", "all"), ("--bug", "none such")])
def test_what_cannot_be_played_is_said(arguments: tuple[str, ...]) -> None:
    """A usage error, not a traceback."""
    done = simulate(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
