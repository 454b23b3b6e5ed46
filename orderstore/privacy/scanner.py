"""Looks for what must not stand anywhere in the clear: card numbers, security codes, e-mail addresses, and known values (canaries).

It looks into what it is given as far as it can be opened: zstd, JSON, base64, percent and JSON escapes, nested in one another. What it
finds it names by place and kind, and never repeats: not even the place, when the found value is part of it.

Numbers that are nobody's must not drown what is found. Tokens that mix letters and digits (UUIDs, hashes, ciphertexts, providers' ids)
are no numbers, nor are fractions; an SKU of up to 14 digits is a barcode, as the door has it.
"""

import base64
import binascii
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final
from urllib.parse import unquote

import orjson
import zstandard

from orderstore.privacy import patterns
from orderstore.privacy.canaries import Canary

DEPTH_MAX: Final = 6
UNPACKED_BYTES_MAX: Final = 16 * 1024 * 1024  # what a commit's body may have at most
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
SKU_DIGITS_MIN: Final = 15

_UUID: Final = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_FRACTION: Final = r"(?<![0-9.])[0-9]{1,6}\.[0-9]{7,}(?![0-9.])"
_NO_NUMBER: Final = re.compile(f"{_UUID}|{_FRACTION}")
_TOKEN: Final = re.compile(r"[0-9A-Za-z+/=_-]{16,}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
# What SES calls the mails that it took (RFC 5322, Message-ID): nobody's address.
_MESSAGE_IDS: Final = ("@email.amazonses.com", ".amazonses.com")
_MIXED_MIN: Final = 4
_JUDGED_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be there: where, and what kind of thing, never itself."""

    place: str
    kind: str
    detail: str


class Scanner:
    """Pure: it is shown things, and says what it sees. `allowed_emails` are the service's own addresses."""

    def __init__(self, *, canaries: Sequence[str] = (), allowed_emails: Collection[str] = ()) -> None:
        """Raises ValueError for a canary that is too short."""
        self._canaries = tuple(Canary(number, value) for number, value in enumerate(canaries, start=1))
        self._allowed = frozenset(address.casefold() for address in allowed_emails)

    def look(self, place: str, value: object) -> Iterator[Finding]:
        """Everything in `value` (text, bytes, or JSON's own types) that must not be there; each place and kind is named once."""
        seen: set[Finding] = set()
        for found in self._value(place, value, name="", depth=0):
            masked = Finding(self.redacted(found.place), found.kind, found.detail)
            if masked not in seen:
                seen.add(masked)
                yield masked

    def redacted(self, text: str) -> str:
        """The text without what may not be shown."""
        folded = patterns.fold(text)
        spans = [
            *((span, "card number") for span in patterns.card_numbers(folded)),
            *((span, "security code") for span in patterns.security_codes(folded)),
            *((span, "e-mail address") for span in patterns.email_addresses(folded)),
        ]
        for (start, end), kind in sorted(spans, reverse=True):
            folded = f"{folded[:start]}[{kind}]{folded[end:]}"
        shown = folded.casefold()
        if any(canary.seen_in(folded, shown) for canary in self._canaries):
            return "[a place whose name holds a canary]"
        return folded

    def _value(self, place: str, value: object, *, name: str, depth: int) -> Iterator[Finding]:
        if depth > DEPTH_MAX:
            return
        match value:
            case str():
                yield from self._text(place, value, name=name, depth=depth)
            case bytes():
                yield from self._bytes(place, value, name=name, depth=depth)
            case bool() | float() | None:
                return  # neither yes or no nor a fraction is anybody's number
            case int():
                yield from self._text(place, str(value), name=name, depth=depth)
            case Mapping():
                for key, inner in value.items():
                    yield from self._text(f"{place} (a name)", str(key), name="", depth=depth + 1)
                    yield from self._value(f"{place}.{key}", inner, name=str(key), depth=depth + 1)
            case list() | tuple() | set() | frozenset():
                for index, inner in enumerate(value):
                    yield from self._value(f"{place}[{index}]", inner, name=name, depth=depth)
            case _:
                yield from self._text(place, str(value), name=name, depth=depth)

    def _bytes(self, place: str, value: bytes, *, name: str, depth: int) -> Iterator[Finding]:
        if value.startswith(ZSTD_MAGIC):
            try:
                unpacked = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(value)).read(UNPACKED_BYTES_MAX)
            except zstandard.ZstdError:
                unpacked = b""
            if unpacked:
                yield from self._bytes(place, unpacked, name=name, depth=depth + 1)
                return
        try:
            text = value.decode()
        except UnicodeDecodeError:
            # No text: what looks like a number in it is chance, a known value is not.
            yield from self._known(place, value.decode(errors="ignore"))
            return
        yield from self._text(place, text, name=name, depth=depth)

    def _text(self, place: str, text: str, *, name: str, depth: int) -> Iterator[Finding]:
        if depth > DEPTH_MAX:
            return
        if text[:1] in ("{", "[") and (document := _json(text)) is not None:
            yield from self._value(place, document, name=name, depth=depth + 1)
            return
        yield from self._known(place, text)
        yield from self._patterns(place, text, name=name)
        for inner in _unescaped(text):
            yield from self._text(place, inner, name=name, depth=depth + 1)
        for token in _BASE64.findall(text):
            decoded = _from_base64(token)
            if decoded is not None:
                yield from self._bytes(place, decoded, name=name, depth=depth + 1)

    def _known(self, place: str, text: str) -> Iterator[Finding]:
        if self._canaries:
            folded = patterns.fold(text).casefold()
            for canary in self._canaries:
                form = canary.seen_in(text, folded)
                if form is not None:
                    yield Finding(place, canary.name, form)

    def _patterns(self, place: str, text: str, *, name: str) -> Iterator[Finding]:
        folded = patterns.fold(text)
        numbers = _without_tokens(folded)
        digits_min = SKU_DIGITS_MIN if name.casefold() in ("sku", "skus", "untracked_skus") else patterns.CARD_DIGITS[0]
        for start, end in patterns.card_numbers(numbers, digits_min=digits_min):
            count = sum(character.isdigit() for character in numbers[start:end])
            yield Finding(place, "card number", f"{count} digits")
        named = f"{name}: {numbers}" if name and len(numbers) <= 16 else numbers
        for _ in patterns.security_codes(named):
            yield Finding(place, "security code", "beside its name")
        for start, end in patterns.email_addresses(folded):
            address = folded[start:end].casefold()
            if address not in self._allowed and not address.endswith(_MESSAGE_IDS):
                yield Finding(place, "e-mail address", f"{end - start} characters")


