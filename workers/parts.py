"""Which part of the process is at work: known to every task that a part starts, and to those that they start."""

from contextvars import ContextVar
from typing import Final

running_part: Final[ContextVar[str]] = ContextVar("running_part", default="")
"""The name of the part; empty before parts are started, and in a command."""
