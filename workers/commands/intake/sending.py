"""`intake send`: order requests on the bus."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from orderstore.domain.ids import order_id_for_key
from orderstore.refusals import Refusal, RequestRefused, parsed
from orderstore.requests import BODY_BYTES_MAX
from workers.commands.intake.checking import Wrong, read, refuse, refused
from workers.commands.running import DEFAULT_STATE_DIR, AsJson, StateDir, with_core
from workers.core import Core
from workers.intake.eventbridge import CALL_BYTES_MAX
from workers.intake.handler import ORDER_REQUEST, OWN
from workers.intake.opening import bus_events
from workers.intake.placing import KEY
from workers.intake.queue.requests import key_scope

REQUESTS_MAX: Final = 1_000
CONTENT_BYTES_MAX: Final = 16 * 1024 * 1024
SENDER: Final = "operator.command-line"
_EVENT_ROOM: Final = 1_024
"""For the names around a request in its event."""


def send(
    file: Annotated[str, typer.Argument(help="One request as JSON, or one a line; - reads standard input.")],
    *,
    source: Annotated[str, typer.Option("--source", help="Who sends it: idempotency keys count within it.")] = SENDER,
    as_json: AsJson = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Put order requests on the bus. All are checked first, and if one is wrong none is sent.

    A request without an idempotencyKey gets one that follows from what is sent and where it stands: sending the same again places nothing
    twice.
    """
    if not source.strip() or len(source) > 256 or source.startswith((OWN, "aws.")):
        raise typer.BadParameter(f"--source: 1 to 256 characters, beginning neither with {OWN} nor with aws.")
    requests = _checked(_content(file), source)
    events = [(source, ORDER_REQUEST, detail) for _, detail in requests]

    async def work(core: Core) -> list[dict[str, str]]:
        found = await bus_events(core).put(events)
        keys = [f"{key_scope(source)}{key}" for key, _ in requests]
        return [
            {"eventId": event, "orderId": order_id_for_key(core.settings.tenant, key)}
            for event, key in zip(found, keys, strict=True)
        ]

    sent = with_core(state_dir, work)
    if as_json:
        typer.echo(json.dumps({"sent": sent}, indent=2))
        return
    for one in sent:
        typer.echo(f"{one['eventId']}  order {one['orderId']}, if it is accepted")
    typer.echo(f"{len(sent)} sent; what becomes of each is reported on the bus, and shows with the order.")


def _content(file: str) -> bytes:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(CONTENT_BYTES_MAX + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(CONTENT_BYTES_MAX + 1)
    except OSError as error:
        refused(f"{file}: {error.strerror}. Nothing was sent.")
    if len(content) > CONTENT_BYTES_MAX:
        refused("that is too much for the bus: put it into the bucket (orderstore intake file). Nothing was sent.")
    return content


def _checked(content: bytes, source: str) -> list[tuple[str, bytes]]:
    """The idempotency key and the event's detail of each request; all are good, or nothing goes on."""
    pieces = _pieces(content)
    if not 1 <= len(pieces) <= REQUESTS_MAX:
        refused(
            f"1 to {REQUESTS_MAX:,} requests are sent at once, not {len(pieces):,}; files take more. Nothing was sent."
        )
    digest = hashlib.sha256(content).hexdigest()
    found: list[tuple[str, bytes]] = []
    wrong: Wrong = []
    for number, piece in pieces:
        request = read(piece, source)
        if isinstance(request, Refusal):
            wrong.append((number, request))
            continue
        key = request.get(KEY) or f"{digest}:{number}"
        # Decimals become strings: whoever hands the event on may not keep a number as it was written.
        detail = orjson.dumps({**request, KEY: key}, default=str)
        if len(detail) + _EVENT_ROOM > CALL_BYTES_MAX:
            most = CALL_BYTES_MAX - _EVENT_ROOM
            wrong.append(
                (
                    number,
                    Refusal("body_too_large", f"an event has at most {most} bytes; a line of a file may be longer"),
                )
            )
        found.append((key, detail))
    refuse(wrong)
    return found


def _pieces(content: bytes) -> list[tuple[int, bytes]]:
    """One request over several lines, or one on each line that is not blank; with the numbers of the lines."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        parsed(content[:BODY_BYTES_MAX])
    except RequestRefused:
        lines = content.split(b"\n")
        return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    return [(1, content)]
