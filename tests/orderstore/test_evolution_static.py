"""The build fails when history could not be read: no version without a way to the present, no wrong step, no untrue document, no broken
promise. What `orderstore schemas check` says on the command line, `make check` says here."""

from dataclasses import replace
from pathlib import Path

import pytest

from orderstore.domain import events as e
from orderstore.registry import CONSUMERS, EVENT_TYPES, EventType
from orderstore.schemas.chains import FaultKind, faults
from orderstore.schemas.files import damaged, read_release, releases, untrue
from orderstore.schemas.releases import judge
from orderstore.upcasters import Data, NoUpcaster, Upcaster, gaps, upcast

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
PAID = EventType("PaymentCompleted", "3.0", e.PaymentCompleted, "payment", earlier=("1.0", "1.1", "2.0"))


def marked(version: str):
    """A step that writes down that it was taken."""

    def step(data: Data) -> Data:
        return {**data, "steps": [*data.get("steps", []), version]}

    return step


def up(before: str, after: str, name: str = "PaymentCompleted") -> Upcaster:
    return Upcaster(name, before, after, marked(after))


WHOLE = (up("1.0", "2.0"), up("1.1", "2.0"), up("2.0", "3.0"))


def test_every_version_that_was_ever_stored_can_be_read() -> None:
    """The registry and the upcasters of this build, as they are."""  # E045
    assert faults() == ()


def test_the_committed_documents_are_true() -> None:
    """Schemas, table and AsyncAPI document are those of this build: `orderstore schemas write` makes them so."""  # E124
    assert [str(one) for one in (*untrue(SCHEMAS), *damaged(SCHEMAS))] == []


def test_nothing_that_was_released_is_broken() -> None:
    """Against the last release: `orderstore schemas diff` says what changed."""  # E046
    last = releases(SCHEMAS)[-1]

    assert [f"{one}: {one.broken}" for one in judge(read_release(SCHEMAS, last)) if one.broken] == []


def test_every_entry_says_who_owns_it_and_what_it_promises() -> None:
    """Ownership, versions, consumers, promise; a deprecation says what to use in its place."""  # E124
    owners = {"order", *CONSUMERS}
    for entry in EVENT_TYPES:
        assert entry.owner in owners
        assert entry.compatibility in ("BACKWARD", "FORWARD", "FULL", "NONE")
        assert entry.name[0].isupper()
        assert entry.deprecated == entry.deprecated.strip()


