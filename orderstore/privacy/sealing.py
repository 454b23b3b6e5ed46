"""Sealing personal data: AES-256-GCM with the subject's own key.

A sealed text is bound to its subject and its purpose (which order, which field): moved elsewhere, it does not open. It reads
`v1.<base64url of 12 bytes of nonce, then ciphertext and tag>`.
"""

import base64
import binascii
import struct
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orderstore.domain.events import SealedText
from orderstore.privacy.keys import KeyRing, PrivacyError

# NIST SP 800-38D: 96 random bits are safe for 2^32 messages under one key; a customer has some thousands at most.
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
PLAIN_BYTES_MAX: Final = 64 * 1024
OBJECT_BYTES_MAX: Final = 64 * 1024 * 1024
_OBJECT: Final = b"orderstore sealed object v1\n"
_PREFIX: Final = "v1."
_DOMAIN: Final = b"orderstore/sealed/v1\n"
_LENGTH: Final = struct.Struct(">Q")


class SealBroken(PrivacyError):
    """What was sealed does not open."""

    def __init__(self, subject: str, reason: str) -> None:
        """Name the subject, never the content."""
        super().__init__(f"sealed data of {subject} does not open: {reason}")
        self.subject = subject


class Sealer:
    """Seals and opens with the keys of a ring. `random_bytes(count)` gives the nonces: `os.urandom` in production."""

    def __init__(self, keys: KeyRing, *, random_bytes: Callable[[int], bytes]) -> None:
        """Use these keys."""
        self._keys = keys
        self._random_bytes = random_bytes

    async def seal(self, subject: str, purpose: str, plain: bytes) -> SealedText:
        """Return the data, readable only with the subject's key and for this purpose.

        Raises:
            KeyErased, KeyUnusable: the subject has no key that can be used.
            ValueError: there is more than `PLAIN_BYTES_MAX`, or no subject.
        """
        if len(plain) > PLAIN_BYTES_MAX:
            raise ValueError(f"at most {PLAIN_BYTES_MAX} bytes are sealed at once, not {len(plain)}")
        key = await self._keys.key_for(subject)
        nonce = self._random_bytes(NONCE_BYTES)
        return SealedText(subject=subject, ciphertext=encrypt(key, nonce, plain, subject=subject, purpose=purpose))

    async def open(self, sealed: SealedText, purpose: str) -> bytes:
        """Return what was sealed.

        Raises:
            KeyErased, KeyUnusable: the subject has no key that can be used (any more).
            SealBroken: it was changed, or sealed for another purpose.
        """
        key = await self._keys.existing(sealed.subject)
        return decrypt(key, sealed.ciphertext, subject=sealed.subject, purpose=purpose)

    async def seal_object(self, subject: str, purpose: str, plain: bytes) -> bytes:
        """Return what is kept as an object by itself, such as an invoice, readable only with the subject's key and for this purpose.

        Raises:
            KeyErased, KeyUnusable: the subject has no key that can be used.
            ValueError: there is more than `OBJECT_BYTES_MAX`, or no subject.
        """
        if len(plain) > OBJECT_BYTES_MAX:
            raise ValueError(f"an object of at most {OBJECT_BYTES_MAX} bytes is sealed, not of {len(plain)}")
        key = await self._keys.key_for(subject)
        nonce = self._random_bytes(NONCE_BYTES)
        return _OBJECT + nonce + AESGCM(key).encrypt(nonce, plain, _OBJECT + _bound_to(subject, purpose))

    async def open_object(self, subject: str, purpose: str, sealed: bytes) -> bytes:
        """Return what `seal_object` sealed.

        Raises:
            KeyErased, KeyUnusable: the subject has no key that can be used (any more).
            SealBroken: it was changed, or sealed for another subject or purpose.
        """
        key = await self._keys.existing(subject)
        nonce = sealed[len(_OBJECT) : len(_OBJECT) + NONCE_BYTES]
        if not sealed.startswith(_OBJECT) or len(sealed) < len(_OBJECT) + NONCE_BYTES + TAG_BYTES:
            raise SealBroken(subject, "it is no sealed object, or cut off")
        try:
            return AESGCM(key).decrypt(
                nonce, sealed[len(_OBJECT) + NONCE_BYTES :], _OBJECT + _bound_to(subject, purpose)
            )
        except InvalidTag as error:
            raise SealBroken(subject, "it was changed, or sealed for another subject or purpose") from error


def encrypt(key: bytes, nonce: bytes, plain: bytes, *, subject: str, purpose: str) -> str:
    """Seal under a key and a nonce that is used once. Pure."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    sealed = AESGCM(key).encrypt(nonce, plain, _bound_to(subject, purpose))
    return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()


def decrypt(key: bytes, ciphertext: str, *, subject: str, purpose: str) -> bytes:
    """Open what `encrypt` sealed. Pure. Raises SealBroken."""
    if not ciphertext.startswith(_PREFIX):
        raise SealBroken(subject, f"it is not of the form {_PREFIX}...")
    try:
        sealed = base64.b64decode(ciphertext.removeprefix(_PREFIX), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise SealBroken(subject, "it is not base64") from error
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise SealBroken(subject, "it is too short")
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(subject, purpose))
    except InvalidTag as error:
        raise SealBroken(subject, "it was changed, or sealed for another subject or purpose") from error


def _bound_to(subject: str, purpose: str) -> bytes:
    """The additional data: each field behind its length, so that no two pairs are the same bytes."""
    fields = (subject.encode(), purpose.encode())
    return _DOMAIN + b"".join(_LENGTH.pack(len(field)) + field for field in fields)
