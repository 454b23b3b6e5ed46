"""What a breaker remembers of failing messages is for those that still fail."""

import random

import pytest

from tests.virtual_time import run_virtual
from workers.runtime.breaker import BreakerSettings, Guarded
from workers.runtime.outcome import Defer, Done
from workers.runtime.queue import Message


def message(name):
    return Message(id=name, receipt=name, body=name, attributes={}, receive_count=1, sent_at_ms=0)


def test_messages_that_were_done_in_the_end_do_not_push_out_one_that_still_fails():
    """Room for two: one that always fails is told from an outage, however many failed once and were done beside it."""

    async def scenario():
        failed_once = set()

        async def handler(message):
            if message.id == "bad" or message.id not in failed_once:
                failed_once.add(message.id)
                raise ConnectionError
            return Done()

        settings = BreakerSettings(
            failures_to_open=1_000, own_fault_failures=3, own_fault_successes=10, own_fault_after_s=0, remembered_max=2
        )
        guarded = Guarded(
            handler,
            is_outage=lambda error: isinstance(error, ConnectionError),
            source=random.Random(7),
            settings=settings,
        )
        assert isinstance(await guarded(message("bad")), Defer)
        for number in range(10):
            if number == 5:
                assert isinstance(await guarded(message("bad")), Defer)
            assert isinstance(await guarded(message(f"m{number}")), Defer)
            assert await guarded(message(f"m{number}")) == Done()
        with pytest.raises(ConnectionError):
            await guarded(message("bad"))

    run_virtual(scenario)
