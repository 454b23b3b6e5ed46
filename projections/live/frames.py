"""Server-sent events as bytes. Source: the HTML standard, section 9.2 "Server-sent events". Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson


@dataclass(frozen=True, slots=True)
class Frame:
    """What is sent at once; `event` is its name, for measures ("beat" and "retry" are none to the client)."""

    event: str
    sent: bytes


BEAT: Final = Frame("beat", b": still here\n\n")
"""A comment: clients drop it."""


def event(name: str, data: Mapping[str, Any], *, id_: str | None = None) -> Frame:
    """An event. Without an id, the client's last one stands. JSON has no line ends of its own, so that one `data` line holds it all."""
    lines = [] if id_ is None else [b"id: ", id_.encode("ascii"), b"\n"]
    return Frame(name, b"".join((*lines, b"event: ", name.encode("ascii"), b"\ndata: ", orjson.dumps(data), b"\n\n")))


def retry(pause_ms: int) -> Frame:
    """How long to wait, once the connection has ended, before the next."""
    return Frame("retry", f"retry: {pause_ms}\n\n".encode("ascii"))
