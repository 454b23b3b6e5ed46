"""A live stream as an answer: `text/event-stream`, each event sent when the client has taken the one before.

Whatever goes wrong while it is opened is a problem like any other; afterwards only the stream itself can tell.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from projections.live.frames import Frame
from projections.live.stream import Stream

MEDIA_TYPE: Final = "text/event-stream"
# X-Accel-Buffering is nginx's; `no-transform` keeps proxies from compressing, which would hold events back.
HEADERS: Final = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


class EventStream(Response):
    """Opens the stream when it is sent, and closes it at the end, or at once when the client leaves or takes too long."""

    media_type = MEDIA_TYPE

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[Stream | None]]) -> None:
        """`opening` gives None where nothing more can come: 204, which keeps a browser from coming back."""
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]  # nobody knows it
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it ends."""
        async with self._opening() as stream:
            if stream is None:
                await Response(status_code=204, headers={"Cache-Control": "no-store"})(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async with anyio.create_task_group() as group:
                group.start_soon(_until_gone, receive, group.cancel_scope, name="client of a live stream")
                await self._pour(stream, send)
                group.cancel_scope.cancel()
            stream.cut("left")  # unless it had ended for another reason
            scope["state"]["notes"]["streamEnded"] = stream.closed_for

    async def _pour(self, stream: Stream, send: Send) -> None:
        while (frame := await stream.next()) is not None:
            if not await _sent(send, frame, more=True, within_s=stream.send_s):
                stream.cut("slow")
                return
            stream.took(frame)
        await _sent(send, None, more=False, within_s=stream.send_s)


async def _sent(send: Send, frame: Frame | None, *, more: bool, within_s: float) -> bool:
    """Whether the client took it in time. (The server waits while its buffer for the connection is full.)"""
    with anyio.move_on_after(within_s) as scope:
        await send({"type": "http.response.body", "body": b"" if frame is None else frame.sent, "more_body": more})
    return not scope.cancelled_caught


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    """End the stream as soon as the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
