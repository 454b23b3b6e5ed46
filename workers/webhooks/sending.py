"""The port over which a webhook leaves: one POST, one answer, bounded in every way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

TIMEOUT_S: Final = 15.0
"""For all of an attempt, name look-up and connection included. The specification recommends 15 to 30 s."""
ANSWER_BYTES_MAX: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an endpoint said: its status decides, the first bytes of the body are for people."""

    status: int
    retry_after: str | None
    body: bytes


class Sender(Protocol):
    """Sends. Follows no redirect, sends no cookies and no credentials, reads at most `ANSWER_BYTES_MAX` of an answer."""

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Raises SendFailed when there is no answer. Bounded by its caller, who cancels it."""
        ...
