"""How many streams there may be: of the process, and of each token. Counted, given back whatever happens.

Refused     no stream can be opened now; says why
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from projections.live.observe import Refusal


class Refused(Exception):
    """No stream can be opened now."""

    def __init__(self, why: Refusal, text: str) -> None:
        """`text` is for the client."""
        super().__init__(text)
        self.why: Refusal = why


class Slots:
    """Places for streams, until `close`."""

    def __init__(self, *, most: int, most_per_token: int) -> None:
        self._most = most
        self._most_per_token = most_per_token
        self._taken: Counter[str] = Counter()
        self._closed = False

    @property
    def taken(self) -> int:
        """How many are taken now."""
        return self._taken.total()

    def close(self) -> None:
        """Give no more."""
        self._closed = True

    @contextmanager
    def one(self, token: str) -> Iterator[None]:
        """Hold a place for the token of this name. Raises Refused."""
        if self._closed:
            raise Refused("stopping", "this process is about to stop: connect again")
        if self.taken >= self._most:
            raise Refused("process_full", f"this process serves {self._most} live streams, which is all it may")
        if self._taken[token] >= self._most_per_token:
            raise Refused("token_full", f"this token has {self._most_per_token} live streams, which is all it may")
        self._taken[token] += 1
        try:
            yield
        finally:
            self._taken[token] -= 1
            if not self._taken[token]:
                del self._taken[token]
