"""The API in a process of its own, for a benchmark: as the service runs it, and beside it three bare endpoints of the same framework.

`/nothing`   reads the body and answers
`/model`     the same, after it was parsed and validated by the model that the API has for it
`/stored`    the same, and one bare conditional `put_item` of the body before the answer

Says both ports on standard output; ends when its standard input does. A timer over the process's own time looks, 500 times a second
of it, whether the AWS client is on the stack.
"""

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from types import FrameType
from typing import Any, Final, TextIO
from uuid import uuid4

import anyio
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from orderstore.refusals import parsed, validated
from orderstore.requests import PlaceOrder
from orderstore.store import requests as store_requests
from projections.http.answers import JsonAnswer
from workers.api import api
from workers.core import Core, open_core
from workers.logs import configure
from workers.metrics.table import Metrics
from workers.service import HttpServer, Service, listen
from workers.settings import from_environment

SAMPLE_S: Final = 0.002
CLIENT: Final = ("/aiobotocore/", "/botocore/", "/aiohttp/", "/yarl/", "/multidict/", "/workers/aws_")
ITEM: Final[Mapping[str, Any]] = {
    "recorded_at": {"N": "1780000000000"},
    "encoding": {"S": "json"},
    "previous_hash": {"B": bytes(32)},
    "hash": {"B": bytes(32)},
}


class Sampler:
    """Counts where the process's time goes: inside the AWS client (ours included, where it is a part of that), or not."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def start(self) -> None:
        """From now on."""
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        while frame is not None:
            if any(part in frame.f_code.co_filename for part in CLIENT):
                self.seen["client"] += 1
                return
            frame = frame.f_back
        self.seen["else"] += 1


def bare(core: Core, sampler: Sampler) -> FastAPI:
    """Endpoints that do less than an order asks for."""
    app = FastAPI(openapi_url=None, default_response_class=JsonAnswer)

    @app.post("/nothing", status_code=202)
    async def nothing(request: Request) -> Response:
        return _answer(await request.body())

    @app.post("/model", status_code=202)
    async def model(request: Request) -> Response:
        validated(PlaceOrder, parsed(await request.body()))
        return _answer(b"")

    @app.post("/stored", status_code=202)
    async def stored(request: Request) -> Response:
        body = await request.body()
        validated(PlaceOrder, parsed(body))
        item = {**ITEM, "stream": {"S": f"bare/order-{uuid4()}"}, "commit": {"N": "1"}, "body": {"B": body}}
        await core.clients.dynamodb.put_item(**store_requests.put(core.settings.table("events"), item))
        return _answer(b"")

    @app.get("/processor")
    async def processor() -> Response:
        return JsonAnswer({"process_s": time.process_time(), **sampler.seen})

    return app


def _answer(_body: bytes) -> Response:
    return JsonAnswer({"orderId": str(uuid4()), "status": "ORDER_RECEIVED"}, status_code=202)


async def main(environment: Mapping[str, str]) -> None:
    """Serve both until standard input ends."""
    settings = from_environment(environment)
    sampler = Sampler()
    async with open_core(settings, metrics := Metrics()) as core:
        del metrics
        ours, beside = await api(core, dict)
        listener = listen("127.0.0.1", 0)
        other = HttpServer(bare(core, sampler), name="bare", listener=listener)
        service, stop = Service([ours, other, *beside]), anyio.Event()
        with closing(ours), closing(other):
            async with anyio.create_task_group() as group:
                await group.start(partial(service.run, stop))
                sys.stdout.write(json.dumps({"api": ours.port, "bare": other.port}) + "\n")
                sys.stdout.flush()
                sampler.start()
                await anyio.to_thread.run_sync(sys.stdin.read)
                signal.setitimer(signal.ITIMER_PROF, 0)
                stop.set()


def run(log: TextIO) -> None:
    """As the service does it: its log lines too, to a file that nobody reads."""
    configure(level="info", stream=log)
    anyio.run(main, json.loads(sys.stdin.readline()), backend_options={"use_uvloop": True})


if __name__ == "__main__":
    with open("/dev/null", "w") as nowhere:  # noqa: PTH123 - a device
        run(nowhere)
