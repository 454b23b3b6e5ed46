"""One run: fleet, customers, blows; then quiet, and the reckoning. `python -m tests.e2e.chaos --seed N …` replays one."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio

from deploy.local.environment import Environment
from tests.e2e.chaos import reckoning
from tests.e2e.chaos.customers import GOODS, SCARCE, Shop, draw_wishes, keep_ordering
from tests.e2e.chaos.fleet import NUMBERS, VISIBILITY_TIMEOUT_S, Fleet, Seat, running_fleet
from tests.e2e.chaos.plan import Blow, Hit, carry_out, draw_plan
from tests.e2e.chaos.quiet import Quiet
from tests.e2e.chaos.reckoning import EAR
from tests.e2e.chaos.story import Story
from tests.e2e.emulated import Emulated
from tests.e2e.programs import COMMAND_S_MAX, orderstore
from tests.emulator import clients_for, fresh_settings
from workers.core import open_core
from workers.departments import stock_of
from workers.metrics.table import Metrics
from workers.settings import from_environment

PIECES: Final = 100_000
CLOCK_S: Final = 0.1
EXPLAINED_S: Final = 4.0
"""A mail goes out twice when its sender is hit, or gives up, between the mail service's taking it and the next write: within moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a run is. `first_s`, `last_s`: between which moments the blows fall."""

    orders: int
    per_s: float
    hits: int
    first_s: float
    last_s: float
    scarce_pieces: int
    blows: dict[Blow, int] | None = None
    redrives: bool = False
    """Whether letters whose receives were used up may be sent on, as an operator would: fifty blows in a row can do that to a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run came to."""

    orders: int
    events: int
    repeats: int
    redelivered: int
    heard_twice: int
    mails: int
    mails_twice_by_blow: int
    mails_twice_by_patience: int
    dead_by_kills: int
    drained_after_s: float
    slowest_drain_s: float
    ends: Mapping[str, int]


async def run_chaos(
    seed: int, shape: Shape, seats: Sequence[Seat], *, emulator: Environment, folder: Path, replay: str
) -> Result:
    """Run it. Whatever fails is raised with the seed, the plan, the story and the command that repeats it."""
    story = Story()
    plan = draw_plan(seed, seats, hits=shape.hits, first_s=shape.first_s, last_s=shape.last_s, blows=shape.blows)
    try:
        return await _run(seed, shape, seats, plan, story, emulator=emulator, folder=folder)
    except BaseException as error:
        planned = "\n".join(map(str, plan))
        error.add_note(f"seed {seed}\n\nthe plan\n{planned}\n\nwhat happened\n{story}\n\nagain with: {replay}")
        raise
    finally:
        (folder / "story.txt").write_text(f"{story}\n", encoding="utf-8")


async def _run(
    seed: int,
    shape: Shape,
    seats: Sequence[Seat],
    plan: Sequence[Hit],
    story: Story,
    *,
    emulator: Environment,
    folder: Path,
) -> Result:
    settings = fresh_settings(emulator, visibility_timeout_s=VISIBILITY_TIMEOUT_S)
    hang_ear(settings)
    stocked = {**dict.fromkeys(GOODS, PIECES), SCARCE: shape.scarce_pieces}
    await receive(settings, stocked, receipt=f"chaos-{seed}")
    async with running_fleet(seats, settings=settings, folder=folder, story=story) as fleet:
        await fleet.ready()
        shop = Shop(fleet.api_url, emulator.api_token, story)
        story.tell("everybody is ready: orders and blows from here")
        quiet = Quiet(settings, shop, fleet, redrives=shape.redrives)
        async with anyio.create_task_group() as group:
            group.start_soon(partial(keep_ordering, shop, draw_wishes(seed, shape.orders), per_s=shape.per_s))
            await carry_out(plan, fleet)
            story.tell(f"quiet: {len(shop.accepted)} orders, {shop.repeats} requests repeated")
            books, after_s = await quiet.drained()
        story.tell(f"drained after {after_s:.1f} s")
        assert fleet.troubles == [], "a process ended as it must not"
        reckoning.check(books, shop, stocked=stocked)
        by_blow, by_patience = explained(reckoning.mails_too_many(books), fleet)
        await proven(settings, folder, books)
        await fleet.ready()
        await fleet.end_all()
        assert fleet.troubles == [], "a process did not end as it must"
        held = [message.queue for message in Emulated(settings).queued() if not message.queue.endswith((EAR, "-dlq"))]
        assert held == [], "who drained has left a message"
        return Result(
            orders=len(books.histories),
            events=sum(len(history.events) for history in books.histories.values()),
            repeats=shop.repeats,
            redelivered=redelivered(folder),
            heard_twice=sum(count - 1 for event_id, count in books.heard.items() if event_id),
            mails=len(books.mails),
            mails_twice_by_blow=by_blow,
            mails_twice_by_patience=by_patience,
            dead_by_kills=len(quiet.redriven),
            drained_after_s=after_s,
            slowest_drain_s=max(fleet.drains_s, default=0.0),
            ends=Counter(type(history.state).__name__ for history in books.histories.values()),
        )


