"""What the machine gives: how many files may be open, and how busy it is with other things."""

import os
import resource
from pathlib import Path
from typing import Any


class TooFewFiles(Exception):
    """The system lets a process open too few files for so many connections."""


def enough_files(needed: int) -> int:
    """Let this process open so many files at least, and those that it starts; how many they may. Raises TooFewFiles, with what to do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise TooFewFiles(
            f"{needed:,} files must be open at once, the system allows {hard:,}: raise the limit (ulimit -Hn)"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        return needed
    return soft


def busy(proc: Path = Path("/proc")) -> dict[str, Any]:
    """The load average, and on how many processors."""
    one, five, fifteen = (proc / "loadavg").read_text(encoding="ascii").split()[:3]
    return {"processors": os.cpu_count(), "load 1 min": float(one), "5 min": float(five), "15 min": float(fifteen)}
