"""What can go wrong with the log.

StoreError
├── CommitConflict     another commit holds the number; carries it. Decide again.
├── CounterConflict    the counter has moved; carries where it is. Take the next number.
├── Throttled          too fast for the database, after bounded retries. Nothing was stored. Try later.
├── Unavailable        unreachable or failing, after bounded retries. `ambiguous`: the write may have landed. Try the same again later.
├── Refused            permissions, configuration or a bug: trying again does not help. Nothing was stored.
├── CommitTooLarge     more bytes than one commit may carry. Nothing was stored.
├── StreamTooLong      more commits, or more bytes, than one stream may hold or one read may return.
├── BrokenChain        a commit that is not sealed, or does not follow the last. Nothing was stored.
├── CorruptCommit      what is stored is not what was appended. For a person: see `orderstore audit verify`.
└── CorruptRow         a row beside the log (a counter, a position) is none that this service wrote. For a person.
"""

from orderstore.store.port import Commit


class StoreError(Exception):
    """The log could not do what it was asked to."""


class CommitConflict(StoreError):
    """Another commit holds this number already."""

    def __init__(self, winner: Commit) -> None:
        """Carry the commit that was there first."""
        super().__init__(f"commit {winner.number} of {winner.stream} was written by somebody else")
        self.winner = winner


class CounterConflict(StoreError):
    """The counter is not where the writer believed it to be."""

    def __init__(self, counter: str, *, current: int) -> None:
        """Carry the last number taken."""
        super().__init__(f"counter {counter} is at {current} already")
        self.counter = counter
        self.current = current


class Throttled(StoreError):
    """The database asked to go slower, also after the bounded retries. Nothing was stored."""

    def __init__(self, operation: str, *, tries: int) -> None:
        """Name the operation and how often it was tried."""
        super().__init__(f"{operation} was throttled {tries} times in a row; nothing was stored; try again later")
        self.operation = operation


class Unavailable(StoreError):
    """The database, or the way to it, failed, also after the bounded retries."""

    def __init__(self, operation: str, *, tries: int, ambiguous: bool) -> None:
        """Name the operation, and say whether a write may have landed all the same."""
        kept = "it may have been stored: repeat the same commit to find out" if ambiguous else "nothing was stored"
        super().__init__(f"{operation} failed after {tries} tries; {kept}")
        self.operation = operation
        self.ambiguous = ambiguous


class Refused(StoreError):
    """The database understood and said no: permissions, a missing table, a malformed request."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        """Carry the service's own code and message."""
        super().__init__(f"{operation} was refused: {code}: {message}")
        self.operation = operation
        self.code = code


class CommitTooLarge(StoreError):
    """The commit carries more bytes than one may."""

    def __init__(self, stream: str, number: int, *, body_bytes: int, body_bytes_max: int) -> None:
        """Name the commit, its size and the limit."""
        super().__init__(
            f"commit {number} of {stream} carries {body_bytes} bytes, more than {body_bytes_max}; nothing was stored"
        )


class StreamTooLong(StoreError):
    """The stream has more commits or bytes than are allowed."""

    def __init__(self, stream: str, limit: str) -> None:
        """Name the stream and the limit that it passes, in words."""
        super().__init__(f"{stream} is longer than {limit}")
        self.stream = stream


class BrokenChain(StoreError):
    """The commit offered for storage is not sealed, or is not the next one."""

    def __init__(self, stream: str, number: int, reason: str) -> None:
        """Name the commit and what is wrong with it."""
        super().__init__(f"commit {number} of {stream} was not stored: {reason}")
        self.stream = stream
        self.number = number


class CorruptCommit(StoreError):
    """What is stored in a commit's place is not what was appended."""

    def __init__(self, stream: str, number: int, reason: str) -> None:
        """Name the commit and what is wrong with it."""
        super().__init__(f"commit {number} of {stream} is not as it was written: {reason}")
        self.stream = stream
        self.number = number
        self.reason = reason


class CorruptRow(StoreError):
    """A row beside the log is not one that this service wrote."""

    def __init__(self, what: str, reason: str) -> None:
        """Name the row, and what is wrong with it."""
        super().__init__(f"{what} is not as it was written: {reason}")
        self.what = what
