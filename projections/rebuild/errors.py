"""What keeps a rebuild from going on. What the log and the store of views raise is raised as it is.

RebuildError
├── AnotherRuns    somebody is at work on this view's rebuild just now
├── TakenOver      somebody took this rebuild over: this process had been silent for too long. Nothing is lost.
├── NotNow         it cannot be done as things stand; the message says what to do
└── Stopped        it was paused; what was done is kept
"""


class RebuildError(Exception):
    """A rebuild, a switch or a discarding did not come to its end."""


class AnotherRuns(RebuildError):
    """The row of this rebuild has an owner, and the owner is alive."""

    def __init__(self, view: str, owner: str) -> None:
        """Name who."""
        super().__init__(
            f"{view}: {owner} is at work on it; follow it with `orderstore views ls`, stop it with `orderstore views pause {view}`"
        )
        self.owner = owner


class TakenOver(RebuildError):
    """The row has another owner now."""

    def __init__(self, view: str, owner: str | None) -> None:
        """Name who."""
        super().__init__(
            f"{view}: {owner or 'nobody'} owns this rebuild now; nothing is lost, and nothing more is done here"
        )


class NotNow(RebuildError):
    """The order of steps does not allow it."""


class Stopped(RebuildError):
    """Somebody wanted a pause."""

    def __init__(self, view: str) -> None:
        """Say how it goes on."""
        super().__init__(f"{view}: paused; what was done is kept, and the same command goes on where it stopped")
