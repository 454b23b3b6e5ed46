"""How the text of an environment variable becomes a value, and what is said of one that does not."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field
from typing import Any, Final
from urllib.parse import urlsplit

from workers.inventory.locations import locations_in

_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}=[\x21-\x2b\x2d-\x7e][\x20-\x2b\x2d-\x7e]{0,2047}")


def setting(
    parse: Callable[[str], Any],
    meaning: str,
    *,
    default: Any = MISSING,  # noqa: ANN401 - as dataclasses.field
    unit: str = "",
    secret: bool = False,
    business: bool = False,
) -> Any:  # noqa: ANN401 - as dataclasses.field
    """A field that knows its variable; a secret one never shows in a representation, and so in no log or trace. `business`: it says how the
    business is run, and so may be said on a laptop too, where the embedded environment brings all others."""
    metadata = {"parse": parse, "meaning": meaning, "unit": unit, "secret": secret, "business": business}
    if default is MISSING:
        return field(metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


def text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


def secrets(value: str) -> str:
    """One or several, with commas between them."""
    if not all(part.strip() for part in value.split(",")):
        raise ValueError("must not be empty, nor any part between commas")
    return value.strip()


def ports(value: str) -> str:
    """One or several TCP ports, with commas between them."""
    found = [int(part) for part in value.split(",")]
    if not all(0 < port < 65_536 for port in found):
        raise ValueError("ports are between 1 and 65535")
    return ",".join(map(str, found))


def address(value: str) -> str:
    """Where something listens for HTTP."""
    found = urlsplit(value.strip())
    if found.scheme not in ("http", "https") or not found.hostname or found.query or found.fragment or found.username:
        raise ValueError("must be like https://collector.example:4318")
    return value.strip()


def headers(value: str) -> str:
    """One HTTP header or several, as name=value with commas between them."""
    if not all(_HEADER.fullmatch(part.strip()) for part in value.split(",")):
        raise ValueError("must be like name=value, several with commas between them")
    return value.strip()


def headers_in(value: str | None) -> Mapping[str, str]:
    """The headers of such a setting."""
    parts = [] if value is None else [part.strip().partition("=") for part in value.split(",")]
    return {name.lower(): text for name, _, text in parts}


def stock_places(value: str) -> str:
    """Locations of goods, as `workers/inventory/locations.py` reads them."""
    locations_in(value)
    return value.strip()


def names(*choices: str) -> Callable[[str], str]:
    """Some of these words, each once, with commas between them; or none at all, as `none`."""

    def parse(value: str) -> str:
        found = [part.strip() for part in value.split(",")]
        if value.strip() == "none":
            return ""
        unknown = sorted(set(found) - set(choices))
        if unknown or len(set(found)) != len(found):
            raise ValueError(f"must be some of {', '.join(choices)}, each once, with commas between them, or none")
        return ",".join(found)

    return parse


def words(value: str) -> frozenset[str]:
    """What `names` left."""
    return frozenset(value.split(",")) - {""}


def matching(pattern: str, meaning: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(meaning)
        return value

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        number = float(value)
        if not low <= number <= high:
            raise ValueError(f"must be between {low:g} and {high:g}")
        return number

    return parse


def count(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"must be between {low} and {high}")
        return number

    return parse


def switch(value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError("must be true or false")
    return value == "true"


def choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return parse
