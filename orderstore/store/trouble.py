"""What an AWS call's failure means, and how often and how long to try again: one table, used by every adapter of the write side.

The clients that are passed to these adapters should not retry by themselves (`retries={"total_max_attempts": 1}`):
a duplicate would still be harmless, but the two bounds would multiply.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final, TypeVar

import anyio
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
)

from orderstore.store.errors import Refused, StoreError, Throttled, Unavailable

Answer = TypeVar("Answer")


class Trouble(Enum):
    """What a failed call says about the request."""

    THROTTLED = "throttled"
    """It was not carried out; slower, please."""
    TRANSIENT = "transient"
    """It may have been carried out: the answer did not arrive, or is a server's fault."""
    REFUSED = "refused"
    """It was not carried out and never will be as it stands."""


# AWS, "Error handling with DynamoDB", "Amazon S3 error responses" and "KMS common errors".
THROTTLED_CODES: Final = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        # A transaction holds the item for some milliseconds: the other request is turned away, not carried out.
        "ConditionalRequestConflict",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_TRANSIENT: Final = frozenset(
    {
        "DependencyTimeoutException",
        "InternalError",
        "InternalServerError",
        "KMSInternalException",
        "KeyUnavailableException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
    }
)


# A container's credentials come over HTTP too, and are renewed while it runs.
_LOST_ON_THE_WAY: Final = (HTTPClientError, ConnectionError, CredentialRetrievalError, MetadataRetrievalError)


def code_of(error: ClientError | BotoCoreError) -> str:
    """Return the service's own error code, or the name of the client's exception."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def classify(error: ClientError | BotoCoreError) -> Trouble:
    """Say what the failure means. A code that is not in the table is judged by its HTTP status."""
    if isinstance(error, BotoCoreError):
        return Trouble.TRANSIENT if isinstance(error, _LOST_ON_THE_WAY) else Trouble.REFUSED
    code = code_of(error)
    if code in THROTTLED_CODES:
        return Trouble.THROTTLED
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    return Trouble.TRANSIENT if code in _TRANSIENT or status >= 500 else Trouble.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Full jitter (AWS architecture blog, "Exponential backoff and jitter"): sleep anything from 0 to a ceiling that doubles.

    With the defaults a call gives up after at most 5 s of sleeping, well inside a handler's 15 s.
    """

    tries_max: int = 8
    base_s: float = 0.05
    ceiling_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse bounds that bound nothing."""
        if self.tries_max < 1 or not 0 < self.base_s <= self.ceiling_s:
            raise ValueError("a back-off has at least one try, and 0 < base_s <= ceiling_s")

    def sleep_s(self, failures: int, random: Random) -> float:
        """Return how long to sleep after that many failures (from 1)."""
        return random.uniform(0, min(self.ceiling_s, self.base_s * 2 ** (failures - 1)))


class Attempts:
    """The failures of one call so far."""

    def __init__(self, operation: str, backoff: Backoff, random: Random, *, writes: bool) -> None:
        """Begin with none."""
        self._operation = operation
        self._writes = writes
        self._backoff = backoff
        self._random = random
        self._failures = 0
        self.ambiguous = False
        """Whether one of the tries may have written although it failed."""

    async def failed(self, error: ClientError | BotoCoreError, trouble: Trouble | None = None) -> None:
        """Sleep before the next try, or raise what the failure comes to. `trouble` overrules the table where a caller knows better.

        Raises:
            Refused: at once, when trying again does not help.
            Throttled, Unavailable: the tries are used up; or it was refused after a try that may have written.
        """
        trouble = trouble or classify(error)
        if trouble is Trouble.REFUSED and not self.ambiguous:
            raise Refused(self._operation, code_of(error), str(error)) from error
        self._failures += 1
        self.ambiguous = self.ambiguous or (self._writes and trouble is Trouble.TRANSIENT)
        if trouble is Trouble.REFUSED or self._failures >= self._backoff.tries_max:
            raise self._gave_up(trouble) from error
        await anyio.sleep(self._backoff.sleep_s(self._failures, self._random))

    def _gave_up(self, trouble: Trouble) -> StoreError:
        if trouble is Trouble.THROTTLED and not self.ambiguous:
            return Throttled(self._operation, tries=self._failures)
        return Unavailable(self._operation, tries=self._failures, ambiguous=self.ambiguous)


class Retrying:
    """Makes `Attempts`, all with the same bounds."""

    def __init__(self, backoff: Backoff, random: Random) -> None:
        """Use these bounds; `random` spreads the sleeps."""
        self._backoff = backoff
        self._random = random

    def start(self, operation: str, *, writes: bool) -> Attempts:
        """Begin a call."""
        return Attempts(operation, self._backoff, self._random, writes=writes)

    async def calling(self, operation: str, call: Callable[[], Awaitable[Answer]], *, writes: bool = False) -> Answer:
        """Call until there is an answer: for calls no failure of which is an answer in itself. Raises as `Attempts.failed`."""
        attempts = self.start(operation, writes=writes)
        while True:
            try:
                return await call()
            except (ClientError, BotoCoreError) as error:
                await attempts.failed(error)