def hang_ear(settings: Mapping[str, str]) -> None:
    """A queue that hears everything the topic is told, and that nobody empties."""
    with clients_for(settings) as clients:
        sqs = clients("sqs")
        url = sqs.create_queue(QueueName=f"{settings['ORDERSTORE_RESOURCE_PREFIX']}-{EAR}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        clients("sns").subscribe(
            TopicArn=settings["ORDERSTORE_TOPIC_ARN"],
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
        )


async def receive(settings: Mapping[str, str], stocked: Mapping[str, int], *, receipt: str) -> None:
    """Goods in."""
    async with open_core(from_environment({**NUMBERS, **settings}), Metrics()) as core:
        await stock_of(core).receive(receipt, stocked)


def explained(twice: Sequence[reckoning.Twice], fleet: Fleet, *, within_s: float = EXPLAINED_S) -> tuple[int, int]:
    """Mails that went out twice: by a blow to the sender between the mail service's answer and the next write, and by an answer that came
    too late for the sender's patience, which its log shows (it may even be taken after that). AssertionError for any other."""
    by_blow = by_patience = 0
    for mail in twice:
        until_s = mail.sent_s + within_s
        blows = [blow for blow in fleet.blows if "notification" in fleet.members[blow.seat].seat.roles]
        near = [blow for blow in blows if mail.sent_s - CLOCK_S <= blow.at_wall_s <= until_s]
        gave_up = any(
            line.get("outcome") in ("defer", None)
            and mail.sent_s - within_s <= datetime.fromisoformat(line["at"]).timestamp() <= until_s
            for line in told(fleet.folder, "handled", "not handled")
            if line.get("queue") == "notification" and line.get("eventId") == mail.event_id
        )
        text = f"twice, {mail.apart_s:.2f} s apart: {mail.subject!r}"
        fleet.story.tell(f"{text}; hit then: {near}; given up: {gave_up}")
        assert near or gave_up, f"{text}: nobody was hit or gave up at {fleet.story.since_began_s(mail.sent_s):.2f} s"
        by_blow, by_patience = by_blow + bool(near), by_patience + (not near)
    return by_blow, by_patience


async def proven(
    settings: Mapping[str, str], folder: Path, books: reckoning.Books, *, within_s: float = COMMAND_S_MAX
) -> None:
    """The commands that prove it to an operator say so too: chains, views, archive; and nothing is parked."""
    variables = {**NUMBERS, **settings}
    answers: dict[str, object] = {}

    async def ask(*command: str) -> None:
        run = partial(orderstore, *command, "--json", cwd=folder, variables=variables, within_s=within_s)
        finished = await anyio.to_thread.run_sync(run)
        assert finished.code == 0, f"orderstore {' '.join(command)}: {finished.said}"
        answers[" ".join(command)] = finished.document

    async with anyio.create_task_group() as group:
        for command in (("audit", "verify"), ("views", "compare"), ("archive", "verify"), ("parked", "ls")):
            group.start_soon(ask, *command)
    verified, archived = answers["audit verify"], answers["archive verify"]
    assert isinstance(verified, dict)
    assert isinstance(archived, dict)
    commits = sum(history.head.number for history in books.histories.values() if history.head is not None)
    assert verified["orders"] == len(books.histories)
    assert archived["commits"] == commits, f"the archive holds {archived['commits']} of {commits} commits"


def redelivered(folder: Path) -> int:
    """How many messages were handled at a second or later receive, as the logs tell."""
    return sum(line["receiveCount"] > 1 for line in told(folder, "handled"))


def told(folder: Path, *events: str) -> Iterator[dict[str, Any]]:
    """The lines of all logs with these events, such as those of how a message ended. What a killed process left unfinished is skipped."""
    wanted = tuple(f'"event":"{event}"' for event in events)
    for log in folder.glob("*.log"):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.endswith("}") and any(event in line for event in wanted):
                yield json.loads(line)
