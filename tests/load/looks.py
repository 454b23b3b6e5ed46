"""Looks at a process that nobody made, for the harness's own tests."""

from tests.load.figures import MEBIBYTE, Sample


def sample(work: float, mib: float, *, descriptors: int = 10, tasks: int | None = None) -> Sample:
    """One look at a process."""
    return Sample(
        at_s=work,
        work=work,
        resident_bytes=int(mib * MEBIBYTE),
        descriptors=descriptors,
        threads=1,
        tasks=tasks,
    )
