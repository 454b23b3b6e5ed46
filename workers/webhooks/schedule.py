"""When an attempt that failed is repeated. Source: Standard Webhooks 1.0.0, "Deliverability and reliability", the example schedule."""

from email.utils import parsedate_to_datetime
from random import Random
from typing import Final

SECOND_MS: Final = 1_000
MINUTE_S: Final = 60.0
HOUR_S: Final = 3_600.0
# After the first attempt, the second …; ten attempts over 75 hours and 35 minutes.
DELAYS_S: Final = (
    5.0,
    5 * MINUTE_S,
    30 * MINUTE_S,
    2 * HOUR_S,
    5 * HOUR_S,
    10 * HOUR_S,
    14 * HOUR_S,
    20 * HOUR_S,
    24 * HOUR_S,
)
TRIES_MAX: Final = len(DELAYS_S) + 1
JITTER: Final = 0.2
"""Later by up to a fifth, never earlier: a crowd that failed together does not come back together."""
RETRY_AFTER_S_MAX: Final = 24 * HOUR_S
_DIGITS_MAX: Final = 9


def delay_s(tries: int, random: Random, *, retry_after_s: float | None = None) -> float | None:
    """How long to wait after the attempt number `tries` (1-based) failed; None when that was the last.

    `retry_after_s` is what the endpoint asked for: it may delay the next attempt by up to a day, never hasten it.
    """
    if tries >= TRIES_MAX:
        return None
    scheduled = DELAYS_S[tries - 1] * (1 + random.uniform(0, JITTER))
    return scheduled if retry_after_s is None else max(scheduled, min(retry_after_s, RETRY_AFTER_S_MAX))


def retry_after_s(header: str | None, *, now_ms: int) -> float | None:
    """What `Retry-After` says (RFC 9110 section 10.2.3: seconds or a date); None for nothing, nonsense or the past."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text) if len(text) <= _DIGITS_MAX else RETRY_AFTER_S_MAX
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now_ms / SECOND_MS
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds > 0 else None
