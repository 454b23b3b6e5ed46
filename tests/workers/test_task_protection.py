"""ECS keeps its hands off a task while it does long work, and only then; and nothing that the agent says harms the work."""

import itertools
import math
import random
from collections import deque
from types import SimpleNamespace

import anyio
import pytest

from tests.virtual_time import run_virtual
from tests.workers.log_lines import log_lines
from tests.workers.runtime.harness import consuming, full_load, make_loop, make_queues, send_many
from tests.workers.test_process_settings import REQUIRED
from tests.workers.test_wiring import out_of_reach
from workers.metrics.protection import ProtectionMetrics
from workers.metrics.table import Metrics
from workers.protecting import CountedRoots, protection
from workers.protection import AgentRefused, AgentUnreachable, Jobs, Protection, ProtectionSettings
from workers.runtime.outcome import Defer, Done
from workers.settings import ecs_agent_uri, from_environment
from workers.wiring import open_service


class FakeAgent:
    """Keeps what was asked and until when the task is protected. `errors` are raised one by one, None lets a call through."""

    def __init__(self):
        self.asked = []
        self.protected_until = -math.inf
        self.errors = deque()
        self.hangs = False
        self.deaf = False

    async def protect(self, minutes):
        await self._call("on", minutes)

    async def release(self):
        await self._call("off", 0)

    async def _call(self, what, minutes):
        self.asked.append((what, anyio.current_time()))
        if self.hangs:
            if not self.deaf:
                self.protected_until = anyio.current_time() + minutes * 60
            await anyio.sleep_forever()
        error = self.errors.popleft() if self.errors else None
        if error is not None:
            raise error
        self.protected_until = anyio.current_time() + minutes * 60

    def protects(self):
        return anyio.current_time() < self.protected_until


class Facts:
    def __init__(self):
        self.changes = []
        self.failures = []

    def changed(self, *, protected):
        self.changes.append((protected, anyio.current_time()))

    def failed(self, error, *, in_a_row):
        self.failures.append((type(error), in_a_row))


class World:
    """A protection over jobs, with an agent that can be dialled."""

    def __init__(self, **settings):
        self.agent = FakeAgent()
        self.jobs = Jobs()
        self.facts = Facts()
        self.part = Protection(
            self.agent,
            [self.jobs.oldest_s],
            observer=self.facts,
            random=random.Random(7),
            settings=ProtectionSettings(**settings),
        )

    async def work(self, seconds, *, at_once=False):
        with self.jobs.under_way("a job", at_once=at_once):
            await anyio.sleep(seconds)


def protected_by(story, **settings):
    """Run the story with a protection beside it, which is stopped at its end."""

    async def scenario():
        world = World(**settings)
        async with anyio.create_task_group() as tasks:
            await tasks.start(world.part.run)
            await story(world)
            world.part.stop()
        return world

    return run_virtual(scenario)


def test_short_work_never_asks_for_protection():
    """An hour of pieces of half a minute: the agent is not spoken to."""

    async def story(world):
        for _ in range(120):
            await world.work(30)

    assert protected_by(story).agent.asked == []


def test_long_work_is_protected_from_its_second_minute_until_two_minutes_after_its_end():
    """On once, off once, whatever ends and begins in between."""

    async def story(world):
        await world.work(59)
        assert not world.agent.protects()
        await world.work(300)
        assert world.agent.protects()
        for _ in range(20):
            await anyio.sleep(20)
            await world.work(80)
            assert world.agent.protects()
        await anyio.sleep(130)
        assert not world.agent.protects()

    world = protected_by(story)
    assert [protected for protected, _ in world.facts.changes] == [True, False]
    (_, began), (_, ended) = world.facts.changes
    assert 59 + 60 <= began <= 59 + 66
    assert len([what for what, _ in world.agent.asked if what == "off"]) == 1
    assert ended > began + 2_000


def test_protection_is_renewed_before_it_ends_and_not_per_message():
    """An hour of one piece of work: asked for every five minutes of the ten that each lasts."""

    async def story(world):
        async def watch():
            await anyio.sleep(70)
            while True:
                assert world.agent.protects()
                await anyio.sleep(1)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await world.work(3_600)
            tasks.cancel_scope.cancel()

    world = protected_by(story)
    assert 12 <= len([what for what, _ in world.agent.asked if what == "on"]) <= 14


