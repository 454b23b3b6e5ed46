"""What an erasure empties beside the log: a port, so that whoever keeps something of a person says so himself."""

from typing import Protocol


class Elsewhere(Protocol):
    """A place beside the log that keeps something of a person, which goes with their key."""

    @property
    def what(self) -> str:
        """What it is that it keeps, for the certificate."""
        ...

    async def forget(self, subject: str) -> None:
        """Remove it, and take no more of it. Doing it twice is doing it once."""
        ...
