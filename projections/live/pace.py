"""How often to look at what is watched. Pure."""

from projections.live.settings import LiveSettings


def pause_s(quiet_s: float, *, calm: bool, settings: LiveSettings) -> float:
    """The pause before the next look at what has not moved for `quiet_s`: short after a move, since one seldom comes alone."""
    if calm:
        return settings.pause_calm_s
    return min(max(quiet_s * settings.pause_part, settings.pause_min_s), settings.pause_max_s)


def trouble_pause_s(failures: int, settings: LiveSettings) -> float:
    """The pause after so many failures in a row, 1 being the first."""
    doublings = min(failures - 1, 16)
    return min(settings.trouble_pause_s * 2.0**doublings, settings.trouble_pause_max_s)
