"""JSON as it may come: written by hand, so that keys can stand twice and values be what no encoder writes."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literally:
    """Written as it stands, whether it is JSON or not."""

    text: str


@dataclass(frozen=True, slots=True)
class Deep:
    """So many of one inside the other."""

    opening: str
    closing: str
    times: int


@dataclass(frozen=True, slots=True)
class Pairs:
    """An object whose keys may stand twice."""

    pairs: tuple[tuple[str, Any], ...]


def written(value: Any) -> str:
    """The document as text. Lone surrogates are escaped, as JSON lets them in."""
    match value:
        case Literally(text):
            return text
        case Deep(opening, closing, times):
            return opening * times + "1" + closing * times
        case Pairs(pairs):
            return "{" + ",".join(f"{json.dumps(name)}:{written(inner)}" for name, inner in pairs) + "}"
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{written(inner)}" for name, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(written, value)) + "]"
        case _:
            return json.dumps(value)


def plain(value: Any) -> Any:
    """The same as a parser that takes everything would give it: for decoders that begin behind the parser."""
    match value:
        case Literally(text):
            return text
        case Deep(times=times):
            nested: Any = 1
            for _ in range(min(times, 500)):
                nested = [nested]
            return nested
        case Pairs(pairs):
            return {name: plain(inner) for name, inner in pairs}
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            return value
