"""The bounds of live streams, each with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """Seconds, unless a name says otherwise."""

    streams_max: int = 1_000
    """Of one process: well below what its HTTP server takes, so that ordinary requests are served beside them."""
    streams_per_token_max: int = 500
    """So that one client's mistake does not shut out the others."""
    life_s: float = 900
    """A stream ends after so long, and the client comes back: connections spread anew over the processes, tokens are checked anew."""
    life_spread: float = 0.2
    """Streams that began together end apart: each lives up to this part shorter, drawn for each."""
    beat_s: float = 15
    """After so much silence a comment is sent. AWS's load balancer cuts what is silent for 60 s; a dead client is found out."""
    send_s: float = 10
    """Who does not take an event for so long is cut: it holds a buffer, and comes back where it was."""
    retry_ms: int = 2_000
    """How long a client is asked to wait before it comes back, and up to as long again, drawn for each."""
    retry_broken_ms: int = 60_000
    """The same where it is of no use before somebody has looked."""
    pause_min_s: float = 0.5
    """Between two looks at what has just moved."""
    pause_max_s: float = 5
    """Between two looks at what has been quiet for long."""
    pause_calm_s: float = 120
    """The same for what has come to its end, where only a refund may follow."""
    pause_part: float = 0.1
    """Between these bounds: this part of the time for which it has been quiet."""
    tick_s: float = 0.25
    """Looks that fall due within one tick are one look."""
    log_look_s: float = 60
    """An order's log itself is looked at so often, for the day on which the views stand still."""
    trouble_pause_s: float = 2
    """After a read that failed; then twice as long each time."""
    trouble_pause_max_s: float = 30
    """But no longer."""
    customer_orders_max: int = 20
    """Of a customer, the latest so many orders are followed."""
    customer_list_s: float = 10
    """How often the latest of a customer's orders are listed, for new ones; also at once when a note comes."""
    reads_at_once: int = 16
    """Reads of the log and of inboxes for streams: they must not hold every connection to the database."""
    notes_at_once: int = 50
    """Notes of an inbox that are read at once; the rest follows."""
