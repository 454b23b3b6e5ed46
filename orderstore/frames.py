"""How much a zstd frame says that it unpacks to, before anybody unpacks it: what is stored may be small, and say that it is not."""

from typing import Final

import zstandard

MAGIC: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878, 3.1.1


class NoFrame(ValueError):
    """The bytes do not begin with a zstd frame that says how long it is unpacked."""


def unpacked_bytes(content: bytes) -> int:
    """What the frame's head says. Raises NoFrame.

    The library makes room for what the head says, whatever it was told is the most. And it takes a skippable frame (RFC 8878, 3.1.2) for
    one: eight bytes that may say four gigabytes.
    """
    if not content.startswith(MAGIC):
        raise NoFrame("it is no zstd frame")
    try:
        found = zstandard.frame_content_size(content)
    except zstandard.ZstdError as error:
        raise NoFrame(f"it is no zstd frame: {error}") from error
    if found < 0:
        raise NoFrame("it does not say how long it is unpacked")
    return found
