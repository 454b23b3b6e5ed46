"""How much processor time each role takes for an order: every role a process of its own, as it is deployed, and the system's own books."""

import os
import secrets
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import anyio
import httpx

from tests.cost.scenarios import article, final, order
from tests.e2e.chaos.fleet import end_with_parent, free_ports
from tests.e2e.programs import PROGRAM, clean_environment
from workers.core import Core, open_core
from workers.departments import stock_of
from workers.metrics.table import Metrics
from workers.settings import Role, from_environment

WARM_ORDERS: Final = 40
ORDERS: Final = 200
AT_ONCE: Final = 16
TRIES_MAX: Final = 3
WAIT_S_MAX: Final = 300.0
SETTLE_S: Final = 6.0
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def processor_s(pid: int) -> float:
    """What a process has used so far, in its own code and in the kernel's (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def measure(settings: Mapping[str, str], *, token: str, roles: Sequence[Role], folder: Path) -> dict[str, Any]:
    """Live orders of two lines through real processes; by role, the milliseconds that one took."""
    ports = dict(zip(roles, free_ports(len(roles)), strict=True))
    with ExitStack() as stack:
        members = {role: stack.enter_context(_process(role, settings, ports[role], folder)) for role in roles}
        try:
            async with (
                open_core(from_environment(settings), Metrics()) as core,
                httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False) as client,
            ):
                for port in ports.values():
                    await _ready(client, port)
                await stock_of(core).receive("delivery", {article(number): 1_000_000 for number in range(2)})
                await _live(core, client, ports["api"], WARM_ORDERS)
                before = {role: processor_s(member.pid) for role, member in members.items()}
                started = time.monotonic()
                await _live(core, client, ports["api"], ORDERS)
                took_s = time.monotonic() - started
                used = {role: processor_s(member.pid) - before[role] for role, member in members.items()}
        finally:
            for member in members.values():
                member.kill()
    load = os.getloadavg()[0]
    return {
        "processor_ms": {role: round(1000 * seconds / ORDERS, 2) for role, seconds in used.items()},
        "processor_note": (
            f"{ORDERS} orders of two lines, {AT_ONCE} clients at once, each role a process of its own beside the emulator, "
            f"on {os.cpu_count()} cores (load {load:.0f}); {took_s:.0f} s in all; idling included"
        ),
    }


def _process(role: str, settings: Mapping[str, str], port: int, folder: Path) -> "subprocess.Popen[bytes]":
    variables = {**settings, "ORDERSTORE_API_PORT": str(port), "ORDERSTORE_METRICS_PORT": str(port)}
    with (folder / f"{role}.log").open("wb") as log:
        return subprocess.Popen(
            [str(PROGRAM), "run", role],
            env=clean_environment(variables),
            stdout=log,
            stderr=log,
            cwd=folder,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - no threads here; the child ends with us whatever happens
        )


async def _ready(client: httpx.AsyncClient, port: int) -> None:
    end = time.monotonic() + WAIT_S_MAX
    while time.monotonic() < end:
        try:
            if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await anyio.sleep(0.2)
    raise TimeoutError(f"port {port}")


async def _live(core: Core, client: httpx.AsyncClient, port: int, count: int) -> None:
    left = iter(range(count))
    placed: list[str] = []

    async def customer() -> None:
        for number in left:
            key = secrets.token_hex(8)
            for _ in range(TRIES_MAX):
                try:
                    answer = await client.post(
                        f"http://127.0.0.1:{port}/orders",
                        json=order(2, customer=f"c{number % 50}"),
                        headers={"Idempotency-Key": key},
                    )
                except httpx.TransportError:  # a kept connection that the server has just closed: the same order again
                    continue
                placed.append(answer.raise_for_status().json()["orderId"])
                break
            else:
                raise TimeoutError("the API takes no orders")

    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(customer)
    end = time.monotonic() + WAIT_S_MAX
    for order_id in placed:
        while not final((await core.orders.load(order_id)).state):
            if time.monotonic() > end:
                raise TimeoutError(order_id)
            await anyio.sleep(0.2)
    await anyio.sleep(SETTLE_S)
