"""The API's accept path end to end, `POST /orders` until the answer, against bare endpoints of the same framework on the same server.

Rates are those of the server's own processor time: what a core can take, whatever else the machine does. The rate by the clock is told.
"""

import asyncio
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from tests.benchmarks.measures import Comparison, Result
from tests.emulator import fresh_settings, start_emulator, stop_emulator

ACCEPT_MIN: Final = 0.45
"""Of a bare endpoint that validates by the same model and makes one bare put, on the same client. What an order asks for beyond it costs
about as much again (docs/performance.md): its token and scope, the framework's own dependencies, its key and the hash of the request,
sealed personal data, an event with its metadata, compression, the chain's hash, the commit read back, measures, and a line in the log."""
CONNECTIONS: Final = 32
CUSTOMERS: Final = 50
LINES_MEAN: Final = 27  # of the real year: 530,503 lines of 19,959 sales
WARM_UP: Final = 200
_numbers = count(1)

Measured = dict[
    str, list[tuple[float, float, float]]
]  # requests per second of the processor, the same by the clock, share in the client


@dataclass(frozen=True, slots=True)
class Server:
    """Where both are served, and the token of the first."""

    api: int
    bare: int
    token: str


def order(number: int, lines: int) -> bytes:
    """An order of a known customer, with personal data."""
    customer = number % CUSTOMERS
    document = {
        "customerId": f"C-{customer}",
        "customerEmail": f"customer{customer}@example.com",
        "customerName": "A Customer",
        "currency": "GBP",
        "country": "United Kingdom",
        "reference": f"PO-{number}",
        "items": [
            {"sku": f"8512{line}A", "quantity": 1 + line % 12, "price": "2.55", "description": "HANGING T-LIGHT HOLDER"}
            for line in range(lines)
        ],
    }
    return json.dumps(document).encode()


async def accepting(*, rounds: int, requests: int) -> list[Result]:
    """All four endpoints in turns for an order of two lines; the first two also for one of the mean length of the real year."""
    async with _server() as server:
        small = await _measured(server, ["orders", "stored", "model", "nothing"], 2, rounds, requests)
        large = await _measured(server, ["orders", "stored"], LINES_MEAN, rounds // 2, requests)
    judged, clock, long = (
        _against(small, "stored"),
        _against(small, "stored", clock=True),
        _against(large, "stored"),
    )
    results = [
        Result(
            name="API accept / bare endpoint: same model, one bare put",
            value=judged.ratio,
            floor=ACCEPT_MIN,
            note=f"2 lines, by the server's processor time; {judged.spread}",
        ),
        Result(name="  the same by the clock", value=clock.ratio, note=clock.spread),
        Result(name=f"  an order of {LINES_MEAN} lines", value=long.ratio, note=long.spread),
    ]
    for told, name in (("model", "same model, nothing stored"), ("nothing", "body read, not looked at")):
        found = _against(small, told)
        results.append(Result(name=f"  API accept / bare endpoint: {name}", value=found.ratio, note=found.spread))
    for measured, lines in ((small, 2), (large, LINES_MEAN)):
        _, rate, share = (median(figures) for figures in zip(*measured["orders"], strict=True))
        results.append(
            Result(
                name=f"  API accept, {lines} lines: share inside the AWS client",
                value=share,
                note=f"of the server's processor time, sampled; {rate:.0f} accepts/s by the clock, {CONNECTIONS} at a time",
            )
        )
    return results


def _against(measured: Measured, other: str, *, clock: bool = False) -> Comparison:
    place = 1 if clock else 0
    ours, bare = (tuple(each[place] for each in measured[name]) for name in ("orders", other))
    return Comparison(ours, bare)


async def _measured(server: Server, names: list[str], lines: int, rounds: int, requests: int) -> Measured:
    """Each endpoint once in each round, the first changing from round to round; the first round is for warming up and does not count."""
    measured: Measured = defaultdict(list)
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            figures = await _turn(server, name, lines, requests if number else WARM_UP)
            if number:
                measured[name].append(figures)
    return measured


async def _turn(server: Server, name: str, lines: int, requests: int) -> tuple[float, float, float]:
    work = [order(next(_numbers), lines) for _ in range(requests)]
    before, started = await _processor(server), perf_counter()
    await _send(server.api if name == "orders" else server.bare, name, server.token, work)
    duration_s, after = perf_counter() - started, await _processor(server)
    process_s = after["process_s"] - before["process_s"]
    client, beside = (after.get(part, 0) - before.get(part, 0) for part in ("client", "else"))
    return requests / process_s, requests / duration_s, client / max(1, client + beside)


async def _send(port: int, path: str, token: str, bodies: list[bytes]) -> None:
    """So many connections that are kept; each sends its next request when it was answered."""
    waiting = iter(bodies)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for body in waiting:
                head = (
                    f"POST /{path} HTTP/1.1\r\nHost: benchmark\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                    f"Idempotency-Key: {next(_numbers)}-{port}\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                writer.write(head.encode() + body)
                status, answer = await _answer(reader)
                assert status == 202, answer
        finally:
            writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(connection())


async def _processor(server: Server) -> Mapping[str, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.bare)
    try:
        writer.write(b"GET /processor HTTP/1.1\r\nHost: benchmark\r\n\r\n")
        _, answer = await _answer(reader)
    finally:
        writer.close()
    found: Mapping[str, Any] = json.loads(answer)
    return found


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(line.removeprefix("content-length:")) for line in lines if line.startswith("content-length:"))
    return int(lines[0].split()[1]), await reader.readexactly(length)


@asynccontextmanager
async def _server() -> AsyncIterator[Server]:
    """An emulator of its own, and the process that is measured."""
    with tempfile.TemporaryDirectory(prefix="orderstore-benchmark-") as folder:
        state_dir = Path(folder) / "state"
        try:
            emulator = start_emulator(state_dir)
            environment = {**fresh_settings(emulator), "ORDERSTORE_API_HOST": "127.0.0.1", "ORDERSTORE_API_PORT": "0"}
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.benchmarks.accepting_server"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(environment).encode() + b"\n")
            try:
                ports = json.loads(await process.stdout.readline())
                yield Server(ports["api"], ports["bare"], emulator.api_token)
            finally:
                process.stdin.close()
                await process.wait()
        finally:
            stop_emulator(state_dir)
