"""Each scenario once, small, on real processes: that the harness still fits the service. The real sizes are run by hand (docs/load.md)."""

from pathlib import Path

import pytest

from tests.load import __main__ as program
from tests.load.asked import Asked
from tests.load.report import Report
from tests.workers.intake.csv_files import needs_whole_file

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("scenario", "asked"),
    [
        ("burst", Asked(orders=100)),
        ("hot", Asked(orders=100)),
        ("clients", Asked(orders=60)),
        ("soak", Asked(minutes=1, per_s=1)),
        pytest.param("year", Asked(orders=60), marks=[needs_whole_file, pytest.mark.real_data]),
    ],
)
def test_a_small_run_of_each_kind_comes_to_its_reckoning(scenario: str, asked: Asked, tmp_path: Path) -> None:
    """Nothing is lost, nothing happens twice, and nobody grows out of bounds; how fast it went is not judged here."""  # E036
    found = Report(scenario=scenario, command=f"python -m tests.load {scenario}", began="")
    program.perform(program.SCENARIOS[scenario], found, asked, keep=tmp_path / "logs")
    assert found.troubles == []
    broken = [str(limit) for limit in found.limits if not limit.kept and "accepted/s" not in limit.name]
    assert broken == [], str(found)
