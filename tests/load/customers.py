"""Customers by the hundred and thousand: they place orders over connections of their own, and note how long each answer took."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import Final

import aiohttp
import anyio

from tests.e2e.chaos.customers import GOODS, SCARCE, Wants, Wish
from tests.load.figures import quantile

ANSWER_S_MAX: Final = 120.0
TRIES_MAX: Final = 30
PAUSE_S: Final = 0.5
PAUSE_S_MAX: Final = 30.0
SHARES: Final[dict[Wants, int]] = {"goods": 14, "declined": 2, "out of stock": 2, "both": 1, "scarce goods": 1}
"""Of orders that are placed and left alone."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said. `body` is parsed lazily by who needs it."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(eq=False)
class Took:
    """Orders taken in one phase, and how long each answer took."""

    latencies_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def accepted(self) -> int:
        """Orders answered with 202."""
        return len(self.latencies_s)

    @property
    def per_s(self) -> float:
        """Orders accepted each second."""
        return self.accepted / self.seconds

    def figures(self) -> dict[str, float | int]:
        """For the report."""
        return {
            "accepted": self.accepted,
            "seconds": self.seconds,
            "accepted/s": self.per_s,
            "p50 ms": quantile(self.latencies_s, 0.5) * 1_000,
            "p99 ms": quantile(self.latencies_s, 0.99) * 1_000,
            "repeated requests": sum(self.statuses.values()) - self.statuses[HTTPStatus.ACCEPTED],
        }


@dataclass(eq=False)
class Door:
    """The API, as customers see it. `accepted`: wish by order id, over all phases."""

    url: str
    token: str
    accepted: dict[str, Wish] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    """Answers that break a promise."""

    async def take(self, wishes: Sequence[Wish], *, at_once: int) -> Took:
        """Place all of these, so many at a time, each until it is accepted."""
        took, left = Took(), iter(wishes)
        began = anyio.current_time()
        async with self.session(at_once) as session, anyio.create_task_group() as group:
            for number in range(min(at_once, len(wishes))):
                group.start_soon(self._place_next, session, left, took, name=f"customer {number}")
        took.seconds = anyio.current_time() - began
        return took

    def session(self, connections: int) -> aiohttp.ClientSession:
        """A client with so many connections at most."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections),
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX),
        )

    async def _place_next(self, session: aiohttp.ClientSession, left: Iterable[Wish], took: Took) -> None:
        for wish in left:
            await self.place(session, wish, took)

    async def place(self, session: aiohttp.ClientSession, wish: Wish, took: Took) -> str | None:
        """Place one, until it is accepted; its id, or None when a promise was broken."""
        for _ in range(TRIES_MAX):
            asked = anyio.current_time()
            try:
                answer = await ask(session, "POST", f"{self.url}/orders", wish.body, key=wish.key)
            except (aiohttp.ClientError, TimeoutError):
                took.statuses[0] += 1
                await anyio.sleep(PAUSE_S)
                continue
            took.statuses[answer.status] += 1
            if answer.status == HTTPStatus.ACCEPTED:
                took.latencies_s.append(anyio.current_time() - asked)
                order_id: str = json.loads(answer.body)["orderId"]
                self.accepted[order_id] = wish
                return order_id
            if (wrong := promise_broken(answer)) is not None:
                self.broken.append(f"order {wish.key}: {wrong}")
            if answer.status < 500 and answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                self.broken.append(f"order {wish.key} was refused: {answer.status} {answer.body[:200]!r}")
                return None
            await anyio.sleep(min(PAUSE_S_MAX, float(answer.headers.get("retry-after", PAUSE_S))))
        self.broken.append(f"order {wish.key} was not accepted in {TRIES_MAX} tries: {dict(took.statuses)}")
        return None


async def ask(
    session: aiohttp.ClientSession, method: str, url: str, body: object = None, *, key: str | None = None
) -> Answer:
    """One request, read to its end. Raises aiohttp.ClientError, TimeoutError."""
    headers = {} if key is None else {"Idempotency-Key": key}
    async with session.request(method, url, json=body, headers=headers) as response:
        content = await response.read()
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, content)


def promise_broken(answer: Answer) -> str | None:
    """Why an answer is none that a client under load may get; None for those it may: 2xx, documented refusals, and
    429 and 503 that say when to come again."""
    if answer.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return (
            None if "retry-after" in answer.headers else f"{answer.status} without Retry-After: {answer.body[:200]!r}"
        )
    if answer.status >= 500:
        return f"{answer.status} {answer.body[:200]!r}"
    if answer.status >= 400 and not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return f"{answer.status} that is no problem document: {answer.body[:200]!r}"
    return None


def draw_orders(seed: int, name: str, count: int) -> list[Wish]:
    """Orders that are placed and left alone: a function of seed and name. Names keep phases of one run apart."""
    random = Random(f"load {seed} {name}")
    wants = random.choices(list(SHARES), list(SHARES.values()), k=count)
    return [
        Wish(
            number=number,
            key=f"{name}-{seed}-{number}",
            wants=want,
            sku=SCARCE if want == "scarce goods" else random.choice(GOODS[1:]),
            quantity=random.randint(1, 3),
            copies=1,
            again=False,
            later_s=0.0,
        )
        for number, want in enumerate(wants)
    ]
