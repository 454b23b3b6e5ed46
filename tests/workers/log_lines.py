"""The lines that the process logs, as they are written."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import structlog

from workers.logs import configure


class Lines:
    """Parsed at the moment of asking."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def all(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.stream.getvalue().splitlines()]


@contextmanager
def log_lines(level: str = "info") -> Iterator[Lines]:
    """Configure logs as a process does, and put everything back afterwards."""
    root = logging.getLogger()
    handlers, root_level, before = root.handlers[:], root.level, structlog.get_config()
    lines = Lines()
    configure(level=level, stream=lines.stream)
    try:
        yield lines
    finally:
        root.handlers[:] = handlers
        root.setLevel(root_level)
        structlog.configure(**before)
