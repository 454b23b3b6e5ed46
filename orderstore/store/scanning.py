"""Where a scan of the log stands, as text that a rebuild can keep: the key of the last commit seen. Pure."""

import json
from typing import Final

from orderstore.store.items import Item
from orderstore.store.port import SEGMENTS_MAX

READ_UNIT_BYTES: Final = 4096  # AWS, "Read consistency": a strongly consistent read unit
# The bodies that one page of a scan may hold: a page has 1 MB of items, but those that are compressed, or lie in objects, are larger.
SCAN_BYTES_MAX: Final = 8 * 1024 * 1024


def check_segment(segment: int, of: int) -> None:
    """Refuse a segment that is none. Raises ValueError."""
    if not 1 <= of <= SEGMENTS_MAX or not 0 <= segment < of:
        raise ValueError(f"a scan has 1 to {SEGMENTS_MAX} segments, numbered from 0; {segment} of {of} is none")


def position(stream: str, number: str) -> str:
    """The place after an item. Its number is kept as the table tells it: what is no commit's number may be the last of a page too."""
    return json.dumps([stream, number], ensure_ascii=False)


def place_after(after: str | None) -> tuple[str, str] | None:
    """Stream and number of the last item seen. Raises ValueError for what is no position."""
    if after is None:
        return None
    try:
        found = json.loads(after)
    except RecursionError as error:
        raise ValueError("a position of a scan is not nested") from error
    match found:
        case [str(stream), str(number)]:
            return stream, number
        case _:
            raise ValueError(f"{after[:100]!r} is no position of a scan")


def start_key(after: str | None) -> Item | None:
    """ExclusiveStartKey of the next page. Raises ValueError."""
    place = place_after(after)
    return None if place is None else {"stream": {"S": place[0]}, "commit": {"N": place[1]}}


def position_of(key: Item | None) -> str | None:
    """The position in a LastEvaluatedKey. Raises ValueError."""
    return None if key is None else position(key["stream"]["S"], key["commit"]["N"])
