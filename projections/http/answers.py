"""JSON out: never cached, never guessed at by a browser; and the one shape of what every write is answered."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse

from orderstore.recorded import Recorded
from projections.http.notes import note_event


class JsonAnswer(JSONResponse):
    """A JSON response; the content holds JSON values only."""

    def __init__(
        self,
        content: Any,  # noqa: ANN401 - any JSON value
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        """Encode `content` now, so that what cannot be encoded fails before the status line is sent."""
        kept = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
        super().__init__(content, status_code=status_code, headers=kept, media_type=media_type)

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - any JSON value
        """UTF-8 JSON. Raises TypeError for what is no JSON value, such as a Decimal."""
        return orjson.dumps(content)


def written(
    request: Request,
    recorded: Recorded,
    status: str,
    *,
    status_code: int = 202,
    headers: Mapping[str, str] | None = None,
    **more: Any,  # noqa: ANN401 - JSON values, by their names in the API
) -> JsonAnswer:
    """What a write is answered: the event that it made, or that an earlier request had made; the log's line of the request tells it too."""
    note_event(request, recorded)
    document = {
        "orderId": recorded.order_id,
        "eventId": recorded.event_id,
        "commit": recorded.commit,
        **more,
        "status": status,
    }
    return JsonAnswer(document, status_code=status_code, headers=headers)
