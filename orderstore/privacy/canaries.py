"""Known values that must not turn up anywhere, in every form in which they might."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from orderstore.privacy.patterns import fold

CHARACTERS_MIN: Final = 4
"""Shorter ones are in everything."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way in which a value may be written; `exact`: case matters."""

    name: str
    text: str
    exact: bool


class Canary:
    """One value. It is known by its number in what is reported, never by itself."""

    def __init__(self, number: int, value: str) -> None:
        """Work out every form once.

        Raises:
            ValueError: the value is too short to mean anything.
        """
        if len(value) < CHARACTERS_MIN:
            raise ValueError(f"a canary has at least {CHARACTERS_MIN} characters")
        self.name = f"canary {number}"
        self._forms = tuple(_forms(value))

    def seen_in(self, text: str, folded: str) -> str | None:
        """The name of the form that stands in the text, or None. `folded` is the text folded and case-folded."""
        for form in self._forms:
            if form.text in (text if form.exact else folded):
                return form.name
        return None


def _forms(value: str) -> Iterator[Form]:
    yield Form("as it is", fold(value).casefold(), exact=False)
    for ensure_ascii in (True, False):
        yield Form("as JSON writes it", json.dumps(value, ensure_ascii=ensure_ascii)[1:-1].casefold(), exact=False)
    yield Form("as a URL writes it", quote(value, safe="").casefold(), exact=False)
    yield Form("in hex", value.encode().hex(), exact=False)
    for shift in range(3):
        # Where the value stands in what was encoded decides its letters: three alignments, without letters shared with neighbours.
        data = bytes(shift) + value.encode()
        inner = base64.b64encode(data).decode().rstrip("=")
        inner = inner[4 if shift else 0 :]
        inner = inner[: len(inner) - (0 if len(data) % 3 == 0 else 1)]
        for text in {inner, inner.replace("+", "-").replace("/", "_")}:
            if len(text) >= CHARACTERS_MIN:
                yield Form("in base64", text, exact=True)
