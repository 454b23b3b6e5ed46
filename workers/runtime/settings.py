"""The numbers of one consumer, refused at construction when they contradict each other."""

from dataclasses import dataclass

from workers.runtime.queue import BATCH_ENTRIES_MAX, VISIBILITY_S_MAX, WAIT_S_MAX

VISIBILITY_PER_DEADLINE_MIN = 6
"""AWS's rule for SQS consumers: a visibility timeout of at least six times the handler's time limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeSettings:
    """How one worker reads one queue.

    How to choose the visibility timeout: the longest time from asking for a message to having it settled is
    wait + time in the buffer + handler deadline + acknowledging; six deadlines leave room for a throttled
    acknowledgement and for heartbeats that fail for a while. Shorter, and a second worker starts the same message;
    longer, and a killed worker's messages wait longer.

    Raises `ValueError`, naming every contradiction.
    """

    # the queue
    visibility_timeout_s: int = 120
    receive_count_max: int = 3
    retention_s: int = 4 * 86_400
    dead_letter_retention_s: int = 14 * 86_400

    # polling
    wait_s: int = WAIT_S_MAX
    batch_size: int = BATCH_ENTRIES_MAX
    batch_window_s: float = 1.0
    """While more than half of the worker is busy, wait this long for a full batch's worth of credit."""
    gather_s: float = 0.0
    """How long the next poll waits after an answer that was at most half full, so that it brings several messages: for a queue whose
    messages nobody waits for. A long poll answers with the first message that there is: without it a trickle costs a request a message."""
    polls_max: int = 4
    poll_backoff_base_s: float = 0.5
    poll_backoff_cap_s: float = 30.0

    # handling
    ordered: bool = False
    """A FIFO queue: of a message group one message runs at a time, and one that fails holds back those behind it."""
    concurrency: int = 10
    prefetch: int = 0
    """Messages held beyond those that run; each burns a receive when the worker stops before it starts."""
    initial_credits: int = 1
    """Messages held at once in the beginning; each handler that returns adds one, so the worker doubles its load with every round
    of handlers. A message that kills its process thus meets few others, and burns few receives but its own."""
    handler_deadline_s: float = 15.0
    retry_base_s: float = 2.0
    retry_cap_s: float = 120.0
    defer_hold_s_max: float = 3_600.0

    # holding and acknowledging
    heartbeat_interval_s: float = 20.0
    heartbeat_cap_s: float = 300.0
    call_timeout_s: float = 10.0
    ack_linger_s: float = 0.05
    remembered_ids_max: int = 10_000

    # stopping
    poll_grace_s: float = 20.0
    """How long a poll under way may still answer: cutting it short can lose its messages for a whole visibility timeout."""
    drain_budget_s: float = 20.0
    flush_budget_s: float = 5.0
    stop_timeout_s: float = 30.0
    """When the platform kills: ECS `stopTimeout`, 30 s by default, 120 s at most."""

    def __post_init__(self) -> None:
        problems = [text for wrong, text in self._rules() if wrong]
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def credits_max(self) -> int:
        """Messages that may wait, run or be deferred at once."""
        return self.concurrency + self.prefetch

    @property
    def held_max(self) -> int:
        """Messages in memory at once, those being acknowledged or given back included."""
        return 2 * self.credits_max + self.batch_size

    def _rules(self) -> tuple[tuple[bool, str], ...]:
        needed_s = VISIBILITY_PER_DEADLINE_MIN * self.handler_deadline_s
        # A buffered message starts after at most this many rounds of handlers, each as long as a deadline.
        rounds_in_half = (
            int(self.visibility_timeout_s / 2 // self.handler_deadline_s) if self.handler_deadline_s > 0 else 0
        )
        positive = {
            "handler_deadline_s": self.handler_deadline_s,
            "concurrency": self.concurrency,
            "initial_credits": self.initial_credits,
            "polls_max": self.polls_max,
            "receive_count_max": self.receive_count_max,
            "heartbeat_interval_s": self.heartbeat_interval_s,
            "call_timeout_s": self.call_timeout_s,
            "poll_backoff_base_s": self.poll_backoff_base_s,
            "retry_base_s": self.retry_base_s,
            "remembered_ids_max": self.remembered_ids_max,
            "drain_budget_s": self.drain_budget_s,
            "flush_budget_s": self.flush_budget_s,
        }
        not_negative = {
            "batch_window_s": self.batch_window_s,
            "gather_s": self.gather_s,
            "prefetch": self.prefetch,
            "ack_linger_s": self.ack_linger_s,
            "poll_grace_s": self.poll_grace_s,
            "defer_hold_s_max": self.defer_hold_s_max,
        }
        return (
            *((value <= 0, f"{name} must be above 0, not {value}") for name, value in positive.items()),
            *((value < 0, f"{name} must not be below 0, not {value}") for name, value in not_negative.items()),
            (
                not 1 <= self.batch_size <= BATCH_ENTRIES_MAX,
                f"batch_size must be 1 to {BATCH_ENTRIES_MAX}, not {self.batch_size}",
            ),
            (not 0 <= self.wait_s <= WAIT_S_MAX, f"wait_s must be 0 to {WAIT_S_MAX}, not {self.wait_s}"),
            (
                self.visibility_timeout_s < needed_s,
                (
                    f"visibility_timeout_s ({self.visibility_timeout_s}) must be at least {VISIBILITY_PER_DEADLINE_MIN} x "
                    f"handler_deadline_s ({self.handler_deadline_s:g}), that is {needed_s:g}"
                ),
            ),
            (
                self.wait_s + self.handler_deadline_s >= self.visibility_timeout_s,
                (
                    f"wait_s ({self.wait_s}) + handler_deadline_s ({self.handler_deadline_s:g}) must be below "
                    f"visibility_timeout_s ({self.visibility_timeout_s}): it is counted from before the receive call"
                ),
            ),
            (
                3 * self.heartbeat_interval_s > self.visibility_timeout_s,
                (
                    f"heartbeat_interval_s ({self.heartbeat_interval_s:g}) must be at most a third of "
                    f"visibility_timeout_s ({self.visibility_timeout_s})"
                ),
            ),
            (
                self.heartbeat_cap_s < self.visibility_timeout_s,
                f"heartbeat_cap_s ({self.heartbeat_cap_s:g}) must be at least visibility_timeout_s ({self.visibility_timeout_s})",
            ),
            (
                max(self.heartbeat_cap_s, self.defer_hold_s_max) + self.visibility_timeout_s > VISIBILITY_S_MAX,
                f"heartbeat_cap_s and defer_hold_s_max plus visibility_timeout_s must stay within SQS's {VISIBILITY_S_MAX} s",
            ),
            (
                self.prefetch > self.concurrency * rounds_in_half,
                (
                    f"prefetch ({self.prefetch}) cannot start within half of visibility_timeout_s: "
                    f"at most {self.concurrency * rounds_in_half}"
                ),
            ),
            (
                self.retry_cap_s > VISIBILITY_S_MAX or self.retry_cap_s < self.retry_base_s,
                f"retry_cap_s ({self.retry_cap_s:g}) must be retry_base_s to {VISIBILITY_S_MAX}",
            ),
            (
                self.poll_backoff_cap_s < self.poll_backoff_base_s,
                f"poll_backoff_cap_s ({self.poll_backoff_cap_s:g}) must be at least poll_backoff_base_s",
            ),
            (
                self.drain_budget_s < self.handler_deadline_s,
                (
                    f"drain_budget_s ({self.drain_budget_s:g}) must be at least handler_deadline_s ({self.handler_deadline_s:g}): "
                    "else every stop burns a receive of what runs"
                ),
            ),
            (
                self.poll_grace_s > self.drain_budget_s,
                f"poll_grace_s ({self.poll_grace_s:g}) must be at most drain_budget_s ({self.drain_budget_s:g})",
            ),
            (
                self.drain_budget_s + self.flush_budget_s >= self.stop_timeout_s,
                (
                    f"drain_budget_s ({self.drain_budget_s:g}) + flush_budget_s ({self.flush_budget_s:g}) must be below "
                    f"stop_timeout_s ({self.stop_timeout_s:g})"
                ),
            ),
            (
                self.dead_letter_retention_s <= self.retention_s,
                (
                    f"dead_letter_retention_s ({self.dead_letter_retention_s}) must be longer than retention_s "
                    f"({self.retention_s}): a dead letter keeps the age that it had"
                ),
            ),
        )
