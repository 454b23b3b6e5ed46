"""Cursors: a place in a list as opaque text. It names no generation of a view, so that a walk over the pages survives a switch."""

import base64
import binascii
from typing import Final, NamedTuple
from zlib import crc32

import orjson

from projections.answers.ports import InvalidCursor

CURSOR_CHARS_MAX: Final = 4_096
FORM: Final = 2
SORT_BYTES_MAX: Final = 1_024  # AWS, "Constraints in DynamoDB": a sort key's length
ID_CHARS_MAX: Final = 128


class Position(NamedTuple):
    """The last document of a page: its sort in the list, and whose it is."""

    sort: str
    order_id: str


def encode_cursor(list_name: str, position: Position) -> str:
    """A position in this list as URL-safe text."""
    return encode_pair(list_name, position.sort, position.order_id)


def decode_cursor(list_name: str, cursor: str) -> Position:
    """The position in a cursor. Raises InvalidCursor for anything that `encode_cursor` did not make for this list."""
    sort, order_id = decode_pair(list_name, cursor)
    if not 0 < len(sort.encode()) <= SORT_BYTES_MAX or not 0 < len(order_id) <= ID_CHARS_MAX or "/" in order_id:
        raise InvalidCursor("the cursor is not one of this list")
    return Position(sort, order_id)


def encode_pair(list_name: str, first: str, second: str) -> str:
    """Any two texts that say where one stands in this list, for a list that is none of a view."""
    told = orjson.dumps([FORM, _mark(list_name), first, second])
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


def decode_pair(list_name: str, cursor: str) -> tuple[str, str]:
    """The two texts in a cursor of this list; what they may be is for the caller to say. Raises InvalidCursor."""
    if not cursor or len(cursor) > CURSOR_CHARS_MAX:
        raise InvalidCursor("the cursor is empty or too long")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor("the cursor cannot be read") from error
    match found:
        case [int(form), str(mark), str(first), str(second)] if form == FORM and mark == _mark(list_name):
            return first, second
        case [str(), str()]:
            raise InvalidCursor("the cursor is of an earlier form, which is no longer read")
        case _:
            raise InvalidCursor("the cursor is not one of this list")


def _mark(list_name: str) -> str:
    """A few characters of the list's name: a cursor that wandered into another list is told so, not walked on from."""
    return f"{crc32(list_name.encode()):08x}"
