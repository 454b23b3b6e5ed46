"""What is judged of every run's processes: that they stay small, and do not grow with the orders that passed."""

from typing import Final

from tests.load.figures import ratio
from tests.load.report import Report

GROWTH_MIB_PER_1000_MAX: Final = 5.0
RESIDENT_MIB_MAX: Final = 512.0
NOT_OURS: Final = ("emulator", "load program")
"""The emulator keeps all that it was ever told, the load program all that it placed: their memory is told, not judged."""


LIVED_S_MIN: Final = 300.0
CREPT_MAX: Final = 25.0
"""Connections come and go with the load; a leak goes on and on."""


SLOWED_MIN: Final = 0.9
LASTED_S_MIN: Final = 3.0
"""A rate over less is one of moments: it is told, not judged."""


def judge_intake(report: Report, *, stopped_per_s: float, running_per_s: float, lasted_s: float) -> None:
    """Stopped workers do not slow the intake. `lasted_s`: the shorter of the two phases."""
    found = ratio(stopped_per_s, running_per_s)
    report.figures["accepted/s, workers stopped / running"] = found
    if lasted_s >= LASTED_S_MIN:
        report.judge("accepted/s, workers stopped / running", found, at_least=SLOWED_MIN)


def judge_standing(report: Report) -> None:
    """Of processes that lived long: open files and tasks do not creep up."""
    for used in report.processes:
        if used.name not in NOT_OURS and used.lived_s >= LIVED_S_MIN:
            report.judge(f"files that crept up in {used.name}", used.descriptors_crept, at_most=CREPT_MAX)
            report.judge(f"tasks that crept up in {used.name}", used.tasks_crept, at_most=CREPT_MAX)


def judge_processes(report: Report, *, growth_max: float = GROWTH_MIB_PER_1000_MAX) -> None:
    """Peak memory of every process, and growth of those that lived long enough to tell."""
    for used in report.processes:
        if used.name in NOT_OURS:
            continue
        report.judge(f"peak memory of {used.name}, MiB", used.resident_peak_mib, at_most=RESIDENT_MIB_MAX)
        if used.growth_mib_per_1000 is not None:
            report.judge(f"growth of {used.name}, MiB for 1,000 orders", used.growth_mib_per_1000, at_most=growth_max)
