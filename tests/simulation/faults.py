"""What goes wrong in a run: one frozen record of named numbers, drawn from the run's seed."""

from dataclasses import dataclass, field
from random import Random

from tests.projections.stream import faults as stream_faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """A probability of one call (of a message, of an entry) unless the name ends in a unit. All zero: nothing goes wrong."""

    # every call of a process to something outside it
    delay: float = 0.0
    delay_s: float = 0.2  # mean of those that are late
    throttle: float = 0.0
    lost_request: float = 0.0  # it fails, and had no effect
    lost_answer: float = 0.0  # it fails, and had its effect
    hang: float = 0.0  # it fails after `hang_s`, with or without effect
    hang_s: float = 10.0
    slow_answer: float = (
        0.0  # it has its effect, and the answer takes `hang_s`: who gives up by then has had the effect
    )
    late_effect: float = 0.0  # it fails after a while, and has its effect up to `late_effect_s` after it left
    late_effect_s: float = 20.0
    crash: float = 0.0  # the process dies at this await, before or after the effect

    # messages
    duplicate: float = 0.0  # the topic delivers it twice
    late: float = 0.0  # it overtakes nobody for up to `late_s`: others overtake it
    late_s: float = 30.0
    refused_entry: float = 0.0  # of a batch to the topic
    slow_handler: float = 0.0  # a handler stands still for up to `slow_handler_s` before it begins
    slow_handler_s: float = 5.0

    # processes; 0: never
    kill_every_s: float = 0.0
    stop_every_s: float = 0.0  # in good order
    freeze_every_s: float = 0.0
    freeze_s: float = 40.0  # longer than a lease
    steal_every_s: float = 0.0  # a stranger takes a lease
    skew_s: float = 0.0  # how far clocks are off at most
    step_every_s: float = 0.0  # a machine's clock is set anew, forwards or back, within the same bound
    redrive_every_s: float = 0.0  # an operator sends dead letters on, in the middle of it all

    # a customer's endpoint for webhooks
    endpoint_wrong: float = 0.0  # it answers with an error, having taken the event in or not
    endpoint_late: float = 0.0  # it answers after up to `endpoint_late_s`, or nobody waits for it any more
    endpoint_late_s: float = 20.0
    endpoint_silent: float = 0.0  # there is no answer, whether it took the event in or not

    stream: stream_faults.Faults = field(default_factory=stream_faults.Faults)

    @property
    def excuse_no_dead_letters(self) -> bool:
        """Whether nothing burns receives: no process dies or stands still, no call fails. What is slow, late or twice must not."""
        return not any(
            (
                self.throttle,
                self.lost_request,
                self.lost_answer,
                self.hang,
                self.slow_answer,
                self.late_effect,
                self.crash,
                self.kill_every_s,
                self.stop_every_s,
                self.freeze_every_s,
            )
        )


CALM = Faults()
MILD_ONE_IN = 6


def drawn(seed: int) -> Faults:
    """Some of everything, or none of it: the seed decides. In some runs everything is slow, late or twice, and nothing fails."""
    random = Random(f"faults {seed}")

    def up_to(most: float) -> float:
        return random.choice((0.0, random.uniform(0, most)))

    def every(least_s: float, most_s: float) -> float:
        return random.choice((0.0, random.uniform(least_s, most_s)))

    if seed % MILD_ONE_IN == 0:
        return Faults(
            delay=up_to(0.3),
            duplicate=up_to(0.3),
            late=up_to(0.3),
            refused_entry=up_to(0.2),
            slow_handler=up_to(0.3),
            slow_handler_s=4.0,
            steal_every_s=every(10, 60),
            skew_s=random.choice((0.0, 3.0)),
            step_every_s=every(10, 60),
            endpoint_wrong=up_to(0.3),
            endpoint_late=up_to(0.2),
            endpoint_silent=up_to(0.2),
            stream=stream_faults.drawn(seed),
        )
    return Faults(
        delay=up_to(0.3),
        delay_s=random.choice((0.05, 0.5)),
        throttle=up_to(0.05),
        lost_request=up_to(0.03),
        lost_answer=up_to(0.05),
        hang=up_to(0.01),
        slow_answer=up_to(0.01),
        late_effect=up_to(0.02),
        crash=up_to(0.01),
        duplicate=up_to(0.3),
        late=up_to(0.3),
        refused_entry=up_to(0.2),
        slow_handler=up_to(0.1),
        kill_every_s=every(5, 60),
        stop_every_s=every(10, 60),
        freeze_every_s=every(20, 90),
        freeze_s=random.uniform(5, 60),
        steal_every_s=every(10, 60),
        skew_s=random.choice((0.0, 3.0)),
        step_every_s=every(10, 60),
        redrive_every_s=every(10, 60),
        endpoint_wrong=up_to(0.3),
        endpoint_late=up_to(0.2),
        endpoint_silent=up_to(0.2),
        stream=random.choice((stream_faults.drawn, stream_faults.drawn_with_losses))(seed),
    )
