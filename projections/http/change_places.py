"""What a change is about, in the path: ids that we drew ourselves, in the few forms that they have."""

import re
from typing import Annotated, Final

from fastapi import Path
from pydantic import AfterValidator

from orderstore.request_fields import check_key

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9:_-]{0,199}$"


def drawn_or_clear(text: str) -> str:
    """A name that we drew passes whatever its digits: of some UUIDs they could be a card's. Raises ValueError for others that look so."""
    rest = _UUID.sub("", text)
    if rest:
        check_key(rest)
    return text


ReturnIdOf = Annotated[
    str,
    Path(alias="returnId", pattern=_ID, examples=["1f0c5f6e-6b7c-5d0b-9d0f-1c5c3d0a7a55"]),
    AfterValidator(drawn_or_clear),
]
RefundIdOf = Annotated[
    str,
    Path(alias="refundId", pattern=_ID, examples=["9d3a0c52-40d8-5d2b-8f5c-7b2f6a3f2b10"]),
    AfterValidator(drawn_or_clear),
]
EditIdOf = Annotated[
    str,
    Path(alias="editId", pattern=_ID, examples=["4c7e1f0a-0d8e-5d1c-9a77-2f6d0a3b9c41"]),
    AfterValidator(drawn_or_clear),
]
ActionIdOf = Annotated[
    str, Path(alias="actionId", pattern=_ID, examples=["missing_stock"]), AfterValidator(drawn_or_clear)
]
