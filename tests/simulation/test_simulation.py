"""The service under every fault at once, by seed: see docs/reliability.md. `make simulate SEEDS=10000` plays more of them."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.simulation.__main__ import main
from tests.simulation.bugs import BUGS, BY_NAME
from tests.simulation.faults import CALM, MILD_ONE_IN, drawn

ROOT = Path(__file__).parents[2]
CHUNK = 50
RUN_S_MAX = 280
# How long a fault lasts that is drawn by its probability.
FIXED = ("late_s", "hang_s", "late_effect_s", "endpoint_late_s")
# Of each kind of promise one: `python -m tests.simulation --bugs` plays all of them.
BITES = (
    "an append without its condition",
    "random order ids",
    "a drain acknowledges what was not started",
    "a mail is sent without a claim",
    "any answer to a webhook is good",
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
@pytest.mark.parametrize("first", range(0, 200, CHUNK))
def test_when_the_faults_are_over_every_promise_was_kept(first: int) -> None:
    """Whatever a seed lets go wrong: each order ends, once, and money, stock, numbers, views, archive and topic agree."""
    done = simulate("--seeds", f"{first}:{first + CHUNK}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.thorough
def test_a_seed_is_the_same_run_in_every_process() -> None:
    """Line by line of its trace, whatever order the process gives to sets."""
    once, again = (simulate("--seeds", "0:4", "--digests", hash_seed=hash_seed) for hash_seed in ("1", "2"))
    digests = [json.loads(line)["digest"] for line in once.stdout.splitlines() if line.startswith("{")]
    assert len(set(digests)) == 4
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
    assert f"--bug '{bug}'" in done.stderr


def test_faults_are_drawn_from_the_seed_alone() -> None:
    """The same twice, others for others; one run in so many has nothing that fails, only what is slow, late or twice."""
    assert drawn(7) == drawn(7)
    assert len({repr(drawn(seed)) for seed in range(100)}) == 100
    mild = [seed for seed in range(60) if drawn(seed).excuse_no_dead_letters]
    assert set(range(0, 60, MILD_ONE_IN)) <= set(mild)
    assert CALM.excuse_no_dead_letters


def test_every_fault_is_drawn_by_some_seed() -> None:
    """A fault that nothing draws is none."""
    seen = [drawn(seed) for seed in range(200)]
    for name in (field.name for field in fields(CALM) if field.name != "stream"):
        assert len({getattr(faults, name) for faults in seen}) > 1 or name in FIXED, name


def test_bugs_have_names_of_their_own() -> None:
    """Each is found by its name, and there are more than the issue asks for."""
    assert len(BY_NAME) == len(BUGS) >= 30


@pytest.mark.parametrize("arguments", [("--seeds", "9:3"), ("--seeds", "all"), ("--bug", "none such")])
def test_what_cannot_be_played_is_said(arguments: tuple[str, ...]) -> None:
    """A usage error, not a traceback."""
    program = typer.Typer()
    program.command()(main)
    done = CliRunner().invoke(program, list(arguments))
    assert (done.exit_code, type(done.exception)) == (2, SystemExit)