def _without_tokens(text: str) -> str:
    """The text with everything blanked out that only looks like a number."""
    if len(text) < patterns.CARD_DIGITS[0]:
        return text
    return _TOKEN.sub(_blank_if_mixed, _NO_NUMBER.sub(" ~ ", text))


def _blank_if_mixed(found: re.Match[str]) -> str:
    """Letters and digits that alternate are no number; `card4242424242424242x` is one."""
    kinds = [character.isdigit() for character in found[0][:_JUDGED_CHARACTERS] if character.isalnum()]
    changes = sum(before != after for before, after in pairwise(kinds))
    return "~" if changes >= _MIXED_MIN else found[0]


def _json(text: str) -> Any:  # noqa: ANN401 - JSON values
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _unescaped(text: str) -> Iterator[str]:
    if "%" in text and (plain := unquote(text)) != text:
        yield plain
    if "\\u" in text and (plain := _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)) != text:
        yield plain


def _from_base64(token: str) -> bytes | None:
    """What the token says if it is base64 of something that could be read; most tokens are not."""
    try:
        data = base64.b64decode(
            token.rstrip("=") + "=" * (-len(token.rstrip("=")) % 4),
            altchars=b"-_" if "-" in token or "_" in token else None,
            validate=True,
        )
    except (ValueError, binascii.Error):
        return None
    if data.startswith(ZSTD_MAGIC):
        return data
    try:
        readable = "".join(data.decode().split()).isprintable()
    except UnicodeDecodeError:
        return None
    return data if readable else None
