"""What a run is asked to do, and what every scenario is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.local.environment import Environment
from tests.load.report import Report


class Unable(Exception):
    """The run cannot begin: something that it needs is not there. The message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """From the command line. `orders`: None for the scenario's own number; `batch`: None for all of them at once."""

    seed: int = 1
    orders: int | None = None
    batch: int | None = None
    minutes: float = 20.0
    per_s: float = 2.0
    data: Path | None = None


class Scenario(Protocol):
    """One kind of load: from a fresh emulator to the reckoning. What broke is raised, or noted in the report."""

    async def __call__(self, emulator: Environment, folder: Path, report: Report, asked: Asked) -> None: ...
