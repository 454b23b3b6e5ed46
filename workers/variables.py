"""How the text of an environment variable becomes a value, and what is said of one that does not."""

from collections.abc import Callable
from dataclasses import MISSING, field
from typing import Any


def setting(
    parse: Callable[[str], Any],
    meaning: str,
    *,
    default: Any = MISSING,  # noqa: ANN401 - as dataclasses.field
    unit: str = "",
    secret: bool = False,
) -> Any:  # noqa: ANN401 - as dataclasses.field
    """A field that knows its variable; a secret one never shows in a representation, and so in no log or trace."""
    metadata = {"parse": parse, "meaning": meaning, "unit": unit, "secret": secret}
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
