"""Signed roots: one document over the heads of all orders, each naming the root before it.

An object `roots/<number, 12 digits>.json` holds, as JSON,

    {"signed": "<text>", "signature": "<base64, DER>", "publicKey": "<base64, DER>"}

and what is signed is the text's UTF-8 bytes, itself JSON, in the order of `_document`. The root after it names the SHA-256 of the
whole object. Nothing is ever canonicalised: what is hashed and signed are the bytes that are stored.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from orderstore.audit.signing import Signature, SignatureInvalid, check_signature

FORMAT: Final = "orderstore/root/1"
PREFIX: Final = "roots/"
NUMBER_MAX: Final = 10**12 - 1
GENESIS: Final = "0" * 64
"""What the first root names as the one before it."""
ROOT_BYTES_MAX: Final = 16 * 1024


class RootUnreadable(Exception):
    """It is not a signed root. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootDocument:
    """What is signed. Hashes are in hex, times in ISO 8601 with milliseconds, UTC."""

    log: str
    """The table that it is about: roots of one environment are not those of another."""
    number: int
    """1, 2, 3 … without holes."""
    previous: str
    """SHA-256 of the object of the root before; `GENESIS` for the first."""
    day: str
    """The UTC day of `created_at`."""
    started_at: str
    """What was acknowledged before this moment is in the root."""
    created_at: str
    orders: int
    commits: int
    merkle_root: str
    leaves_key: str
    """The object that lists the leaves' parts (`leaves.py`)."""
    leaves_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRoot:
    """A root as it is stored. That the signature is right is checked when it is made and read, by `check_root`."""

    document: RootDocument
    text: bytes
    """What is signed."""
    signature: Signature
    content: bytes
    """The whole object."""

    @property
    def number(self) -> int:
        """Of the document."""
        return self.document.number

    @property
    def key(self) -> str:
        """The object's key."""
        return key_of(self.number)

    @property
    def sha256(self) -> str:
        """What the next root names."""
        return hashlib.sha256(self.content).hexdigest()


def key_of(number: int) -> str:
    """The key of the object of that root: keys sort as numbers do."""
    return f"{PREFIX}{number:012d}.json"


def number_of(key: str) -> int | None:
    """The root's number in a key; None for a key that is not a root's."""
    digits = key.removeprefix(PREFIX).removesuffix(".json")
    is_number = len(digits) == 12 and digits.isascii() and digits.isdigit() and key == f"{PREFIX}{digits}.json"
    return int(digits) if is_number and int(digits) else None


def text_of(document: RootDocument) -> bytes:
    """The bytes to sign."""
    return orjson.dumps(
        {
            "format": FORMAT,
            "log": document.log,
            "number": document.number,
            "previous": document.previous,
            "day": document.day,
            "startedAt": document.started_at,
            "createdAt": document.created_at,
            "orders": document.orders,
            "commits": document.commits,
            "merkleRoot": document.merkle_root,
            "leaves": {"key": document.leaves_key, "sha256": document.leaves_sha256},
        }
    )


def signed_root(text: bytes, signature: Signature) -> SignedRoot:
    """The root, as it will be stored. Raises RootUnreadable for a text that is no document."""
    content = orjson.dumps(
        {
            "signed": text.decode(),
            "signature": base64.b64encode(signature.signature).decode(),
            "publicKey": base64.b64encode(signature.public_key).decode(),
        }
    )
    return SignedRoot(document=_document(text), text=text, signature=signature, content=content)


def parse_root(content: bytes) -> SignedRoot:
    """The root in an object, its signature unchecked. Raises RootUnreadable."""
    if len(content) > ROOT_BYTES_MAX:
        raise RootUnreadable(f"it has {len(content)} bytes, a root has at most {ROOT_BYTES_MAX}")
    try:
        outer = orjson.loads(content)
        text = outer["signed"].encode()
        public_key, signature = (base64.b64decode(outer[name], validate=True) for name in ("publicKey", "signature"))
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise RootUnreadable(f"it is not a signed document: {error}") from error
    return SignedRoot(
        document=_document(text),
        text=text,
        signature=Signature(public_key=public_key, signature=signature),
        content=content,
    )


def check_root(root: SignedRoot) -> None:
    """Check that its own key signed it; whether that is the right key is another question. Raises SignatureInvalid."""
    check_signature(root.text, root.signature)


def is_signed(root: SignedRoot) -> bool:
    """Whether `check_root` passes."""
    try:
        check_root(root)
    except SignatureInvalid:
        return False
    return True


def iso(at_ms: int) -> str:
    """A moment as documents write it."""
    moment = datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(text: str) -> int:
    """The moment that `iso` wrote."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def day_of(at_ms: int) -> str:
    """The UTC day of a moment."""
    return iso(at_ms)[:10]


def _document(text: bytes) -> RootDocument:
    try:
        found = orjson.loads(text)
        if found["format"] != FORMAT:
            raise RootUnreadable(f"its format is {found['format']}, not {FORMAT}")
        document = RootDocument(
            log=_text(found["log"]),
            number=_count(found["number"]),
            previous=_hex(found["previous"]),
            day=_text(found["day"]),
            started_at=_moment(found["startedAt"]),
            created_at=_moment(found["createdAt"]),
            orders=_count(found["orders"]),
            commits=_count(found["commits"]),
            merkle_root=_hex(found["merkleRoot"]),
            leaves_key=_text(found["leaves"]["key"]),
            leaves_sha256=_hex(found["leaves"]["sha256"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RootUnreadable(f"it is not a root's document: {error}") from error
    if not 1 <= document.number <= NUMBER_MAX:
        raise RootUnreadable(f"roots are numbered from 1 to {NUMBER_MAX}, not {document.number}")
    return document


def _text(value: Any) -> str:  # noqa: ANN401 - what was parsed
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no text")
    return value


def _moment(value: Any) -> str:  # noqa: ANN401 - what was parsed
    if iso(milliseconds(_text(value))) != value:
        raise ValueError(f"{value!r} is no moment")
    return value  # type: ignore[no-any-return]  # it is text


def _hex(value: Any) -> str:  # noqa: ANN401 - what was parsed
    if len(bytes.fromhex(_text(value))) != 32 or value != value.lower():
        raise ValueError(f"{value!r} is no SHA-256 in hex")
    return str(value)


def _count(value: Any) -> int:  # noqa: ANN401 - what was parsed
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value
