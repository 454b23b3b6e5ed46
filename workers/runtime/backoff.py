"""Back-off with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"): spreads a crowd of retries best."""

import random


def full_jitter_s(*, attempt: int, base_s: float, cap_s: float, source: random.Random) -> float:
    """A random time in seconds between 0 and min(cap, base x 2^(attempt - 1)), for attempt 1, 2, 3 …"""
    doublings = min(max(attempt, 1) - 1, 32)  # past this any cap is reached; keeps the power small
    return source.uniform(0, min(cap_s, base_s * 2.0**doublings))
