"""What can go wrong with the archive. Trouble with the services behind it is told as `orderstore.store.errors`.

ArchiveError
├── ArchiveDamaged     what lies in the bucket is not what was archived; carries the fault. For a person: `orderstore archive verify`.
│   └── RestoreStopped     the damage showed while tables were made from it; says how much is in them. Mended, the restore goes on.
├── ArchiveContended   other archivers were first in every round. Nothing was archived by this call; try again.
├── PositionsAstray    the table of positions and the bucket do not belong together. Nothing was archived.
├── OrderFault         one order cannot be archived; the others can
│   ├── LogBehindHint      the log does not have the commit that a hint tells of: somebody has taken it away
│   └── OrderForked        the order's next commit does not follow the one that was archived last: history was rewritten
└── RestoreRefused     the target is not empty, or another restore began there. Nothing was changed.
    └── ArchiveUnfit       the archive has faults: all of them are named. Nothing was changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

FaultKind = Literal[
    "missing_manifest",
    "altered_manifest",
    "unreadable_manifest",
    "missing_segment",
    "altered_segment",
    "unreadable_segment",
    "wrong_count",
    "wrong_summary",
    "commit_twice",
    "missing_commit",
    "altered_commit",
    "broken_link",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with the archive, and where."""

    kind: FaultKind
    manifest: int
    detail: str
    stream: str | None = None
    commit: int | None = None

    def __str__(self) -> str:
        place = "" if self.stream is None else f", {self.stream} commit {self.commit}"
        return f"manifest {self.manifest}{place}: {self.kind}: {self.detail}"


class ArchiveError(Exception):
    """The archive could not do what it was asked to."""


class ArchiveDamaged(ArchiveError):
    """What lies in the bucket is not what was archived."""

    def __init__(self, fault: Fault) -> None:
        """Carry the fault."""
        super().__init__(str(fault))
        self.fault = fault


class RestoreStopped(ArchiveDamaged):
    """The archive was whole when the restore began, and is not any more."""

    def __init__(self, fault: Fault, *, orders: int, commits: int, manifest: int) -> None:
        """Say what is in the tables: so many orders and commits, noted through this manifest."""
        super().__init__(fault)
        told = (
            f"{fault}; the restore stopped: {orders:,} orders, {commits:,} commits are in the tables, through manifest {manifest}; "
            "the environment is marked as being restored; mend the archive and run the same command again: it goes on"
        )
        self.args = (told,)


class ArchiveContended(ArchiveError):
    """Others wrote the next manifest in every round."""


class PositionsAstray(ArchiveError):
    """The positions speak of a manifest that the bucket does not have."""


class OrderFault(ArchiveError):
    """One order cannot be archived."""


class LogBehindHint(OrderFault):
    """The log ends before the commit that a hint tells of."""


class OrderForked(OrderFault):
    """What the log holds behind the archived commit does not follow it."""


class RestoreRefused(ArchiveError):
    """The target is not one that may be restored into."""


class ArchiveUnfit(RestoreRefused):
    """The archive does not prove itself, so nothing is made from it."""

    def __init__(self, faults: Sequence[Fault], *, count: int, before: str = "") -> None:
        """Carry the first faults, and how many there are. `before`: what an earlier run has left in the environment."""
        super().__init__(
            f"the archive has {count:,} faults: nothing was written{before}; see `orderstore archive verify`"
        )
        self.faults = tuple(faults)
        self.count = count