def test_work_that_must_not_be_cut_off_is_protected_from_the_next_look_on():
    """Whoever names it so does not wait for a minute."""

    async def story(world):
        await world.work(6, at_once=True)
        assert world.agent.protects()

    protected_by(story)


def test_a_stop_gives_the_protection_up_at_once():
    """The deployment that stops the task waits for nobody, although the work goes on through the drain."""

    async def scenario():
        world = World()
        async with anyio.create_task_group() as tasks:
            await tasks.start(world.part.run)
            tasks.start_soon(world.work, 500)
            await anyio.sleep(100)
            assert world.agent.protects()
            world.part.stop()
            await anyio.sleep(0.1)
            assert not world.agent.protects()
            await anyio.sleep(200)
            assert world.agent.asked[-1][0] == "off"
            assert world.agent.asked[-1][1] == 100

    run_virtual(scenario)


def test_a_cancelled_process_gives_it_up_too_within_a_bound():
    """The agent hangs: five seconds, then the process ends; the protection runs out by itself."""

    async def scenario():
        world = World()
        with anyio.move_on_after(200):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(world.part.run)
                tasks.start_soon(world.work, 500)
                await anyio.sleep(190)
                world.agent.hangs = True
                await anyio.sleep_forever()
        assert anyio.current_time() == 205
        assert world.agent.asked[-1] == ("off", 200)

    run_virtual(scenario)


def test_an_idle_process_says_nothing_at_its_end():
    """There is nothing to give up."""

    async def story(world):
        await anyio.sleep(1_000)

    assert protected_by(story).agent.asked == []


@pytest.mark.parametrize("error", [AgentRefused("400: DEPLOYMENT_BLOCKED"), AgentUnreachable("connection refused")])
def test_an_agent_that_refuses_is_asked_again_ever_more_slowly(error):
    """Twenty minutes of errors: each is counted, no more than one request in five seconds, at the end about one a minute."""

    async def story(world):
        world.agent.errors.extend([error] * 1_000)
        await world.work(1_260)
        world.agent.errors.clear()
        await world.work(200)
        assert world.agent.protects()

    world = protected_by(story)
    times = [at for what, at in world.agent.asked if what == "on"]
    failures = len(world.facts.failures)
    assert 20 <= failures <= 80
    assert [in_a_row for _, in_a_row in world.facts.failures[:failures]] == list(range(1, failures + 1))
    assert min(after - before for before, after in itertools.pairwise(times)) >= 5


def test_a_request_without_an_answer_may_have_had_its_effect():
    """The agent protected the task and did not answer: although nothing was confirmed, the protection is given up at the end."""

    async def story(world):
        async def job():
            await world.work(62)

        world.agent.hangs = True
        await job()
        await anyio.sleep(6)
        world.agent.hangs = False
        assert world.agent.protects()

    world = protected_by(story)
    assert world.agent.asked[-1][0] == "off"
    assert world.facts.failures[0] == (AgentUnreachable, 1)


def test_a_refused_request_had_no_effect():
    """What the agent answered with no needs no giving up."""

    async def story(world):
        world.agent.errors.append(AgentRefused("no rights"))
        await world.work(63)

    assert [what for what, _ in protected_by(story).agent.asked] == ["on"]


def test_work_that_hangs_does_not_hold_up_deployments_for_good():
    """After two hours at a stretch the protection is given up, and stays so until that work has ended."""

    async def story(world):
        await world.work(10_000)
        assert not world.agent.protects()
        await anyio.sleep(130)
        await world.work(100)
        assert world.agent.protects()

    world = protected_by(story)
    assert [protected for protected, _ in world.facts.changes] == [True, False, True, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"minutes": 0},
        {"minutes": 2_881},
        {"after_s": 0},
        {"minutes": 1, "look_every_s": 30},
        {"retry_cap_s": 1},
        {"quiet_s": 60},
    ],
)
def test_numbers_that_make_no_protection_are_refused(wrong):
    """One that ends before it is renewed, or that ECS does not take."""
    with pytest.raises(ValueError, match=next(iter(wrong)).partition("_")[0] + "|above 0"):
        ProtectionSettings(**wrong)