def test_a_whole_chain_has_no_fault_and_takes_each_step() -> None:
    """From the oldest version through each in between; from the present one, none."""
    assert faults([PAID], WHOLE) == ()
    assert upcast(PAID, "1.0", {}, WHOLE) == {"steps": ["2.0", "3.0"]}
    assert upcast(PAID, "2.0", {}, WHOLE) == {"steps": ["3.0"]}
    assert upcast(PAID, "3.0", {"a": 1}, WHOLE) == {"a": 1}
    assert upcast(PAID, "3.7", {"a": 1}, WHOLE) == {"a": 1}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (WHOLE[1:], ["gap: PaymentCompleted 1.0 has no way to 3.0"]),
        (
            WHOLE[:2],
            [f"gap: PaymentCompleted {version} has no way to 3.0" for version in ("1.0", "1.1", "2.0")],
        ),
        ((), [f"gap: PaymentCompleted {version} has no way to 3.0" for version in ("1.0", "1.1", "2.0")]),
        (
            (*WHOLE, up("1.0", "2.0", "PaymentExploded")),
            ["unknown_event: PaymentExploded 1.0 -> 2.0"],
        ),
        ((*WHOLE, up("1.0", "2.0")), ["duplicate: PaymentCompleted has 2 steps from 1.0"]),
        (
            (*WHOLE, up("1.0", "3.0")),
            ["skip: PaymentCompleted 1.0 -> 3.0 passes over 2.0", "duplicate: PaymentCompleted has 2 steps from 1.0"],
        ),
        (
            (up("1.0", "3.0"), *WHOLE[1:]),
            ["skip: PaymentCompleted 1.0 -> 3.0 passes over 2.0", "gap: PaymentCompleted 1.0 has no way to 3.0"],
        ),
        (
            (*WHOLE, up("1.2", "2.0")),
            ["unknown_version: PaymentCompleted 1.2 -> 2.0: the registry has no 1.2"],
        ),
        (
            (*WHOLE[:2], up("2.0", "4.0")),
            [
                "unknown_version: PaymentCompleted 2.0 -> 4.0: the registry has no 4.0",
                "skip: PaymentCompleted 2.0 -> 4.0 passes over 3.0",
                *[f"gap: PaymentCompleted {version} has no way to 3.0" for version in ("1.0", "1.1", "2.0")],
            ],
        ),
        (
            (*WHOLE[:2], up("2.0", "1.0")),
            [
                "downgrade: PaymentCompleted 2.0 -> 1.0",
                "loop: PaymentCompleted 1.0 -> 2.0 -> 1.0",
                *[f"gap: PaymentCompleted {version} has no way to 3.0" for version in ("1.0", "1.1", "2.0")],
            ],
        ),
        (
            (*WHOLE[:2], up("2.0", "2.0")),
            [
                "downgrade: PaymentCompleted 2.0 -> 2.0",
                "loop: PaymentCompleted 2.0 -> 2.0",
                *[f"gap: PaymentCompleted {version} has no way to 3.0" for version in ("1.0", "1.1", "2.0")],
            ],
        ),
        (
            (*WHOLE, up("2", "3.0")),
            ["bad_version: PaymentCompleted 2 -> 3.0"],
        ),
    ],
)
def test_each_wrong_chain_is_found_before_anything_runs(steps, expected) -> None:
    """By kind, event and version; every fault, not the first."""
    assert [str(fault) for fault in faults([PAID], steps)] == expected


def test_a_step_that_would_never_be_taken_is_a_fault() -> None:
    """Within the present major version nothing is upcast: who wrote such a step believes otherwise."""
    entry = replace(PAID, version="3.1", earlier=("1.0", "1.1", "2.0", "3.0"))
    [fault] = faults([entry], (*WHOLE[:2], up("2.0", "3.0"), up("3.0", "3.1")))

    assert (fault.kind, str(fault)) == (FaultKind.NEVER_RUNS, "never_runs: PaymentCompleted 3.0 -> 3.1")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (replace(PAID, earlier=("1.1", "1.0", "2.0")), "disorder: PaymentCompleted names 1.1 before 1.0"),
        (replace(PAID, earlier=("1.0", "1.1", "2.0", "3.0")), "disorder: PaymentCompleted names 3.0 before 3.0"),
        (replace(PAID, version="two"), "bad_version: PaymentCompleted two"),
        (replace(PAID, published_version="1"), "bad_version: PaymentCompleted 1"),
        (replace(PAID, earlier=("1.0", "1.01", "2.0")), "bad_version: PaymentCompleted 1.01"),
    ],
)
def test_an_entry_that_is_wrong_in_itself_is_a_fault(entry, expected) -> None:
    """Versions are `major.minor`, and ascend to the present one."""
    assert expected in [str(fault) for fault in faults([entry], WHOLE)]


def test_what_the_static_check_lets_through_never_fails_at_run_time() -> None:
    """And what `gaps` names is what `upcast` refuses."""
    for steps in (WHOLE, WHOLE[1:], WHOLE[:2], (up("1.0", "2.0"), up("2.0", "3.0"))):
        missing = {gap.rpartition(" ")[2] for gap in gaps([PAID], steps)}
        for version in PAID.earlier:
            if version in missing:
                with pytest.raises(NoUpcaster, match="no way from PaymentCompleted"):
                    upcast(PAID, version, {}, steps)
            else:
                upcast(PAID, version, {}, steps)


def test_a_registered_event_is_named_by_its_class_once() -> None:
    """No two names for one class, no two classes for one name."""
    assert len({entry.event for entry in EVENT_TYPES}) == len({entry.name for entry in EVENT_TYPES}) == len(EVENT_TYPES)
