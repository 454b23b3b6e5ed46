"""A subscription that goes on when one key cannot: the failing key is found, tried again, parked, and its records are held."""

from projections.stream.quarantine.subscriber import NotParkedYet, ParkingStopped, Quarantine, QuarantineError

__all__ = ["NotParkedYet", "ParkingStopped", "Quarantine", "QuarantineError"]
