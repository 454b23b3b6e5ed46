"""Four times the orders do not need four times the memory."""

from pathlib import Path

import pytest

from tests.e2e.programs import running, state_directory

pytestmark = pytest.mark.e2e

FEW, MANY = 20, 80
GROWTH_MAX = 1.35
"""Of the peak: pools and caches fill up at first; what grew with each order would show well above this."""


def peak_kilobytes(folder: Path, orders: int) -> int:
    """The peak resident memory of the service process (not of the emulator) in a demo of so many orders."""
    folder.mkdir()
    arguments = ("demo", "--orders", str(orders), "--seed", "3", "--exit", "--json")
    with (
        state_directory(folder) as state_dir,
        running(*arguments, state_dir=state_dir, folder=folder) as program,
    ):
        done = program.finish_measured()
        assert done.code == 0, done.said
        assert done.document["orders"] == orders
        assert program.usage is not None
        return program.usage.ru_maxrss


def test_the_memory_of_a_demo_does_not_grow_with_its_orders(tmp_path: Path) -> None:
    """Peak memory with 80 orders against 20."""
    few = peak_kilobytes(tmp_path / "few", FEW)
    many = peak_kilobytes(tmp_path / "many", MANY)

    assert many < few * GROWTH_MAX, f"{FEW} orders: {few} KB, {MANY} orders: {many} KB"
