"""The breaker of an endpoint: when it opens, for how long, and what is let through meanwhile."""

from random import Random

from workers.webhooks.breaker import FAILURES_MAX, PAUSE_S, PAUSE_S_MAX, EndpointBreaker


def opened(at: float = 0.0) -> EndpointBreaker:
    breaker = EndpointBreaker(Random(1))
    for _ in range(FAILURES_MAX):
        breaker.begin()
        breaker.failed(at, pause_s=None)
    return breaker


def test_it_opens_after_failures_in_a_row_and_a_success_begins_the_count_anew() -> None:
    """Now and then a failure is nobody's outage."""
    breaker = EndpointBreaker(Random(1))
    for _ in range(10):
        for _ in range(FAILURES_MAX - 1):
            assert breaker.failed(0, pause_s=None) is None
        breaker.succeeded()
    assert breaker.may_send(0)
    assert breaker.is_closed
    assert not opened().may_send(0)


def test_while_it_is_open_one_probe_at_a_time_is_let_through_when_the_pause_is_over() -> None:
    """The probe's success lets everything through, a probe that sent nothing lets another."""
    breaker = opened()

    assert not breaker.may_send(PAUSE_S * 0.79)
    assert breaker.may_send(PAUSE_S)
    breaker.begin()
    assert not breaker.may_send(PAUSE_S)
    breaker.nothing_sent()
    assert breaker.may_send(PAUSE_S)
    breaker.begin()
    breaker.succeeded()
    assert breaker.may_send(PAUSE_S)
    breaker.begin()
    assert breaker.may_send(PAUSE_S)


def test_the_pause_doubles_with_each_probe_that_fails_up_to_ten_minutes() -> None:
    """And starts from the beginning after a success."""
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(8):
        now = breaker.until
        breaker.begin()
        pause_s = breaker.failed(now, pause_s=None)
        assert pause_s is not None
        pauses.append(pause_s)

    for number, pause_s in enumerate(pauses, start=1):
        whole = min(PAUSE_S * 2**number, PAUSE_S_MAX)
        assert 0.8 * whole <= pause_s <= whole
    breaker.succeeded()
    assert breaker.failed(now, pause_s=None) is None


def test_those_under_way_when_it_opened_do_not_make_the_pause_longer() -> None:
    """Four attempts fail together: that is one outage."""
    breaker = opened()
    until = breaker.until

    assert breaker.failed(1, pause_s=None) is None
    assert breaker.failed(2, pause_s=0.0) is None
    assert breaker.until == until


def test_an_endpoint_that_asks_for_peace_gets_it_at_once() -> None:
    """For as long as it asked, ten minutes at most; each delivery's own time is kept in its row."""
    for asked, least, most in ((0.0, 24, 30), (120.0, 96, 120), (86_400.0, 480, 600)):
        breaker = EndpointBreaker(Random(1))
        breaker.begin()
        pause_s = breaker.failed(0, pause_s=asked)
        assert pause_s is not None
        assert least <= pause_s <= most
        assert not breaker.may_send(least - 1)
