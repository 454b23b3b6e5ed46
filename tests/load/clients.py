"""2,000 clients, each with a connection of its own that is open all the time, who place, read and list as fast as they are answered."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Final, Literal

import aiohttp
import anyio

from deploy.local.environment import Environment
from tests.e2e.chaos.customers import GOODS, SCARCE, Wish
from tests.load.asked import Asked
from tests.load.customers import PAUSE_S, Answer, Door, ask, draw_orders, promise_broken
from tests.load.draining import drained
from tests.load.figures import quantile, ratio
from tests.load.limits import judge_processes
from tests.load.machine import enough_files
from tests.load.reckoned import reckon, shop_of
from tests.load.report import Report
from tests.load.stage import Stage, on_stage

CLIENTS: Final = 2_000
ROUNDS: Final = 5
FILES_BESIDE: Final = 1_000
PIECES: Final = 1_000_000
STOCKED: Final = {**dict.fromkeys(GOODS, PIECES), SCARCE: 100}
KNOWN: Final = 100
CUSTOMERS: Final = 7
"""The wishes of the drawn orders come from so many customers."""
TRIES_MAX: Final = 40
RETRY_S_MAX: Final = 10.0

Does = Literal["place", "read", "list"]
SHARES: Final[dict[Does, int]] = {"place": 1, "read": 5, "list": 4}


@dataclass(frozen=True, slots=True)
class Step:
    """What a client does next. `wish` for who places."""

    does: Does
    wish: Wish


@dataclass(eq=False)
class Heard:
    """What all clients were answered."""

    statuses: Counter[str] = field(default_factory=Counter)
    """By what was done, and status; 0 for a connection that broke."""
    latencies_s: dict[Does, list[float]] = field(default_factory=lambda: {does: [] for does in SHARES})
    broken: list[str] = field(default_factory=list)


async def run(emulator: Environment, folder: Path, report: Report, asked: Asked) -> None:
    """See `Scenario`. Raises TooFewFiles."""
    clients = asked.orders or CLIENTS
    report.figures["files that may be open"] = enough_files(clients + FILES_BESIDE)
    async with on_stage(emulator, folder, report, stocked=STOCKED, receipt=f"clients-{asked.seed}") as stage:
        await _run(stage, report, seed=asked.seed, clients=clients)
    api = max((used for used in report.processes if used.name == "api"), key=lambda used: used.descriptors_peak)
    report.judge("connections of the API at once", api.descriptors_peak, at_least=clients)
    judge_processes(report)


async def _run(stage: Stage, report: Report, *, seed: int, clients: int) -> None:
    door = stage.door
    idle = await door.take(draw_orders(seed, "idle", KNOWN), at_once=1)
    await drained(stage)
    stage.tell(f"{clients:,} clients, {ROUNDS} requests each")
    plans = draw_steps(seed, clients)
    heard, known = Heard(), sorted(door.accepted)
    began = anyio.current_time()
    async with door.session(clients) as session, anyio.create_task_group() as group:
        for number, steps in enumerate(plans):
            group.start_soon(_client, session, door, steps, known, heard, name=f"client {number}")
    seconds = anyio.current_time() - began
    placed = heard.latencies_s["place"]
    report.figures["accepting, one at a time, all else idle"] = idle.figures()
    report.figures["answers"] = dict(sorted(heard.statuses.items()))
    report.figures["requests/s"] = sum(heard.statuses.values()) / seconds
    report.figures["seconds"] = seconds
    for does, took_s in heard.latencies_s.items():
        report.figures[f"{does} ms"] = {
            "p50": quantile(took_s, 0.5) * 1_000,
            "p99": quantile(took_s, 0.99) * 1_000,
            "most": max(took_s) * 1_000,
        }
    report.figures["accept p50 / idle"] = ratio(quantile(placed, 0.5), quantile(idle.latencies_s, 0.5))
    report.figures["accept p99 / idle"] = ratio(quantile(placed, 0.99), quantile(idle.latencies_s, 0.99))
    report.judge("answers that break a promise", len(heard.broken), at_most=0)
    report.troubles += heard.broken[:20]
    wanted = sum(step.does == "place" for steps in plans for step in steps)
    report.judge("orders accepted of those asked for", len(placed) / wanted, at_least=1.0)
    await drained(stage)
    report.figures["oldest message s"] = await stage.ages_s()
    await reckon(stage, report, stocked=STOCKED, shop=shop_of(stage))


async def _client(
    session: aiohttp.ClientSession, door: Door, steps: list[Step], known: list[str], heard: Heard
) -> None:
    for step in steps:
        match step.does:
            case "place":
                asked = anyio.current_time()
                answer = await _until_answered(session, step, f"{door.url}/orders", heard)
                if answer is not None and answer.status == HTTPStatus.ACCEPTED:
                    door.accepted[json.loads(answer.body)["orderId"]] = step.wish
            case "read":
                order_id = known[step.wish.number % len(known)]
                asked = anyio.current_time()
                answer = await _until_answered(session, step, f"{door.url}/orders/{order_id}", heard)
            case "list":
                asked = anyio.current_time()
                customer = f"buyer-{step.wish.number % CUSTOMERS}"
                url = f"{door.url}/orders?customerId={customer}&limit=20"
                answer = await _until_answered(session, step, url, heard)
        if answer is not None:
            heard.latencies_s[step.does].append(anyio.current_time() - asked)


async def _until_answered(session: aiohttp.ClientSession, step: Step, url: str, heard: Heard) -> Answer | None:
    """Ask until there is an answer that is final; None, and a broken promise, when there is none to be had."""
    for _ in range(TRIES_MAX):
        try:
            if step.does == "place":
                answer = await ask(session, "POST", url, step.wish.body, key=step.wish.key)
            else:
                answer = await ask(session, "GET", url)
        except (aiohttp.ClientError, TimeoutError) as error:
            heard.statuses[f"{step.does} {type(error).__name__}"] += 1
            await anyio.sleep(PAUSE_S)
            continue
        heard.statuses[f"{step.does} {answer.status}"] += 1
        wrong = promise_broken(answer)
        if wrong is not None:
            heard.broken.append(f"{step.does}: {wrong}")
        if answer.status < 500 and answer.status != HTTPStatus.TOO_MANY_REQUESTS:
            if answer.status >= 400:
                heard.broken.append(f"{step.does} of what there is: {answer.status} {answer.body[:200]!r}")
            return answer
        await anyio.sleep(min(RETRY_S_MAX, float(answer.headers.get("retry-after", PAUSE_S))))
    heard.broken.append(f"{step.does}: no answer in {TRIES_MAX} tries")
    return None


def draw_steps(seed: int, clients: int) -> list[list[Step]]:
    """What each client does, in order: a function of the seed."""
    random = Random(f"clients {seed}")
    wishes: Iterator[Wish] = iter(draw_orders(seed, "clients", clients * ROUNDS))
    return [
        [Step(random.choices(list(SHARES), list(SHARES.values()))[0], next(wishes)) for _ in range(ROUNDS)]
        for _ in range(clients)
    ]
