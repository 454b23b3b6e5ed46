"""W3C Trace Context, and the trace in which this task works. Pure: what records spans stands behind `workers/tracing`, and may be absent.

Of the two headers of https://www.w3.org/TR/trace-context/ only `traceparent` is kept. `tracestate` is dropped at the door: it is up to 512
characters of other vendors' own, from outside, and what an event is given stands in the log for ever.

A traceparent that is not well-formed is no error: whoever reads it goes on without (the specification's "restart the trace").
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

TRACEPARENT: Final = "traceparent"
"""The name of the header, of the field in the envelope and of the message attribute."""
SAMPLED: Final = 0x01
RANDOM: Final = 0x02
"""Level 2: the trace id was drawn at random, so that a sampler may rely on it."""
# Longer than any version's that is known; what a newer one adds is not looked at, and so need not be held either.
CHARACTERS_MAX: Final = 256
# Lower case only; all zeros, and version ff, mean "invalid". Version 00 ends here; a newer one may go on behind another dash (3.2.4).
_FORMAT: Final = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One span of one trace, as others may name it: `trace_id` has 32 lower-case hexadecimal digits, `span_id` 16."""

    trace_id: str
    span_id: str
    flags: int

    @property
    def is_sampled(self) -> bool:
        """Whether its spans are recorded somewhere."""
        return bool(self.flags & SAMPLED)

    @property
    def traceparent(self) -> str:
        """As version 00, which is the newest that there is."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def parse_traceparent(text: str | None) -> TraceContext | None:
    """What a traceparent says; None when there is none, or none that is well-formed.

    Of a newer version's flags only the sampled one is known (3.2.4); flags that no version knows are never passed on.
    """
    if text is None or len(text) > CHARACTERS_MAX or (found := _FORMAT.fullmatch(text)) is None:
        return None
    newer = found["version"] != "00"
    if found["more"] is not None and not newer:
        return None
    flags = int(found["flags"], 16) & (SAMPLED if newer else SAMPLED | RANDOM)
    return TraceContext(found["trace"], found["span"], flags)


# Where this task works. A value of the task, as a logger's bound fields are: tasks that it starts inherit it, others never see it.
_here: ContextVar[TraceContext | None] = ContextVar("orderstore_trace", default=None)


def current() -> TraceContext | None:
    """The span in which this task works; None where nothing is traced."""
    return _here.get()


def continued(given: str | None) -> str | None:
    """The traceparent of what is written here: this task's span where there is one, else what the cause came with."""
    here = _here.get()
    return given if here is None else here.traceparent


@contextmanager
def working_in(context: TraceContext) -> Iterator[None]:
    """Whatever is written inside belongs to this span."""
    token = _here.set(context)
    try:
        yield
    finally:
        _here.reset(token)
