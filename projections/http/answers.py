"""JSON out: never cached, never guessed at by a browser."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import JSONResponse


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
