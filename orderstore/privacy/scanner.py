"""Looks for what must not stand anywhere in the clear: card numbers, security codes, e-mail addresses, and known values (canaries).

It looks into what it is given as far as it can be opened: zstd, JSON, base64, percent and JSON escapes, nested in one another. What it
finds it names by place and kind, and never repeats: not even the place, when the found value is part of it.

Numbers that are nobody's must not drown what is found. Tokens that mix letters and digits (UUIDs, hashes, ciphertexts, providers' ids)
are no numbers, nor are fractions and timestamps; an SKU or a customer's id of up to 14 digits is none, as the door has it.
"""

import base64
import binascii
import hashlib
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
IDENTIFIER_DIGITS_MIN: Final = 15
"""In identifiers and SKUs fewer digits are not taken for a card's: barcodes (GTIN) have up to 14, and every tenth of them passes the Luhn
check by chance. The door lets them in."""

_UUID: Final = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_DRAWN: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")
DRAWN_LETTERS_MIN: Final = 6
_FRACTION: Final = r"(?<![0-9.])[0-9]{1,6}\.[0-9]{7,}(?![0-9.])"
_MOMENT: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:[+-][0-9]{2}:?[0-9]{2})?"
)
_NO_NUMBER: Final = re.compile(f"{_UUID}|{_FRACTION}|{_MOMENT}")
_IDENTIFIERS: Final = frozenset(
    ["sku", "skus", "untracked_skus", "customerid", "customer_id", "reference", "idempotency_key", "receipt"]
)
# Subjects of keys, lists of views, counters of stock: our names, which end in an identifier.
_OUR_NAME: Final = re.compile(r"(?<![a-z])(?:customer[:/]|sku/)\S", re.ASCII)
_TOKEN: Final = re.compile(r"[0-9A-Za-z+/=_-]{16,}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
# What SES calls the mails that it took (RFC 5322, Message-ID): nobody's address.
_MESSAGE_IDS: Final = ("@email.amazonses.com", ".amazonses.com")
_MIXED_MIN: Final = 4
# What a text must have for anything at all to be found in it: a script's digits, an escape, an address, base64, a security code's name.
_SUSPICIOUS: Final = re.compile(
    rf"[^\x00-\x7f]|[%\\@]|[0-9A-Za-z+/_-]{{16}}|{'|'.join(patterns.PARTS_OF_NAMES)}", re.IGNORECASE | re.ASCII
)
_NOT_DIGITS: Final = re.compile(r"[^0-9Oo]+")
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
        """The place (`table t, key`) with a hash for each part that gives away what may not be shown, in whatever form."""
        head, comma, key = text.partition(", ")
        shown = f"{self._shown(head)}{comma}{self._shown(key)}"
        return self._shown(shown)  # the parts may say together what none says alone

    def _shown(self, part: str) -> str:
        """A part of a place, or its hash. Stricter than a scan: a token of letters and digits may hide a number."""
        if not kinds_in(part, self):
            return part
        return f"sha256:{hashlib.sha256(part.encode(errors='surrogatepass')).hexdigest()[:12]}"

    def kinds(self, text: str, *, name: str = "") -> set[str]:
        """The kinds of what is found in a text."""
        return {found.kind for found in self._value("", text, name=name, depth=0)}

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
                    shown = self._shown(str(key))
                    yield from self._text(f"{place}.{shown} (a name)", str(key), name="sku", depth=depth + 1)
                    yield from self._value(f"{place}.{shown}", inner, name=str(key), depth=depth + 1)
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
        identifier = name.casefold() in _IDENTIFIERS or _OUR_NAME.search(folded) is not None
        digits_min = IDENTIFIER_DIGITS_MIN if identifier else patterns.CARD_DIGITS[0]
        for start, end in patterns.card_numbers(numbers, digits_min=digits_min, any_groups=False):
            count = sum(character.isdigit() for character in numbers[start:end])
            yield Finding(place, "card number", f"{count} digits")
        # A name that holds digits itself is judged as a name: `CID-1234` may be somebody's id.
        named = (
            f"{name}: {numbers}" if name and len(numbers) <= 16 and not any(patterns.security_codes(name)) else numbers
        )
        for _ in patterns.security_codes(named, abbreviations=not identifier):
            yield Finding(place, "security code", "beside its name")
        for start, end in patterns.email_addresses(folded):
            address = folded[start:end].casefold()
            if address not in self._allowed and not address.endswith(_MESSAGE_IDS):
                yield Finding(place, "e-mail address", f"{end - start} characters")


def kinds_in(text: str, scanner: Scanner | None = None, *, identifier: bool = False) -> set[str]:
    """The kinds of what a scan would find in a text, and what it lets pass for a token's digits: what the door refuses.

    An identifier that is a UUID with letters enough is none of it: clients draw such keys, and of some the digits could be a card's.
    """
    if scanner is None and is_harmless(text):
        return set()
    if identifier and is_drawn(text):
        return set()
    found = (scanner or Scanner()).kinds(text, name="reference" if identifier else "")
    digits_min = IDENTIFIER_DIGITS_MIN if identifier else patterns.CARD_DIGITS[0]
    for reading in {text, unquote(text), unquote(unquote(text))}:
        folded = patterns.fold(reading)
        if any(patterns.card_numbers(folded, digits_min=digits_min)):
            found.add("card number")
        if any(patterns.security_codes(folded, abbreviations=not identifier)):
            found.add("security code")
        if any(patterns.email_addresses(folded)):
            found.add("e-mail address")
    return found


def is_drawn(text: str) -> bool:
    """Whether this is a UUID (RFC 9562: its version and variant) with as many letters as nearly every one that was drawn has."""
    if _DRAWN.fullmatch(text) is None:
        return False
    return sum(character in "abcdefABCDEF" for character in text) >= DRAWN_LETTERS_MIN


def is_harmless(text: str) -> bool:
    """Whether there can be nothing in a text, at a glance: too few digits for a card's (the letter O may stand for one), and nothing
    suspicious. Most of what an order says is so, and looking closely at each line costs more than all else that is asked of it."""
    if _SUSPICIOUS.search(text) is not None:
        return False
    low, _ = patterns.CARD_DIGITS
    return len(text) < low or len(_NOT_DIGITS.sub("", text)) < low


def _without_tokens(text: str) -> str:
    """The text with everything blanked out that only looks like a number."""
    if len(text) < patterns.CARD_DIGITS[0]:
        return text
    return _TOKEN.sub(_blank_if_mixed, _NO_NUMBER.sub(" x ", text))


def _blank_if_mixed(found: re.Match[str]) -> str:
    """Letters and digits that alternate are no number; `card4242424242424242x` is one."""
    kinds = [character.isdigit() for character in found[0][:_JUDGED_CHARACTERS] if character.isalnum()]
    changes = sum(before != after for before, after in pairwise(kinds))
    return "x" if changes >= _MIXED_MIN else found[0]


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