def test_handlers_count_as_work_and_deferred_messages_do_not():
    """A message that waits for an outage to end may be given back at any time; the deployment may be what ends the outage."""

    async def scenario(*, defers):
        queue, clock = make_queues()
        agent = FakeAgent()

        async def handler(message):
            if defers and anyio.current_time() < 200:
                return Defer(50)
            await anyio.sleep(12)
            return Done()

        await send_many(queue, 1)
        loop = make_loop(queue, handler, full_load(), clock=clock)
        part = Protection(
            agent,
            [lambda: loop.oldest_running_s],
            observer=Facts(),
            random=random.Random(7),
            settings=ProtectionSettings(after_s=10, quiet_s=20, look_every_s=1),
        )
        async with anyio.create_task_group() as tasks:
            await tasks.start(part.run)
            async with consuming(loop):
                await anyio.sleep(15)
            part.stop()
        return [what for what, _ in agent.asked]

    assert run_virtual(lambda: scenario(defers=False)) == ["on", "off"]
    assert run_virtual(lambda: scenario(defers=True)) == []


def test_the_oldest_handler_counts_not_the_newest():
    """A long one beside many short ones is seen; when it ends, so does its age."""

    async def scenario():
        queue, clock = make_queues()

        async def handler(message):
            await anyio.sleep(14 if message.body == "0" else 0.5)
            return Done()

        await send_many(queue, 200)
        loop = make_loop(queue, handler, full_load(concurrency=3), clock=clock)
        async with consuming(loop):
            await anyio.sleep(13)
            assert 12 < loop.oldest_running_s <= 13
            await anyio.sleep(5)
            assert loop.oldest_running_s <= 0.5

    run_virtual(scenario)


def test_the_facts_become_metrics_and_few_lines():
    """A gauge, a counter by kind, one warning for a row of failures."""
    metrics = Metrics()
    with log_lines() as lines:
        facts = ProtectionMetrics(metrics)
        facts.changed(protected=True)
        for number in range(1, 4):
            facts.failed(AgentRefused("400: DEPLOYMENT_BLOCKED: None"), in_a_row=number)
    page = metrics.render()[0].decode()
    assert "orderstore_task_protected 1.0" in page
    assert 'orderstore_task_protection_failures_total{kind="AgentRefused"} 3.0' in page
    assert [line["event"] for line in lines.all()] == ["task protected", "task protection not changed"]


async def test_outside_of_ecs_nothing_is_protected_and_it_is_said_once(monkeypatch):
    """No variable, no part; the setting switches it off without a word."""
    monkeypatch.delenv("ECS_AGENT_URI", raising=False)
    more = {"metrics": Metrics(), "random": random.Random(7)}
    with log_lines() as lines:
        async with protection(from_environment(REQUIRED), [], Jobs(), **more) as parts:
            assert parts == []
    assert [line["event"] for line in lines.all()] == ["no ECS agent: the task is never protected"]
    monkeypatch.setenv("ECS_AGENT_URI", "http://127.0.0.1:9/api/x")
    with log_lines() as lines:
        off = from_environment({**REQUIRED, "ORDERSTORE_TASK_PROTECTION": "false"})
        async with protection(off, [], Jobs(), **more) as parts:
            assert parts == []
        async with protection(from_environment(REQUIRED), [], Jobs(), **more) as parts:
            assert [part.name for part in parts] == ["task protection"]
    assert lines.all() == []


async def test_in_ecs_every_process_has_the_part(monkeypatch):
    """Beside its other parts, and stopped with them."""
    monkeypatch.setenv("ECS_AGENT_URI", "http://127.0.0.1:9/api/x")
    async with open_service(out_of_reach(), ["relay"], Metrics()) as running:
        assert list(running.service.readiness())[-1] == "task protection"


def test_the_agents_address_is_read_by_the_settings_module():
    """ECS sets it, under its own name; empty is none."""
    assert ecs_agent_uri({"ECS_AGENT_URI": "http://169.254.170.2/api/1"}) == "http://169.254.170.2/api/1"
    assert ecs_agent_uri({"ECS_AGENT_URI": ""}) is None
    assert ecs_agent_uri({}) is None


def test_making_the_daily_root_counts_as_work():
    """Over a large log it takes long; looking for the newest does not."""

    async def scenario():
        jobs = Jobs()
        ages = []

        async def make_daily():
            await anyio.sleep(100)
            ages.append(jobs.oldest_s())
            return "root", True

        async def newest():
            ages.append(jobs.oldest_s())

        roots = CountedRoots(SimpleNamespace(make_daily=make_daily, newest=newest), jobs)
        assert await roots.make_daily() == ("root", True)
        await roots.newest()
        assert ages == [100, 0]

    run_virtual(scenario)
